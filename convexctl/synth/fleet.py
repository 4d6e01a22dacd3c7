"""Many environments at once: worker processes, each with a Node.js of its own."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from convexctl.errors import UserError
from convexctl.overlays.load import Overlay, told_once
from convexctl.overlays.names import OverlayError
from convexctl.synth.environment import Environment, synthesise

T = TypeVar("T")

_AT_ONCE = 8
"""The number of environments that a worker gets at a time."""

Sealed = Mapping[str, Sequence[Mapping[str, Any]]]


class _Result(NamedTuple):
    """What a worker sends back of an environment: its content with what was asked about it, what is wrong, or why it
    failed."""

    files: dict[str, str]
    said: Any = None
    wrong: Sequence[str] = ()
    failed: tuple[str, int] | None = None


_work: tuple[Sequence[Overlay], Sealed, Callable[[Environment], Any]] = ((), {}, lambda _: None)
"""What the workers inherit: they are forked, so that no overlay is copied to them."""


def default_jobs() -> int:
    """As many workers as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def synthesise_many(
    folder: Path,
    overlays: Sequence[Overlay],
    sealed: Sealed,
    jobs: int,
    look: Callable[[Environment], T],
    step: Callable[[], None],
) -> list[tuple[Environment, T]]:
    """Build the environments in `jobs` worker processes, in the order of the overlays in `folder`, each with what
    `look` says.

    `step` is called after each. Must be called before this process uses cdk8s or starts a thread. Raises `OverlayError`
    with the faults of all overlays, and `UserError` if cdk8s, Node.js or a worker fails.
    """
    global _work  # noqa: PLW0603
    _work = (overlays, sealed, look)
    environments: list[tuple[Environment, T]] = []
    faults: dict[str, Sequence[str]] = {}
    done = False
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _begin)
    try:
        for overlay, made in zip(
            overlays, executor.map(_synthesised, range(len(overlays)), chunksize=_AT_ONCE), strict=True
        ):
            if made.failed:
                raise UserError(*made.failed)
            if made.wrong:
                faults[overlay.file_name] = made.wrong
            if not faults:
                environments.append((Environment(overlay, made.files), made.said))
            step()
        done = True
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended from outside, perhaps because memory ran out: try fewer with --jobs; "
            "nothing was written"
        ) from None
    except BaseException:
        _end_workers()
        raise
    finally:
        _work = ((), {}, lambda _: None)
        # Workers that were not ended are waited for: a process that ends before it has told them to would hang.
        executor.shutdown(wait=done, cancel_futures=True)
    if faults:
        raise OverlayError(told_once(folder, faults), about=faults)
    return environments


def _begin() -> None:
    """Let this process alone decide about an interruption, and let workers collect garbage: they live long enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.enable()


def _end_workers() -> None:
    for worker in multiprocessing.active_children():
        worker.terminate()


def _synthesised(index: int) -> _Result:
    overlays, sealed, look = _work
    overlay = overlays[index]
    try:
        environment = synthesise(overlay, sealed.get(overlay.name, ()))
    except OverlayError as error:
        return _Result({}, wrong=error.messages)
    except UserError as error:
        return _Result({}, failed=(str(error), error.exit_code))
    return _Result(environment.files, look(environment))
