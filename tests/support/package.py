"""The package: built from a copy of the sources, and installed into a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

from tests.support.overlay_cases import ROOT

SOURCES = ("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "constructs", "convexctl", "overlays")


def copy_sources(target: Path) -> Path:
    """A copy of what the package is built from."""
    target.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


def build(kind: str, sources: Path, target: Path) -> Path:
    """Build a `wheel` or `sdist` and return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = target.iterdir()
    return file


class Installed:
    """A virtual environment that holds the package; the packages that it requires are those of this one."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        (packages,) = folder.glob("lib/python3*/site-packages")
        (packages / "a_requirements.pth").write_text("\n".join(site.getsitepackages()) + "\n")

    def install(self, wheel: Path) -> None:
        """Install a wheel, in the place of an older one."""
        python = str(self.programs / "python")
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", str(wheel)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of that environment, which finds nothing of this repository."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("JSII_", "CDK8S_", "PYTHON"))
        }
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**clean, **identity, "PATH": path}
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
