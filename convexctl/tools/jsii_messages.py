"""jsii's messages between Python and Node.js: fewer of them, shorter, and made without a converter.

The message format is jsii's own. Of its private parts this file replaces the connection to the process and the function
that turns arguments into data; a test compares the bytes that come out with those of jsii alone.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from subprocess import Popen
from typing import IO, Any, Protocol

import jsii._kernel as kernel
from jsii import _reference_map as references
from jsii._kernel.providers import process as provider

_APIS = {
    "CreateRequest": "create",
    "DeleteRequest": "del",
    "GetRequest": "get",
    "InvokeRequest": "invoke",
    "StaticInvokeRequest": "sinvoke",
}
_MANY = 2_000
"""So many objects of environments that are done are kept: some 100 environments, about 50 MB in Node.js."""

_AHEAD = 32
"""So many objects are sent before their answers are read: these, of some hundred bytes each, fit into any pipe."""

_PATIENCE_S = 60


class Connection(Protocol):
    """jsii's connection to its kernel."""

    def hear(self) -> None:
        """Hear the kernel's greeting, and its answers to the requests that were sent ahead."""

    def release(self) -> None:
        """Forget the objects made so far, once they are many."""


def attached(process: Popen[bytes], sent: list[dict[str, str]], listen: Callable[[IO[bytes]], None]) -> Connection:
    """Let jsii use a process that runs, and that was sent the given requests to load packages.

    `listen` reads what the process says on its standard error.
    """
    connection = _Connection(process, sent, listen)
    provider.__dict__["_NodeProcess"] = lambda: connection
    kernel.__dict__["_make_reference_for_native"] = _argument
    return connection


class _Connection(provider._NodeProcess):
    def __init__(self, process: Popen[bytes], sent: list[dict[str, str]], listen: Callable[[IO[bytes]], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._process: Any = process
        self._sent = sent
        self._listen = listen
        self._loaded = 0
        self._made: list[str] = []
        self._number: int | None = None
        """The number that Node.js gives to the next object. Unknown after a request that may have made others."""
        self._awaited: list[str] = []
        """The objects that were sent and not yet answered, by the names that they must get."""
        self._failed: Any = None
        """The answer of the first of them that could not be made."""
        self._constants: dict[tuple[str, str, Any], Any] = {}
        self._serializer: Any = _Serializer(self._serializer)

    def start(self) -> None:
        """Do nothing: packages are loaded inside an import, which an interruption does not cut off."""

    def hear(self) -> None:
        self.sink_thread = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self.sink_thread.start()
        silent = threading.Event()

        def give_up() -> None:
            silent.set()
            self._process.kill()

        alarm = threading.Timer(_PATIENCE_S, give_up)
        alarm.daemon = True
        alarm.start()
        try:
            self.handshake()
            for _ in range(self._loaded):
                answer = self._next_message()
                if "error" in answer:
                    raise RuntimeError(answer["error"])
        except ValueError:
            if silent.is_set():
                raise TimeoutError(f"it said nothing for {_PATIENCE_S} seconds") from None
            raise
        finally:
            alarm.cancel()

    def stop(self) -> None:
        """End the process without waiting for it: it clears its own files away when its input ends."""
        with contextlib.suppress(OSError, AttributeError):
            self._process.stdin.close()

    def send(self, request: Any, response_type: Any) -> Any:
        match type(request).__name__:
            case "LoadRequest" if self._sent and request.tarball == self._sent[0]["tarball"]:
                del self._sent[0]
                self._loaded += 1
                return None
            case "StaticInvokeRequest" if request.method.startswith("from") and len(request.args) == 1:
                # Quantity.fromString and the like: the same text makes the same constant.
                key = (request.fqn, request.method, request.args[0])
                if key not in self._constants:
                    self._number = None
                    self._constants[key] = super().send(request, response_type)
                return self._constants[key]
            case "CreateRequest":
                response = self._created(request, response_type)
                self._made.append(response.ref)
                return response
            case _:
                self._number = None
                return super().send(request, response_type)

    def _created(self, request: Any, response_type: Any) -> Any:
        """Make an object. Its answer is waited for only if Node.js may ask back, or its name is not known before."""
        if self._number is None or request.overrides:
            response: Any = super().send(request, response_type)
            self._number = int(response.ref.rpartition("@")[2])
        else:
            response = response_type(ref=f"{request.fqn}@{self._number}")
            data = json.dumps(self._serializer.unstructure(request), default=provider.jdefault)
            self._process.stdin.write(f"{data}\n".encode())
            self._awaited.append(response.ref)
            if len(self._awaited) == _AHEAD:
                self._process.stdin.flush()
                self._hear_awaited()
        self._number += 1
        return response

    def _hear_awaited(self) -> None:
        while self._awaited:
            answer = super()._next_message()
            if getattr(answer.get("ok"), "ref", "") != self._awaited.pop(0) and not self._failed:
                unexpected = {"error": f"an object has another name than expected: {answer}", "stack": "", "name": ""}
                self._failed = answer if "error" in answer else unexpected

    def _next_message(self) -> Any:
        """The next answer; if an object that was sent before it could not be made, the error about that."""
        self._hear_awaited()
        answer, failed, self._failed = super()._next_message(), self._failed, None
        return failed or answer

    def release(self) -> None:
        if len(self._made) < _MANY:
            return
        # The answers, of ten bytes each, fit into the pipe: Node.js never waits for us to read them.
        deletions = [{"api": "del", "objref": {"$jsii.byref": ref}} for ref in self._made]
        self._process.stdin.write("".join(f"{json.dumps(each)}\n" for each in deletions).encode())
        self._process.stdin.flush()
        for ref in self._made:
            self._next_message()
            references._refs._refs.pop(ref, None)
        self._made.clear()


class _Serializer:
    """Turns requests into data. For those that are sent often, jsii's converter is left out."""

    def __init__(self, converter: Any) -> None:
        self._converter = converter
        self.structure = converter.structure

    def unstructure(self, request: Any) -> Any:
        api = _APIS.get(type(request).__name__)
        if api is None:
            return self._converter.unstructure(request)
        fields = {field.name: getattr(request, field.name) for field in request.__attrs_attrs__}
        if "objref" in fields:
            fields["objref"] = provider._unstructure_ref(fields["objref"])  # type: ignore[no-untyped-call]
        if "overrides" in fields:
            fields["overrides"] = [self._converter.unstructure(override) for override in fields["overrides"]]
        return {"api": api, **fields}


_jsii_argument = kernel._make_reference_for_native


def _argument(of: Any, value: Any) -> Any:
    """An argument as data. Of a struct only what was set is looked at and sent."""
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, list):
        return [_argument(of, item) for item in value]
    if isinstance(value, dict):
        return {"$jsii.map": {key: _argument(of, item) for key, item in value.items()}}
    mapping: Mapping[str, str] | None = getattr(value, "__jsii_name_mapping__", None)
    set_values = getattr(value, "_values", None)
    if mapping is None or set_values is None:
        return _jsii_argument(of, value)
    data = {mapping[name]: _argument(of, item) for name, item in set_values.items()}
    return {"$jsii.struct": {"fqn": value.__jsii_type__, "data": data}}
