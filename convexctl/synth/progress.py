"""How far a run over many environments is: one line on a terminal, which is gone before anything else is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convexctl.tools.node import MANY


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Hand out what is to be called after each of `total` environments. In a pipe, and for a few, nothing is shown."""
    if total <= MANY or not sys.stderr.isatty():
        yield lambda: None
        return
    done, line = 0, ""

    def step() -> None:
        nonlocal done, line
        done += 1
        line = f"{done} of {total} environments"
        print(f"\r{line}", end="", file=sys.stderr, flush=True)

    try:
        yield step
    finally:
        print(f"\r{' ' * len(line)}\r", end="", file=sys.stderr, flush=True)
