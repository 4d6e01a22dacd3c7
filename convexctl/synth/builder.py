"""Reads overlays and builds their environments: a few in this process, many in worker processes (`fleet.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from convexctl.overlays.command_line_values import Setting, name_given
from convexctl.overlays.load import Overlay, load_overlays, told_once
from convexctl.overlays.names import OverlayError
from convexctl.overlays.sealed_files import sealed_secrets
from convexctl.synth.environment import Environment, synthesise
from convexctl.synth.progress import progress
from convexctl.synth.summary import Summary, summary
from convexctl.tools import node

T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """What is to be made: the overlays, what is laid on top of them, and what is asked about each environment."""

    folder: Path
    names: Sequence[str]
    values_files: Sequence[Path | Setting]
    look: Callable[[Environment], T]


class Builder(Protocol[T]):
    """First reads all overlays of a task, so that they can be compared, then builds all environments."""

    def read(self) -> list[Summary]:
        """Read and check the overlays. Raises `OverlayError` with the faults of all."""

    def build(self, step: Callable[[], None]) -> list[tuple[Environment, T]]:
        """Build the environments, each with the answer about it, and call `step` after each.

        Raises `OverlayError` with the faults of all, and `UserError` when cdk8s, Node.js or a worker fails.
        """


@contextmanager
def builder_of(task: Task[T], jobs: int = 0) -> Iterator[Builder[T]]:
    """Where the task is done: in worker processes if it is large, `jobs` of them, or as many as there are cores."""
    large = len(task.names) > node.MANY and jobs != 1 and not name_given(task.values_files)
    if large and node.leave_to_workers():
        from convexctl.synth import fleet

        with fleet.workers(task, jobs or fleet.default_jobs()) as found:
            yield found
    else:
        yield _Here(task)


def build(builder: Builder[T], count: int, *, quiet: bool = False) -> list[tuple[Environment, T]]:
    """Build the `count` environments of a builder's task. On a terminal a line tells how far it is, unless `quiet`."""
    with progress(0 if quiet else count) as step:
        return builder.build(step)


@dataclass
class _Here(Generic[T]):
    """This process."""

    task: Task[T]
    overlays: list[Overlay] = field(default_factory=list)

    def read(self) -> list[Summary]:
        folder = self.task.folder
        self.overlays = load_overlays(folder, self.task.names, self.task.values_files)
        return [summary(folder, each) for each in self.overlays]

    def build(self, step: Callable[[], None]) -> list[tuple[Environment, T]]:
        folder = self.task.folder
        sealed = sealed_secrets(folder, self.overlays)
        environments = []
        faults: dict[str, list[str]] = {}
        for overlay in self.overlays:
            try:
                environment = synthesise(overlay, sealed.get(overlay.name, ()))
                environments.append((environment, self.task.look(environment)))
            except OverlayError as error:
                faults[overlay.file_name] = error.messages
            step()
        if faults:
            raise OverlayError(told_once(folder, faults), about=faults)
        return environments
