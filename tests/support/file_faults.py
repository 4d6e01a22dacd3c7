"""Errors of the file system, let in at the first call that Python makes to it, at the second, and so on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = {"disk full": errno.ENOSPC, "no permission": errno.EACCES, "read-only": errno.EROFS, "broken": errno.EIO}
_CALLS = ("open", "os.", "shutil.", "fcntl.")
"""The audit events that Python raises right before it touches the file system."""


class _Fault:
    """Which call fails, and with what. Without a folder none does."""

    folder = ""
    step = 0
    error = 0
    calls = 0


def _fail(event: str, arguments: tuple[object, ...]) -> None:
    if not _Fault.folder or not event.startswith(_CALLS):
        return
    paths = [os.fsdecode(item) for item in arguments if isinstance(item, str | bytes | os.PathLike)]
    if paths and not any(path.startswith(_Fault.folder) for path in paths):
        return
    _Fault.calls += 1
    if _Fault.calls == _Fault.step:
        raise OSError(_Fault.error, os.strerror(_Fault.error), paths[0] if paths else None)


sys.addaudithook(_fail)


@contextmanager
def fault_at(step: int, error: int, folder: Path) -> Iterator[None]:
    """Let the call with that number, counted from 1, fail; calls on paths outside of the folder do not count."""
    _Fault.folder, _Fault.step, _Fault.error, _Fault.calls = str(folder), step, error, 0
    try:
        yield
    finally:
        _Fault.folder = ""


def came_to_it() -> bool:
    """Whether there were so many calls that the last fault came to pass."""
    return _Fault.calls >= _Fault.step
