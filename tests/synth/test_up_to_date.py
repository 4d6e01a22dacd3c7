"""What makes synth work again after a run, and what does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convexctl.overlays.load import Overlay
from convexctl.synth import builder, environment, up_to_date
from convexctl.synth.environment import MANIFESTS
from convexctl.synth.up_to_date import Memory
from convexctl.tools import node
from tests.support.command_line import Done, run
from tests.support.overlay_cases import ROOT

REQUEST = ["overlay=[]"]


@pytest.fixture(autouse=True)
def _each_run_is_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks at its own program once."""
    monkeypatch.setattr(up_to_date, "_program", up_to_date._program.__wrapped__)


class Run:
    """One repository after a run of synth that found nothing to do."""

    def __init__(self, folder: Path) -> None:
        self.overlays, self.target = folder / "overlays", folder / "dist"
        (self.overlays / "sealed").mkdir(parents=True)
        (self.overlays / "_base.yaml").write_text("releaseName: shared\n")
        (self.overlays / "one.yaml").write_text("extends: _base\nbackend: {persistence: {enabled: true}}\n")
        self.more = folder / "more.yaml"
        self.more.write_text("namespace: somewhere\n")

    def arguments(self) -> list[str]:
        return ["synth", "--overlays", str(self.overlays), "-o", str(self.target), "-f", str(self.more)]

    def synth(self, capsys: pytest.CaptureFixture[str], *more: str) -> str:
        done = run(capsys, *self.arguments(), *more)
        assert done.code == 0, done.stderr
        return done.stderr


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Run(tmp_path)
    found.synth(capsys)
    return found


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each run that does the work."""
    calls: list[int] = []
    build = builder.build

    def counted(*arguments: object, **named: object) -> object:
        calls.append(1)
        return build(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builder, "build", counted)
    return calls


def test_nothing_changed_nothing_done(repository: Run, worked: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    again = repository.synth(capsys)
    assert (again, worked) == (f"{repository.target}/one: unchanged, 6 objects\n", [])
    assert (repository.synth(capsys, "--force"), worked) == (again, [1])


def test_warnings_are_printed_again(repository: Run, worked: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    (repository.overlays / "one.yaml").write_text("extends: _base\nbackend: {persistence: {enabled: false}}\n")
    first = repository.synth(capsys, "--allow-irreversible")
    again = repository.synth(capsys, "--allow-irreversible")
    assert "warning: " in first
    assert again == first.replace(": changed", ": unchanged")
    assert worked == [1]


CHANGES: dict[str, Callable[[Run], object]] = {
    "an overlay": lambda its: (its.overlays / "one.yaml").open("a").write("# edited\n"),
    "its base": lambda its: (its.overlays / "_base.yaml").open("a").write("# edited\n"),
    "a new overlay": lambda its: (its.overlays / "two.yaml").write_text("releaseName: two\n"),
    "an overlay in a sub-folder": lambda its: (its.overlays / "sealed" / "x.yaml").write_text("# nothing\n"),
    "a file of values": lambda its: its.more.open("a").write("# edited\n"),
    "an edited output file": lambda its: (its.target / "one" / MANIFESTS).open("a").write("# edited\n"),
    "a deleted output file": lambda its: (its.target / "one" / MANIFESTS).unlink(),
    "a file more in the output": lambda its: (its.target / "one" / "mine.yaml").write_text("{}\n"),
    "a linked output file": lambda its: _linked(its.target / "one" / MANIFESTS),
    "a deleted folder": lambda its: shutil.rmtree(its.target / "one"),
    "a folder of an earlier run": lambda its: shutil.copytree(its.target / "one", its.target / "two"),
    "another Node.js": lambda its: os.environ.update(JSII_NODE=shutil.copy(node.choose(), str(its.more.parent))),
    "a broken record": lambda its: [path.write_text("[1") for path in _records()],
    "a record of another shape": lambda its: [path.write_text("[]") for path in _records()],
}


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _records() -> list[Path]:
    return list(Path(os.environ["XDG_CACHE_HOME"], "convex-k8s").glob("*.*"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(
    change: str, repository: Run, worked: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSII_NODE", node.choose())
    repository.synth(capsys)
    worked.clear()
    CHANGES[change](repository)
    run(capsys, *repository.arguments(), "--allow-irreversible")
    run(capsys, *repository.arguments())
    assert worked


@pytest.mark.parametrize("what", ["program", "packages", "python"])
def test_another_program_does_the_work_again(what: str, repository: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def memory() -> Memory:
        return Memory(repository.overlays, repository.target, REQUEST, [])

    memory().keep(up_to_date.Known([], {"one": 6}), {})
    assert memory().recall()
    if what == "program":
        (repository.overlays.parent / "program").mkdir()
        (repository.overlays.parent / "program" / "new.py").touch()
        monkeypatch.setattr(up_to_date, "_PROGRAM", (*up_to_date._PROGRAM, repository.overlays.parent / "program"))
    elif what == "packages":
        (repository.overlays.parent / "site-packages" / "cdk8s-9.dist-info").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(repository.overlays.parent / "site-packages"))
    else:
        monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert memory().recall() is None


def test_what_changes_while_it_runs_is_not_remembered(repository: Run) -> None:
    memory = Memory(repository.overlays, repository.target, REQUEST, [])
    (repository.overlays / "one.yaml").open("a").write("# edited meanwhile\n")
    memory.keep(up_to_date.Known([], {"one": 6}), {})
    assert Memory(repository.overlays, repository.target, REQUEST, []).recall() is None


def test_without_a_place_for_it_everything_works(
    repository: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert repository.synth(capsys) == repository.synth(capsys)


def test_it_imports_nothing_that_takes_long(repository: Run) -> None:
    code = (
        "import sys, json; from convexctl.cli import run; code = run(json.loads(sys.argv[1]));"
        "sys.exit(code or ','.join(sorted({'pydantic', 'yaml', 'jsii', 'subprocess'} & set(sys.modules))) or None)"
    )
    search = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    command = [sys.executable, "-c", code, json.dumps(repository.arguments())]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, f"{repository.target}/one: unchanged, 6 objects\n")


def test_old_records_are_forgotten(repository: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_to_date, "_KEPT", 3)
    for number in range(6):
        Memory(repository.overlays, repository.target, [str(number)], []).keep(up_to_date.Known([], {"one": 6}), {})
    assert len(_records()) == 2 * 3


class Fleet:
    """Three environments after a run of synth: `one` and `two` on a base, and `three` with two warnings."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], made: list[str]) -> None:
        self.overlays, self.target = folder / "overlays", folder / "dist"
        self.capsys, self._made = capsys, made
        self.overlays.mkdir()
        self.write("_base", "backend: {persistence: {enabled: true}}\n")
        for name in ("one", "two"):
            self.write(name, f"extends: _base\nreleaseName: {name}\n")
        self.write("three", "releaseName: three\nbackend: {persistence: {enabled: false}}\n")
        self.first = self.synth()

    def write(self, name: str, text: str) -> None:
        (self.overlays / f"{name}.yaml").write_text(text)

    def synth(self) -> Done:
        arguments = ("--overlays", str(self.overlays), "-o", str(self.target), "--allow-irreversible")
        return run(self.capsys, "synth", *arguments)

    def made(self) -> list[str]:
        """The environments that were made since the last call."""
        names = list(self._made)
        self._made.clear()
        return names


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made: list[str] = []
    synthesise = environment.synthesise

    def noted(overlay: Overlay, sealed: Any = ()) -> environment.Environment:
        made.append(overlay.name)
        return synthesise(overlay, sealed)

    monkeypatch.setattr(builder, "synthesise", noted)
    found = Fleet(tmp_path, capsys, made)
    assert found.made() == ["one", "three", "two"]
    return found


