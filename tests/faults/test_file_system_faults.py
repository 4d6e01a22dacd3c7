"""Whichever call to the file system fails, and however: one line that says so, and every folder whole, old or new."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convexctl import cli
from convexctl.errors import UserError
from convexctl.secrets.private_file import write_private
from convexctl.synth.output import write
from tests.support.command_line import run
from tests.support.file_faults import KINDS, came_to_it, fault_at
from tests.support.overlay_cases import ROOT

OLD = {name: {"convex.k8s.yaml": f"old {name}\n", "README.md": "old\n"} for name in ("a", "b", "gone")}
NEW = {name: {"convex.k8s.yaml": f"new {name}\n", "README.md": "new\n"} for name in ("a", "b", "fresh")}
LOCAL = 'releaseName: shop\ns3: {enabled: false}\nbackend: {persistence: {enabled: true, storageClassName: ""}}\n'


def contents(folder: Path) -> dict[str, str]:
    """The files of a folder that are not hidden; nothing if it is not there."""
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (folder / path).read_text() for path in paths if not str(path).startswith(".")}


@pytest.mark.parametrize("error", KINDS.values(), ids=KINDS)
def test_writing_dist(tmp_path: Path, error: int) -> None:
    before = tmp_path / "before"
    write(before, OLD, prune=True)
    refused = 0
    for step in itertools.count(1):
        root = tmp_path / f"{step:03}" / "dist"
        shutil.copytree(before, root)
        with fault_at(step, error, root.parent):
            try:
                write(root, NEW, prune=True)
            except UserError as said:
                refused += 1
                first, *rest = str(said).splitlines()
                assert os.strerror(error) in first
                assert rest in ([], ["nothing was written"])
                if rest:
                    assert {name: contents(root / name) for name in OLD} == OLD, (step, first)
        if not came_to_it():
            break
        for name in OLD.keys() | NEW.keys():
            assert contents(root / name) in (OLD.get(name, {}), NEW.get(name, {})), (step, name)
        write(root, NEW, prune=True)
        assert {path.name for path in root.iterdir() if not path.name.startswith(".")} == NEW.keys()
        shutil.rmtree(root.parent)
    assert step > 40
    assert refused > 20


def test_a_whole_synth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlays = tmp_path / "project" / "overlays"
    overlays.mkdir(parents=True)
    (overlays / "shop.yaml").write_text(LOCAL)
    arguments = ("synth", "--overlays", str(overlays), "-o", str(tmp_path / "project" / "dist"))
    assert run(capsys, *arguments).code == 0
    old = contents(tmp_path / "project" / "dist")
    (overlays / "shop.yaml").write_text(LOCAL + "commonLabels: {team: a}\n")
    faults = 0
    for step in itertools.count(1):
        root = tmp_path / "try"
        shutil.copytree(tmp_path / "project", root)
        with fault_at(step, KINDS["disk full"], root):
            done = run(capsys, "synth", "--overlays", str(root / "overlays"), "-o", str(root / "dist"))
        found = contents(root / "dist")
        shutil.rmtree(root)
        if not came_to_it():
            assert done.code == 0
            break
        faults += 1
        assert "Traceback" not in done.stderr
        assert done.code in (0, 1), done
        if done.code:
            assert done.stderr.strip()
            assert "No space left" in done.stderr, (step, done.stderr)
        assert found == old or "team: a" in found["shop/convex.k8s.yaml"]
    assert faults > 20


@pytest.mark.parametrize("error", KINDS.values(), ids=KINDS)
def test_a_file_for_secrets(tmp_path: Path, error: int) -> None:
    for step in itertools.count(1):
        path = tmp_path / f"secrets-{step}.yaml"
        with fault_at(step, error, tmp_path):
            try:
                write_private(path, "hidden\n")
            except UserError as said:
                assert len(str(said).splitlines()) == 1
                assert "hidden" not in str(said)
        if path.exists():
            assert path.stat().st_mode & 0o777 == 0o600
        if not came_to_it():
            break
    assert step > 1


FULL = """
mount -t tmpfs -o size=64k none "$1"
mkdir "$1/overlays" && printf '%s' "$3" > "$1/overlays/shop.yaml"
"$2" main.py synth --overlays "$1/overlays" -o "$1/dist" || exit 9
head -c 1M /dev/zero > "$1/fill" 2>/dev/null
before=$(cat "$1"/dist/shop/* | sha256sum)
printf 'commonLabels: {team: a}\\n' >> "$1/overlays/shop.yaml"
"$2" main.py synth --overlays "$1/overlays" -o "$1/dist"
code=$?
[ "$before" = "$(cat "$1"/dist/shop/* | sha256sum)" ] && echo untouched
exit $code
"""


def isolated(*options: str) -> list[str]:
    """A command for namespaces of one's own; skips where none may be made."""
    command = ["unshare", "--user", "--map-root-user", *options]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"no namespaces may be made here: {' '.join(command)}")
    return command


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    command = [*isolated("--mount"), "bash", "-c", FULL, "bash", str(tmp_path), sys.executable, LOCAL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No space left on device" in done.stderr, done
    assert (done.returncode, "untouched" in done.stdout) == (1, True), done
    assert "Traceback" not in done.stderr


def test_synth_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "shop.yaml").write_text(LOCAL)
    arguments = [sys.executable, "main.py", "synth", "--overlays", str(tmp_path / "overlays"), "-o"]
    for prefix, folder in (([], "with"), (isolated("--net"), "without")):
        subprocess.run([*prefix, *arguments, str(tmp_path / folder)], cwd=ROOT, check=True, capture_output=True)
    assert contents(tmp_path / "with") == contents(tmp_path / "without") != {}


@pytest.mark.parametrize("now", [0.0, 4102444800.0], ids=["1970", "2100"])
def test_the_clock_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], now: float
) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "shop.yaml").write_text(LOCAL)
    arguments = ["synth", "--overlays", str(tmp_path / "overlays"), "-o"]
    assert cli.run([*arguments, str(tmp_path / "today")]) == 0
    monkeypatch.setattr(time, "time", lambda: now)
    assert cli.run([*arguments, str(tmp_path / "then")]) == 0
    capsys.readouterr()
    assert contents(tmp_path / "today") == contents(tmp_path / "then") != {}
