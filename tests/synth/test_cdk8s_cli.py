"""`cdk8s synth` of npm's cdk8s-cli, with this project's cdk8s.yaml, gives what `python3 main.py` gives.

The program is found on PATH, or where the environment variable CDK8S_CLI says; to have it:
`npm install --prefix DIR cdk8s-cli@2.207.60`, and CDK8S_CLI=DIR/node_modules/.bin/cdk8s.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convexctl.overlays.names import overlay_names
from convexctl.project import RECORD
from convexctl.synth.folder_record import recorded
from tests.support.overlay_cases import OVERLAYS, ROOT

CDK8S = os.environ.get("CDK8S_CLI") or shutil.which("cdk8s")
DIST = ROOT / "dist"

pytestmark = pytest.mark.skipif(CDK8S is None, reason="needs cdk8s-cli of npm on PATH, or named by CDK8S_CLI")


def cdk8s(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `cdk8s` in a folder that looks like the project's, so that it may delete `dist/` there."""
    for name in ("main.py", "cdk8s.yaml"):
        (folder / name).symlink_to(ROOT / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDK8S_")}
    return subprocess.run(
        [str(CDK8S), *arguments],
        cwd=folder,
        env={**clean, "PATH": path, "CDK8S_CHECK_UPGRADE": "false", "FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_writes_the_same_bytes(tmp_path: Path) -> None:
    done = cdk8s(tmp_path, "synth")
    assert done.returncode == 0, done.stderr
    names = overlay_names(OVERLAYS)
    assert done.stdout.splitlines() == [
        "Synthesizing application",
        *(f"  - dist/{name}/convex.k8s.yaml" for name in names),
    ]
    for name in names:
        for file in [RECORD, *recorded(DIST, name)]:
            assert (tmp_path / "dist" / name / file).read_bytes() == (DIST / name / file).read_bytes(), file


@pytest.mark.parametrize("name", overlay_names(OVERLAYS))
def test_on_standard_output_there_are_the_manifests_of_one_overlay_and_nothing_else(tmp_path: Path, name: str) -> None:
    done = cdk8s(tmp_path, "synth", "--stdout", "--app", f"python3 main.py synth {name}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (DIST / name / "convex.k8s.yaml").read_text(encoding="utf-8")


def test_it_fails_where_the_program_fails(tmp_path: Path) -> None:
    done = cdk8s(tmp_path, "synth", "--app", "python3 main.py synth prodution")
    assert done.returncode != 0
    assert "did you mean production?" in done.stderr
    assert "Traceback" not in done.stderr
