"""Watches the processes of this machine for two containers that have one volume mounted as the backend's data."""

# All processes are looked at twenty times a second, which takes six times as long by `Path`.
# ruff: noqa: PTH115, PTH123, PTH208

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.node import Node

_BETWEEN_LOOKS_S = 0.05
_MOUNTED_AT = "/convex/data"
_OF_THE_NODE = "/var/lib"
"""A mount that every process of the node has and no container."""
_OURS = os.readlink("/proc/self/ns/pid")


class Writers:
    """What was seen: each container that had the volume, and the most of them at one moment."""

    def __init__(self, volume: str) -> None:
        self._volume = f"/{volume}"
        self._ends = threading.Event()
        self._known: dict[str, bool] = {}
        """Whether a container has it, once its mounts are made."""
        self.most = 0
        self.containers: set[str] = set()

    def watch(self) -> None:
        """Look again and again until the end."""
        while not self._ends.wait(_BETWEEN_LOOKS_S):
            now = self._now()
            self.most = max(self.most, len(now))
            self.containers |= now

    def end(self) -> None:
        """Look no more."""
        self._ends.set()

    def _now(self) -> set[str]:
        """The containers that have it at one moment, by their ids.

        A look at all processes takes time, in which one container may end and the next one start. So a process counts
        if it is still there after all were looked at: it was there when the last of them was seen.
        """
        seen = [process for process in os.listdir("/proc") if process.isdigit() and self._container(process)]
        return {container for process in seen if (container := self._container(process))}

    def _container(self, process: str) -> str:
        """The container of a process that has the volume; empty if it has not, or has ended."""
        with suppress(OSError):
            if os.readlink(f"/proc/{process}/ns/pid") == _OURS:
                return ""
            found = re.search(r"[0-9a-f]{64}", _read(f"/proc/{process}/cgroup"))
            if found and self._has_it(found[0], process):
                return found[0]
        return ""

    def _has_it(self, container: str, process: str) -> bool:
        if container not in self._known:
            mounts = [line.split(" ")[3:5] for line in _read(f"/proc/{process}/mountinfo").splitlines()]
            if not mounts or _OF_THE_NODE in (place for _, place in mounts):
                return False  # it has ended, or its own mounts are still to be made
            self._known[container] = any(place == _MOUNTED_AT and root.endswith(self._volume) for root, place in mounts)
        os.readlink(f"/proc/{process}/ns/mnt")  # fails if the process has ended and was not yet reaped
        return self._known[container]


def _read(file: str) -> str:
    with open(file) as opened:
        return opened.read()


@contextmanager
def watched(node: Node, namespace: str, claim: str) -> Iterator[Writers]:
    """Watch the volume of a claim that is bound."""
    volume = node.object(namespace, "persistentvolumeclaim", claim)["spec"]["volumeName"]
    source = node.kubectl("get", "persistentvolume", volume, "--output=json").stdout
    (path,) = set(re.findall(r'"path": "([^"]+)"', source))
    writers = Writers(Path(path).name)
    thread = threading.Thread(target=writers.watch, daemon=True)
    thread.start()
    try:
        yield writers
    finally:
        writers.end()
        thread.join()
