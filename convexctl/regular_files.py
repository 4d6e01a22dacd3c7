"""Files of the user's, read without waiting: a named pipe that nobody writes into would be waited for without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_DESCRIPTORS = ("/dev/fd/", "/proc/", "/dev/stdin")
"""Where a shell hands over what it reads for the user, as in `-f <(command)`: such a pipe has a writer."""


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises `OSError`, also for a named pipe, a socket or a device."""
    if str(path).startswith(_DESCRIPTORS):
        return path.read_bytes()
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) and path != Path(os.devnull):
            raise OSError(errno.EINVAL, "Is not a regular file", str(path))
        return file.read()


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file, with `\\n` at the ends of lines. Raises `OSError` and `UnicodeDecodeError`."""
    return read_bytes(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
