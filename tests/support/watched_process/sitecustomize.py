"""Notes what the program draws and starts, in every Python process of a test.

Python imports a module of this name at its start if it finds one. `tests.support.secret_watch` puts this folder on the
`PYTHONPATH` of what tests start. Python's own option `-I`, `-E` or `-S` keeps it out.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NOTES = "CONVEX_K8S_SECRET_NOTES"
"""The environment variable that names the private file of notes."""
PROGRAM = ("main.py", "convex-k8s")
"""How the program is called in a process of its own."""
_SHORTEST = 12
"""Bytes of a secret at least: the nonce of an admin key."""
_DEEPEST = 4
"""Calls between the program and the random source: `token_hex`, `token_bytes`, `randbytes`."""


def watch_draws(note: Callable[[str, str], None]) -> None:
    """Note what code of the program takes from the system's random source from now on, in hex."""
    draw = os.urandom

    def drawn(size: int) -> bytes:
        value = draw(size)
        if size >= _SHORTEST and _asked_by_the_program():
            note("made", value.hex())
        return value

    os.urandom = drawn
    if "random" in sys.modules:  # it has taken the function already
        sys.modules["random"]._urandom = drawn  # type: ignore[attr-defined]


def _asked_by_the_program() -> bool:
    frame = sys._getframe(2)
    for _ in range(_DEEPEST):
        if str(frame.f_globals.get("__name__", "")).startswith("convexctl."):
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


def _watch_starts(note: Callable[[str, str], None]) -> None:
    """Note the arguments of every program that is started from now on. `subprocess` must not be imported yet."""
    import _posixsubprocess

    start = _posixsubprocess.fork_exec

    def started(arguments: Any, *rest: Any) -> Any:
        note("started", " ".join(map(os.fsdecode, arguments)))
        return start(arguments, *rest)

    _posixsubprocess.fork_exec = started


def _append_to(path: str) -> Callable[[str, str], None]:
    open_file, write, close = os.open, os.write, os.close

    def note(kind: str, text: str) -> None:
        try:
            file = open_file(path, os.O_WRONLY | os.O_APPEND)
        except OSError:  # a process of another user, who cannot read what is private
            return
        write(file, f"{kind} {text!r}\n".encode(errors="replace"))
        close(file)

    return note


if __name__ == "sitecustomize" and NOTES in os.environ:
    into = _append_to(os.environ[NOTES])
    if any(word.endswith(PROGRAM) for word in sys.orig_argv):
        into("process", "")
    watch_draws(into)
    _watch_starts(into)
