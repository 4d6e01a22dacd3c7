"""Many environments at once: worker processes, each with a Node.js of its own.

A worker reads an overlay, and later builds its environment. What it has made is spooled (`spool.py`): this
process keeps a summary of each, so that its memory hardly grows with their number.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

from convex_k8s.values.acknowledge import IrreversibleChange

from convexctl.errors import UserError
from convexctl.overlays.load import Faults, Overlay, read_overlays, told_once
from convexctl.overlays.names import OverlayError
from convexctl.overlays.sealed_files import sealed_secrets
from convexctl.synth.builder import Task
from convexctl.synth.environment import Environment, synthesise
from convexctl.synth.spool import Place, Spool, packed
from convexctl.synth.summary import Summary, summary

T = TypeVar("T")

_AT_ONCE = 8
"""The number of environments that a worker gets at a time."""
_NEW_OBJECTS = 20_000
"""So many new objects make a worker look for garbage: once or twice for each environment, and not a hundred times."""


class _Read(NamedTuple):
    """What a worker sends back of an overlay: what is wrong with it, or it in short, with all of it packed."""

    faults: Faults
    summary: Summary | None = None
    sealed_faults: Sequence[str] = ()
    packed: bytes = b""


class _Built(NamedTuple):
    """What a worker sends back of an environment: its files, with what was asked about it, or why there are none."""

    packed: bytes = b""
    objects: int = 0
    acknowledge: Mapping[IrreversibleChange, str] = {}
    said: Any = None
    wrong: Sequence[str] = ()
    failed: tuple[str, int] | None = None


class _Spooled(Environment):
    """An environment in the spool: its overlay and its files are read whenever they are asked for."""

    def __init__(self, name: str, spool: Spool, overlay: Place, built: _Built) -> None:
        known = {"_name": name, "_spool": spool, "_overlay": overlay, "_files": spool.put(built.packed)}
        self.__dict__.update(known, _objects=built.objects, _acknowledge=built.acknowledge)

    _name: str
    _spool: Spool
    _overlay: Place
    _files: Place
    _objects: int
    _acknowledge: Mapping[IrreversibleChange, str]

    @property
    def overlay(self) -> Overlay:
        overlay: Overlay = self._spool.take(self._overlay)[0]
        return overlay

    @property
    def files(self) -> dict[str, str]:
        files: dict[str, str] = self._spool.take(self._files)
        return files

    @property
    def name(self) -> str:
        return self._name

    @property
    def objects(self) -> int:
        return self._objects

    @property
    def acknowledge(self) -> Mapping[IrreversibleChange, str]:
        return self._acknowledge


_work: tuple[Task[Any], Spool] | None = None
"""What the workers inherit: they are forked."""


def default_jobs() -> int:
    """As many workers as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def workers(task: Task[T], jobs: int) -> Iterator[Fleet[T]]:
    """Worker processes for a task. Must be called before this process uses cdk8s or starts a thread."""
    global _work  # noqa: PLW0603
    spool = Spool()
    _work = task, spool
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _begin)
    done = False
    try:
        yield Fleet(task, spool, executor)
        done = True
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended from outside, perhaps because memory ran out: try fewer with --jobs; "
            "nothing was written"
        ) from None
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        _work = None
        # Workers that were not ended are waited for: a process that ends before it has told them to would hang.
        executor.shutdown(wait=done, cancel_futures=True)


class Fleet(Generic[T]):
    """Builds in worker processes."""

    def __init__(self, task: Task[T], spool: Spool, executor: ProcessPoolExecutor) -> None:
        self._task, self._spool, self._executor = task, spool, executor
        self._summaries: list[Summary] = []
        self._places: list[Place] = []
        self._sealed_faults: list[str] = []

    def read(self) -> list[Summary]:
        """Read and check the overlays, and spool them."""
        faults = Faults()
        for found in self._executor.map(_read, self._task.names, chunksize=_AT_ONCE):
            faults.add(found.faults)
            self._sealed_faults += found.sealed_faults
            if found.summary and not faults.about:
                self._summaries.append(found.summary)
                self._places.append(self._spool.put(found.packed))
        faults.check(self._task.folder)
        return self._summaries

    def build(self, step: Callable[[], None]) -> list[tuple[Environment, T]]:
        """Build the environments, in the order of the overlays, and spool them."""
        if self._sealed_faults:
            raise OverlayError(self._sealed_faults)
        environments: list[tuple[Environment, T]] = []
        faults: dict[str, Sequence[str]] = {}
        all_built = self._executor.map(_build, self._places, chunksize=_AT_ONCE)
        for its, place, built in zip(self._summaries, self._places, all_built, strict=True):
            if built.failed:
                raise UserError(*built.failed)
            if built.wrong:
                faults[its.file_name] = built.wrong
            if not faults:
                environments.append((_Spooled(its.name, self._spool, place, built), built.said))
            step()
        if faults:
            raise OverlayError(told_once(self._task.folder, faults), about=faults)
        return environments


def _begin() -> None:
    """Let the first process alone decide about an interruption, and let workers collect garbage: they live long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    gc.enable()


def _read(name: str) -> _Read:
    assert _work  # noqa: S101
    task, _ = _work
    overlays, faults = read_overlays(task.folder, [name], task.values_files)
    if not overlays:
        return _Read(faults)
    (overlay,) = overlays
    sealed: Sequence[Mapping[str, Any]] = ()
    sealed_faults: Sequence[str] = ()
    try:
        sealed = sealed_secrets(task.folder, overlays).get(name, ())
    except OverlayError as error:
        sealed_faults = error.messages
    return _Read(faults, summary(task.folder, overlay), sealed_faults, packed((overlay, sealed)))


def _build(place: Place) -> _Built:
    assert _work  # noqa: S101
    task, spool = _work
    try:
        environment = synthesise(*spool.take(place))
    except OverlayError as error:
        return _Built(wrong=error.messages)
    except UserError as error:
        return _Built(failed=(str(error), error.exit_code))
    said = task.look(environment)
    return _Built(packed(environment.files), environment.objects, environment.acknowledge, said)
