"""Lets the secret search see what the whole suite does: pytest's hooks, and what they put around starts and outputs.

A process of the program reports by itself (`watched_process/sitecustomize.py`). What it prints is seen here, where the
test reads it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from convexctl import cli
from tests.support.secret_search import Search, join
from tests.support.watched_process.sitecustomize import NOTES, watch_draws

FOLDER = "secret_search"
"""Under which name a worker of pytest-xdist gets the folder of the run."""
_WATCHED = str(Path(__file__).parent / "watched_process")
_PROGRAM = re.compile(r"(?:^|[ /'\"])(?:main\.py|convex-k8s)(?:['\" ]+([a-z-]*)|$)")
"""The program in a line of words, and its command."""
_ENV_FILE = re.compile(r"--from-env-file[= ](\S+)")
_PRIVATE = frozenset({"secrets", "admin-key"})
"""Commands whose standard output is a Secret or a key, for a pipe or a file of the user's."""
_TESTS_OWN_LOOK = re.compile(r"kubeseal --recovery-unseal|kubectl .*\bget .*\bsecrets?\b")
"""Programs by which a test reads a Secret, to compare it."""

current: Search | None = None
_folder: Path | None = None
_running: list[str] = []
"""The commands that run in this process."""
_last = ""


def is_private(words: Sequence[str]) -> bool:
    """Whether the standard output of a program is a place where a value belongs."""
    line = " ".join(words)
    ours = not _PRIVATE.isdisjoint(_PROGRAM.findall(line)) and "|" not in line
    return ours or bool(_TESTS_OWN_LOOK.search(line))


def saw_output(words: Sequence[str], stdout: str | bytes | None, stderr: str | bytes | None) -> None:
    """Search what a program printed."""
    if current is not None:
        line = " ".join(words)
        ours = bool(_PROGRAM.search(line))
        what = f"`{line[:100]}` printed on standard"
        current.see(f"what {what} error", stderr, of_the_program=ours)
        if not is_private(words):
            current.see(f"what {what} output", stdout, of_the_program=ours)


def install(config: pytest.Config) -> None:
    """Watch this process, and give it a private file for the notes of others."""
    global current, _folder  # noqa: PLW0603
    worker = getattr(config, "workerinput", {})
    _folder = Path(worker[FOLDER]) if worker else Path(tempfile.mkdtemp(prefix="convex-k8s-secret-search-"))
    current = Search(_folder / f"{worker.get('workerid', 'main')}.notes")
    watch_draws(_note)
    _watch_runs()
    _watch_processes()
    _watch_captured()


def _note(kind: str, text: str) -> None:
    if current is not None:
        current.note(kind, text)


def _watch_runs() -> None:
    run = cli.run

    def watched_run(argv: list[str]) -> int:
        global _last  # noqa: PLW0603
        _last = f"main.py {' '.join(argv)}"
        if current is not None:
            current.counts["runs"] += 1
            _give(_last, os.environ)
        _running.append(_last)
        try:
            return run(argv)
        finally:
            _running.pop()

    cli.run = watched_run


def _give(line: str, environment: Mapping[str, str]) -> None:
    """Take note of what a run of the program is given, by its environment or by a file of variables."""
    if current is not None:
        current.give(environment)
        for name in _ENV_FILE.findall(line):
            if (file := Path(name)).is_file():
                lines = file.read_text(errors="replace").splitlines()
                current.give(dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line))


def _watch_processes() -> None:
    start, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def watched_start(self: Any, args: Any, *more: Any, **options: Any) -> None:
        words = [os.fsdecode(word) for word in ([args] if isinstance(args, str | bytes | os.PathLike) else args)]
        if current is not None:
            self._searched_words = words
            current.counts["argument lists"] += 1
            current.see(f"the arguments of {words[0]!r}", " ".join(words), of_the_program=bool(_running))
            if not _running and options.get("env") is not None:
                options["env"] = _watched(options["env"])
            if _PROGRAM.search(" ".join(words)):
                _give(" ".join(words), options.get("env") or os.environ)
        start(self, args, *more, **options)

    def watched_communicate(self: Any, *more: Any, **options: Any) -> tuple[Any, Any]:
        printed = communicate(self, *more, **options)
        if not _running:
            saw_output(getattr(self, "_searched_words", ["?"]), *printed)
        return printed

    subprocess.Popen.__init__ = watched_start  # type: ignore[method-assign]
    subprocess.Popen.communicate = watched_communicate  # type: ignore[method-assign]


def _watched(environment: Any) -> Any:
    """An environment in which Python finds the watch, and where to report."""
    if current is None or any(isinstance(name, bytes) for name in environment):
        return environment
    path = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part and part != _WATCHED]
    return {**environment, "PYTHONPATH": os.pathsep.join([_WATCHED, *path]), NOTES: str(current.notes)}


def _watch_captured() -> None:
    read = pytest.CaptureFixture.readouterr

    def watched_read(self: Any) -> Any:
        captured = read(self)
        saw_output([_last], captured.out, captured.err)
        return captured

    pytest.CaptureFixture.readouterr = watched_read  # type: ignore[method-assign]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the folder of the run to a worker."""
    node.workerinput[FOLDER] = str(_folder)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a test: what it starts is watched, and nothing is given yet."""
    if current is not None:
        current.given.clear()
        current.counts["tests"] += 1
        os.environ.update(_watched(os.environ))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Fail a test in which a value was found."""
    report = yield
    if current is not None:
        if call.when == "teardown":
            current.see("pytest's captured output", "".join(text for _, text in report.sections), of_the_program=True)
        found = current.settle(item.nodeid)
        if found and report.passed:
            report.outcome = "failed"
            report.longrepr = f"a secret value is in {' and in '.join(found)}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Search the files of a process's tests at its end, and everything at the end of the run."""
    if current is not None and current.counts["tests"] and _folder:
        temporary: Any = session.config
        for place in (temporary._tmp_path_factory._basetemp, os.environ["XDG_CACHE_HOME"]):
            current.see_files(Path(place).rglob("*") if place else ())
        current.settle()
        result = _folder / f"{current.notes.stem}.json"
        result.touch(mode=0o600)
        result.write_text(current.result())
    yield
    if _folder and not hasattr(session.config, "workerinput"):
        found, counts = join(path.read_text() for path in sorted(_folder.glob("*.json")))
        shutil.rmtree(_folder, ignore_errors=True)
        lines = [_counted(counts), *(f"A secret value is in {place}" for place in found)]
        if (reporter := session.config.pluginmanager.get_plugin("terminalreporter")) and counts["tests"]:
            reporter.write_line("\n".join(lines))
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _counted(counts: Any) -> str:
    order = (
        *("values made", "values in clusters", "texts", "argument lists", "files", "lists of objects"),
        "logs of containers",
    )
    parts = ", ".join(f"{counts[name]:,} {name}" for name in order)
    runs = f"{counts['runs']:,} runs of the program, {counts['processes']:,} processes of its own"
    return f"Searched for secret values: {parts}, {counts['bytes'] / 1e6:,.1f} MB; {runs}."
