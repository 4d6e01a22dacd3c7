"""Files of the user's, read without waiting: a named pipe that nobody writes into would be waited for without end.

What has no end itself (`-f <(yes)`) is read up to a bound.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import IO

MOST_BYTES = 256 * 1024 * 1024
"""More than any file that is asked for."""

_DESCRIPTORS = re.compile(r"/dev/fd/|/dev/stdin|/proc/(?:self|thread-self|[0-9]+)/fd/")
"""Where a shell hands over what it reads for the user, as in `-f <(command)`: such a pipe has a writer."""


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises `OSError`, also for a named pipe, a socket, a device or a file without end."""
    if _DESCRIPTORS.match(str(path)):
        with path.open("rb") as file:
            return read_stream(file, str(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not _is_regular(os.fstat(descriptor)) and path != Path(os.devnull):
            raise OSError(errno.EINVAL, "Is not a regular file", str(path))
        return read_stream(file, str(path))


def _is_regular(status: os.stat_result) -> bool:
    """Whether it is a file on a disk; a file of /proc has that type too, and may wait as a pipe does."""
    if not stat.S_ISREG(status.st_mode):
        return False
    try:
        return status.st_dev != os.stat("/proc").st_dev  # noqa: PTH116
    except OSError:
        return True


def read_stream(file: IO[bytes], name: str) -> bytes:
    """What is in a stream to its end. Raises `OSError` if that is more than `MOST_BYTES`."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"is larger than {MOST_BYTES >> 20} MiB", name)
    return content


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file, with `\\n` at the ends of lines. Raises `OSError` and `UnicodeDecodeError`."""
    return read_bytes(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
