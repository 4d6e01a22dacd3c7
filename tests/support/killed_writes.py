"""Kills `output.write` at its first step on the file system, at its second, and so on, until a run gets through.

usage: python -m tests.support.killed_writes FOLDER before.json after.json [--without-exchange]

For each step, FOLDER/<step>/ holds what the killed run left: the trees of `before.json`, written and then changed to
those of `after.json`. It runs as a process of its own, because it forks.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from convexctl.synth import output

STEPS = ("open", "os.", "shutil.", "fcntl.", "ctypes.")
"""The audit events that Python raises right before it touches the file system."""


def write_killed_at(step: int, root: Path, environments: dict[str, dict[str, str]]) -> None:
    """Write, and die of SIGKILL right before the given step, counted from 1."""
    steps = itertools.count(1)

    def kill(event: str, arguments: object) -> None:
        if event.startswith(STEPS) and event != "os.kill" and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    output.write(root, environments, prune=True)


def main(folder: Path, before: Path, after: Path, *options: str) -> None:
    """Write and kill; the last folder is that of the run that got through."""
    if "--without-exchange" in options:
        output._exchange = lambda *_: False
    environments = json.loads(after.read_text())
    for step in itertools.count(1):
        root = folder / f"{step:03}"
        shutil.copytree(before, root, symlinks=True)
        child = os.fork()
        if child == 0:
            write_killed_at(step, root, environments)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