ONLY: dict[str, tuple[Callable[[Fleet], object], list[str]]] = {
    "an overlay": (lambda its: its.write("two", "extends: _base\nreleaseName: again\n"), ["two"]),
    "a base": (lambda its: its.write("_base", "backend: {persistence: {enabled: true, size: 9Gi}}\n"), ["one", "two"]),
    "a base by another ending": (lambda its: (its.overlays / "_base.yml").write_text("{}\n"), ["one", "two"]),
    "a base that nobody extends": (lambda its: its.write("_other", "{}\n"), []),
    "one overlay more": (lambda its: its.write("four", "releaseName: four\n"), ["four"]),
    "one overlay less": (lambda its: (its.overlays / "two.yaml").unlink(), []),
    "an edited output file": (lambda its: (its.target / "one" / MANIFESTS).open("a").write("# edited\n"), ["one"]),
    "a deleted folder": (lambda its: shutil.rmtree(its.target / "three"), ["three"]),
    "a broken record": (lambda its: [path.write_text("[1") for path in _records()], ["one", "three", "two"]),
}


@pytest.mark.parametrize("change", ONLY)
def test_only_what_changed_is_made(change: str, fleet: Fleet) -> None:
    edit, made = ONLY[change]
    edit(fleet)
    done = fleet.synth()
    assert (done.code, fleet.made()) == (0, made)
    warnings = [line for line in fleet.first.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 2
    assert all(line in done.stderr.splitlines() for line in warnings)
    written = {path.name: (path / MANIFESTS).read_text() for path in fleet.target.iterdir()}
    shutil.rmtree(fleet.target)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    fleet.synth()
    assert written == {path.name: (path / MANIFESTS).read_text() for path in fleet.target.iterdir()}


def test_an_edit_in_the_working_directory_is_noticed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet.overlays)
    fleet.overlays = Path()
    fleet.synth()
    fleet.made()
    for edited, made in (("two", ["two"]), ("_base", ["one", "two"])):
        with Path(f"{edited}.yaml").open("a") as file:
            file.write("commonLabels: {edited: 'yes'}\n")
        assert (fleet.synth().code, fleet.made()) == (0, made)
    assert "edited:" in (fleet.target / "one" / MANIFESTS).read_text()


def test_what_is_kept_is_compared_with_what_is_made(fleet: Fleet) -> None:
    fleet.write("four", "releaseName: one\n")
    done = fleet.synth()
    assert (done.code, fleet.made()) == (1, [])
    assert "four.yaml and " in done.stderr
    assert "release name one are the same" in done.stderr
