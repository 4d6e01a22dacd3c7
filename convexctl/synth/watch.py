"""Runs synth again whenever a file that it reads has changed, with Node.js and all modules kept warm."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_LOOK_EVERY_S = 0.005
_AT_MOST = 0.1
"""Share of the time that looking for changes may take. With thousands of overlays it looks less often."""
_QUIET_FOR_S = 0.015
"""Seconds without a change after which a run begins, so that a burst of saves is one run."""


_EMPTY_FOR_NS = 1_000_000_000
"""A file that is empty for a shorter time is being saved: many editors empty it before they write."""


def watch(places: Sequence[Path], run: Callable[[], object]) -> None:
    """Call `run` at once and after every change below `places` (folders and files), until it is interrupted."""
    gc.enable()
    while True:
        before = _stamps(places)
        run()
        _wait_for_change(places, before)


def _wait_for_change(places: Sequence[Path], before: object) -> None:
    now = before
    while now == before:
        started = time.perf_counter()
        now = _stamps(places)
        time.sleep(max(_LOOK_EVERY_S, (time.perf_counter() - started) / _AT_MOST) if now == before else 0)
    while True:
        time.sleep(_QUIET_FOR_S)
        before, now = now, _stamps(places)
        if now == before and not _is_being_saved(now):
            return


def _is_being_saved(stamps: dict[str, tuple[int, int, int]]) -> bool:
    return any(not size and 0 <= time.time_ns() - changed < _EMPTY_FOR_NS for changed, size, _ in stamps.values())


def _stamps(places: Sequence[Path]) -> dict[str, tuple[int, int, int]]:
    """The time, size and inode of every overlay and of every given file: an editor may write in place or rename."""
    found: dict[str, tuple[int, int, int]] = {}
    for place in places:
        files = [str(place)]
        if place.is_dir():
            files = [str(path) for path in place.rglob("*") if path.suffix in (".yaml", ".yml")]
        for file in files:
            try:
                about = os.stat(file)  # noqa: PTH116
            except OSError:
                continue
            found[file] = (about.st_mtime_ns, about.st_size, about.st_ino)
    return found
