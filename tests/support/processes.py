"""Programs that a test starts and that end with it, also when the test's own process is killed."""

from __future__ import annotations

import ctypes
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.secret_watch import saw_output

PATIENCE_S = 60
"""How long to wait for what takes a second or two on an idle machine."""

_PR_SET_PDEATHSIG = 1
_BELOW_EPHEMERAL = range(10000, 32000)
_libc = ctypes.CDLL(None)


@contextmanager
def interruptible(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program that takes SIGINT as in a terminal, even if this process ignores it, and that ends with the block."""
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_take_interruptions,  # noqa: PLW1509
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


class Processes:
    """Programs in the background, each with a log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Start a program and return its process id. Linux kills it when this process ends, however it does."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (it calls one function of the kernel and nothing else)
            )
        return self._running[name].pid

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; a program that ends meanwhile fails the test with the end of its log."""

        def there() -> bool:
            for name, process in self._running.items():
                assert process.poll() is None, f"{name} ended:\n{self._log(name).read_text(errors='replace')[-4000:]}"
            return condition()

        wait_until(there, what)

    def stop(self) -> None:
        """Kill them all, the last one first, and wait until they are gone: none has anything to lose."""
        for name, process in reversed(self._running.items()):
            process.kill()
            process.wait()
            saw_output([name], self._log(name).read_bytes(), None)
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def wait_until(condition: Callable[[], bool], what: str, pause_s: float = 0.05) -> None:
    """Wait for a condition, and fail the test where it does not come true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not there after {PATIENCE_S} seconds"
        time.sleep(pause_s)


@contextmanager
def folder_that_goes(prefix: str) -> Iterator[Path]:
    """A temporary folder that is removed afterwards, also when this process is killed.

    A shell waits at the end of a pipe that only this process holds, and removes the folder when the pipe closes.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
    script = 'read -r _; for _ in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 0.2; done'
    sweeper = subprocess.Popen(["sh", "-c", script, "sh", folder], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield folder
    finally:
        assert sweeper.stdin
        sweeper.stdin.close()
        sweeper.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(number: int) -> list[int]:
    """Different free ports of the loopback, from below those that the kernel gives to outgoing connections."""
    ports: list[int] = []
    for port in random.sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL)):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == number:
            return ports
    raise AssertionError("no free port")


def _take_interruptions() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _die_with_parent()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
