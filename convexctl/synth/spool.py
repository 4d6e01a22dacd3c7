"""What a run has made and does not need at once: put aside on disk, so that thousands of environments fit."""

from __future__ import annotations

import os
import pickle
import tempfile
import zlib
from typing import Any, NamedTuple

from convexctl.errors import UserError


class Place(NamedTuple):
    """Where something is in the spool."""

    start: int
    length: int


class Spool:
    """A file without a name, for this process and those it forks: however the run ends, nothing of it is left."""

    def __init__(self) -> None:
        self._end = 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _full(error) from None

    def put(self, packed: bytes) -> Place:
        """Put something aside. Raises `UserError` if the disk takes no more."""
        rest = memoryview(packed)
        place = Place(self._end, len(packed))
        try:
            while rest:
                written = os.pwrite(self._file.fileno(), rest, self._end)
                self._end, rest = self._end + written, rest[written:]
        except OSError as error:
            raise _full(error) from None
        return place

    def take(self, place: Place) -> Any:
        """What was put there, as it was before it was packed."""
        found = os.pread(self._file.fileno(), place.length, place.start)
        # No other program can write to the file.
        return pickle.loads(zlib.decompress(found))  # noqa: S301


def packed(content: object) -> bytes:
    """The content as bytes, a third as many as it has letters."""
    return zlib.compress(pickle.dumps(content, pickle.HIGHEST_PROTOCOL), 1)


def _full(error: OSError) -> UserError:
    place = error.filename or tempfile.gettempdir()
    return UserError(f"{place}: cannot be written: {error.strerror or error}\nnothing was written")
