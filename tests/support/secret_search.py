"""Searches what the program leaves behind for secret values that it made or was given, in tests of some folders.

Watched is `convexctl.cli.run`, so all commands that tests run in their own process. A value is one that the program
drew from the system's random source, or that a variable of a secret's name had in the environment. None may be in what
the program printed (what `secrets` and `admin-key` print on standard output is meant to be private), in pytest's
captured output, or in the arguments of a program that was started. What the program made may not be in a file below the
test's `tmp_path` that anybody but its owner can read.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from convexctl import cli

PRIVATE = frozenset({"secrets", "admin-key"})
"""Commands whose standard output is a Secret or a key, for a pipe or a file of the user's."""
NAMES = (
    *("INSTANCE_SECRET", "CONVEX_DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "BACKUP_AWS_SECRET_ACCESS_KEY"),
    *("CONVEX_SELF_HOSTED_ADMIN_KEY", "POSTGRES_URL", "MYSQL_URL", "DATABASE_URL"),
)
SHORTEST = 7
"""Characters of a value that is searched for: a shorter one is found in words that have nothing to do with it."""
STUBS_CLUSTER = "/kubectl/state/"
"""Where the stand-in of kubectl keeps what is in its cluster."""
FOLDERS = frozenset({"secrets", "adopt", "changes", "audit", "preflight", "project"})
"""The folders of tests that are searched: on real clusters Secrets are where they belong."""
LARGEST_FILE = 4 << 20


class Search:
    """The values of one test, and where they were found."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.given: set[str] = set()
        self.found: list[str] = []
        self.runs = 0
        self.command = ""

    def begin(self, argv: list[str]) -> None:
        """Take note of what the environment gives to a run of the program."""
        self.runs += 1
        self.command = argv[0] if argv else ""
        for name in NAMES:
            value = os.environ.get(name, "")
            try:
                secret = unquote(urlsplit(value).password or "") if "://" in value else value
            except ValueError:
                continue
            if len(secret) >= SHORTEST:
                self.given.add(secret)

    def look(self, text: str, where: str, *, made_only: bool = False) -> None:
        """Search a text."""
        for value in self.made if made_only else self.made | self.given:
            if value in text or base64.b64encode(os.fsencode(value)).decode() in text:
                self.found.append(where)

    def look_below(self, folder: Path) -> None:
        """Search the files of a folder that others can read."""
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and STUBS_CLUSTER not in path.as_posix():
                status = path.stat()
                if status.st_mode & 0o077 and status.st_size <= LARGEST_FILE:
                    self.look(path.read_bytes().decode(errors="replace"), f"the file {path}", made_only=True)


current: Search | None = None


def saw_output(stdout: str, stderr: str) -> None:
    """Search what the last run of the program in this process printed."""
    if current is not None and current.runs:
        current.look(stderr, f"what `{current.command}` printed on standard error")
        if current.command not in PRIVATE:
            current.look(stdout, f"what `{current.command}` printed on standard output")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a test's search before its fixtures."""
    global current  # noqa: PLW0603
    current = Search() if item.path.parent.name in FOLDERS else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Fail a test in which a value was found."""
    report = yield
    if call.when == "call" and current is not None:
        current.look("".join(text for _, text in report.sections), "pytest's captured output")
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if current.made and isinstance(folder, Path):
            current.look_below(folder)
        if current.found and report.passed:
            report.outcome = "failed"
            report.longrepr = f"a secret value is in {' and in '.join(sorted(set(current.found)))}"
    return report


def install() -> None:
    """Watch the program, its random source, and the programs that it starts."""
    run = cli.run
    running = 0

    def watched_run(argv: list[str]) -> int:
        nonlocal running
        if current is not None:
            current.begin(argv)
        running += 1
        try:
            return run(argv)
        finally:
            running -= 1

    def noted(draw: Callable[..., Any], text: Callable[[Any], str]) -> Callable[..., Any]:
        def drawn(*size: int) -> Any:
            value = draw(*size)
            of_the_program = str(sys._getframe(1).f_globals.get("__name__", "")).startswith("convexctl.")
            if current is not None and running and of_the_program:
                current.made.add(text(value))
            return value

        return drawn

    start = subprocess.Popen.__init__

    def watched_start(self: Any, args: Any, *more: Any, **options: Any) -> None:
        if current is not None and running:
            words = [args] if isinstance(args, str | bytes | os.PathLike) else args
            current.look(" ".join(map(os.fsdecode, words)), f"the arguments of {words[0]!r}")
        start(self, args, *more, **options)

    cli.run = watched_run
    secrets.token_hex = noted(secrets.token_hex, str)
    secrets.token_bytes = noted(secrets.token_bytes, bytes.hex)
    subprocess.Popen.__init__ = watched_start  # type: ignore[method-assign]
