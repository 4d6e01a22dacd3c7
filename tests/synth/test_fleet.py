"""Many environments in worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.overlay_cases import ROOT
from tests.support.processes import interruptible, wait_until

MANY = 45


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    folder = tmp_path / "overlays"
    folder.mkdir()
    (folder / "_tenant.yaml").write_text("backend: {persistence: {enabled: true}}\n")
    for number in range(MANY):
        (folder / f"t{number}.yaml").write_text(f"extends: _tenant\nnamespace: t{number}\nreleaseName: t{number}\n")
    return folder


def command(overlays: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), "--overlays", str(overlays), "-o", str(output), *more]


def synth(overlays: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(overlays, output, *more), capture_output=True, text=True, check=False)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def processes_of(text: str) -> list[int]:
    """The processes with a text in their command line or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            known = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in known and folder.name != str(os.getpid()):
            found.append(int(folder.name))
    return found


def test_workers_make_the_same(overlays: Path, tmp_path: Path) -> None:
    several, one = (synth(overlays, tmp_path / jobs, "--jobs", jobs) for jobs in ("2", "1"))
    assert (several.returncode, one.returncode) == (0, 0)
    assert several.stderr.replace("/2/", "/1/") == one.stderr
    assert content(tmp_path / "2") == content(tmp_path / "1")
    assert len(content(tmp_path / "2")) == 4 * MANY


def test_sealed_files_are_checked_without_cdk8s(overlays: Path) -> None:
    """Workers are forked only from a process that has not used cdk8s."""
    (overlays / "_tenant.yaml").write_text("{postgres: {enabled: true}, secrets: {provider: sealed-secrets}}\n")
    code = f"""
import sys
sys.path[:0] = {[str(ROOT / "constructs"), str(ROOT)]}
from pathlib import Path
from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError
from convexctl.overlays.sealed_files import sealed_secrets
from convexctl.tools import node
folder = Path({str(overlays)!r})
try:
    sealed_secrets(folder, load_overlays(folder, ["t1", "t2"], []))
except OverlayError as error:
    print(len(error.messages), node.leave_to_workers(), "cdk8s" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2 True False\n", "")


def test_all_errors_at_once(overlays: Path, tmp_path: Path) -> None:
    patch = "patches: [{target: {kind: Nothing}, patch: {metadata: {labels: {a: b}}}}]\n"
    for number in (3, 40):
        (overlays / f"t{number}.yaml").open("a").write(patch)
    done = synth(overlays, tmp_path / "dist", "--jobs", "2")
    assert done.returncode == 1
    assert f"{overlays}/t3.yaml:4: patches[0]" in done.stderr
    assert f"{overlays}/t40.yaml:4: patches[0]" in done.stderr
    assert not (tmp_path / "dist").exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["interrupted", "a worker killed"])
def test_no_process_is_left(how: str, overlays: Path, tmp_path: Path) -> None:
    mark = f"convex-k8s-test-{tmp_path.name}-{os.getpid()}"
    environment = {**os.environ, "MARK": mark}
    with interruptible(command(overlays, tmp_path / "dist", "--jobs", "2"), environment) as process:
        # The parent, two workers, and a Node.js for each.
        wait_until(lambda: len(processes_of(mark)) >= 5 or process.poll() is not None, "the workers")
        assert process.poll() is None
        if how == "interrupted":
            process.send_signal(signal.SIGINT)
        else:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    if how == "interrupted":
        assert (process.returncode, said) == (130, "interrupted: nothing more was written\n")
    else:
        assert process.returncode == 1
        assert said.startswith("a worker process was ended from outside")
    wait_until(lambda: not processes_of(mark), "the end of all processes")
    assert not (tmp_path / "dist").exists()
