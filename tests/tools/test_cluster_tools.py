"""`make cluster-tools`: from setup-envtest what it has, the rest built by Go; stand-ins play both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.control_plane import PROGRAMS
from tests.support.overlay_cases import ROOT

SCRIPT = ROOT / "tests/tools/cluster_tools.sh"
MODULES = ROOT / "tests/tools/control_plane/go.mod"
SETUP_ENVTEST = '#!/bin/sh\n[ "$*" = "use 1.36.x -p path" ] && echo "{assets}"\n'
GO = """#!/bin/sh
echo "$*" >> "{calls}"
case $1 in list) echo v1.36.3 ;; build) while [ "$1" != -o ]; do shift; done; : > "$2"; /bin/chmod +x "$2" ;; esac
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of PATH: what the script itself needs, and no Go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "mkdir", "cp", "xargs", "echo"):
        (folder / name).symlink_to(f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/bin/{name}")
    return folder


def run(programs: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), "CLUSTER_TOOLS": str(target)}
    return subprocess.run([str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


def test_what_setup_envtest_lacks_is_built(programs: Path, tmp_path: Path) -> None:
    assets, calls, target = tmp_path / "assets", tmp_path / "calls", tmp_path / "target"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program(assets / name)
    program(programs / "setup-envtest", SETUP_ENVTEST.format(assets=assets))
    program(programs / "go", GO.format(calls=calls))
    done = run(programs, target)
    assert (done.returncode, done.stdout) == (0, f"{target}\n"), done.stderr
    assert {path.name for path in target.iterdir()} == set(PROGRAMS)
    (built,) = [line for line in calls.read_text().splitlines() if line.startswith("build")]
    assert built.endswith(
        "gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 k8s.io/kubernetes/cmd/kube-controller-manager"
    )
    calls.unlink()
    assert run(programs, target).returncode == 0
    assert not calls.exists(), "nothing is missing any more"


def test_without_setup_envtest_and_go_it_says_what_is_missing(programs: Path, tmp_path: Path) -> None:
    done = run(programs, tmp_path / "target")
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing: etcd kubectl kube-controller-manager kube-apiserver. Install Go" in done.stderr


def test_all_parts_of_kubernetes_have_one_version() -> None:
    text = MODULES.read_text()
    (version,) = re.findall(r"^\s+k8s\.io/kubernetes v1\.(\S+)", text, re.MULTILINE)
    parts = re.findall(r"^\tk8s\.io/(\S+) => k8s\.io/(\S+) v0\.(\S+)$", text, re.MULTILINE)
    assert len(parts) > 25
    assert {(name == same, its) for name, same, its in parts} == {(True, version)}
