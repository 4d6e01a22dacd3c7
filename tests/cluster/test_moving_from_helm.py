"""docs/moving-from-helm.md, word by word: every command of the page, on a real API server, with the real Helm."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.adoption import snapshot, uids
from tests.support.control_plane import ControlPlane, missing_programs
from tests.support.helm_chart import CHART, EXAMPLE_VALUES, PORT_FORWARD_VALUES, install
from tests.support.processes import wait_until

pytestmark = pytest.mark.skipif(bool(missing_programs("helm", "git")), reason=missing_programs("helm", "git"))

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "moving-from-helm.md"
NAMESPACE = "convex"
AUTHOR = {f"GIT_{role}_{what}": "user@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the program in a Git repository, without any overlay."""
    for folder in ("convexctl", "constructs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # with what Python has compiled
    shutil.copy(ROOT / "main.py", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    python = tmp_path / "programs" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return tmp_path


def blocks() -> list[str]:
    """The page's blocks of commands, in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def type_in(cluster: ControlPlane, project: Path, block: str) -> str:
    """Type a block into a shell with a terminal, answer every question with yes, and return what is on the screen."""
    path = f"{project / 'programs'}{os.pathsep}{cluster.environment['PATH']}"
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"y\n" * block.count("--apply"))
    with (project / "screen").open("w+") as screen:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=project,
            stdin=terminal,
            stdout=screen,
            stderr=screen,
            env={**cluster.environment, **AUTHOR, "PATH": path},
        )
        try:
            wait_until(lambda: _ended(cluster, shell), block)
        finally:
            shell.kill()
            shell.wait()
            os.close(keyboard)
            os.close(terminal)
        screen.seek(0)
        text = screen.read()
    assert shell.returncode == 0, f"{block}\n{shell.returncode}\n{text}"
    return text


def _ended(cluster: ControlPlane, shell: subprocess.Popen[bytes]) -> bool:
    cluster.make_ready(NAMESPACE)
    return shell.poll() is not None


def test_the_story(cluster: ControlPlane, project: Path) -> None:
    cluster.namespace(NAMESPACE)
    install(cluster, NAMESPACE, "shop", EXAMPLE_VALUES, server_side=True)
    cluster.helm("install", "notes", CHART, "--values", PORT_FORWARD_VALUES, "--namespace", NAMESPACE)
    cluster.make_ready(NAMESPACE)
    before = uids(snapshot(cluster, NAMESPACE))

    look, decide, move, afterwards, stopped, with_volume = blocks()
    screen = type_in(cluster, project, look)
    assert "shop" in screen
    assert "DO_NOT_REQUIRE_SSL" in screen
    assert "The database must offer TLS" in " ".join(screen.split())
    screen = " ".join(type_in(cluster, project, decide).split())
    assert "is used unchanged" in screen
    assert "The database must offer TLS" not in screen
    screen = type_in(cluster, project, move)
    assert "helm get manifest shop --namespace=convex | kubectl apply --namespace=convex" in screen
    assert "shop is adopted" in screen
    screen = type_in(cluster, project, afterwards)
    assert "shop: adopted already, there is nothing to do" in screen
    assert not re.search(r"^[+-] ", screen, re.MULTILINE)
    assert not re.search(r"^shop\t", screen, re.MULTILINE)

    screen = type_in(cluster, project, stopped)
    assert "claim: none -> notes-backend-pvc" in screen
    assert not (project / "dist" / "notes").exists()
    screen = type_in(cluster, project, with_volume)
    assert "notes is adopted" in screen

    records = {name for name in before if name.startswith("Secret/sh.helm.release.")}
    assert uids(snapshot(cluster, NAMESPACE)) == {name: uid for name, uid in before.items() if name not in records}
