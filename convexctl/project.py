"""Where the repository's folders are, and what the program is called in it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from convexctl.errors import WRONG_USAGE, UserError

HOME = Path(__file__).resolve().parent.parent
"""The folder that holds this package: with main.py in it, unless the package is installed."""
MAIN = HOME / "main.py"
_SOURCES = ("convexctl", "constructs", "docs", "tests", "benchmarks", ".ci")
RECORD = ".convex-k8s"
"""The file that lists what was written into an environment's folder."""
FROM_SOURCE = "python3 main.py"
"""How the files of this project call the program."""


def repository() -> Path:
    """The folder with `overlays` and `cdk8s.yaml` at or above the working directory, else the folder of main.py."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the working directory is gone
        return HOME
    for path in (here, *here.parents):
        if (path / "overlays").is_dir() and (path / "cdk8s.yaml").is_file():
            return path
    return HOME if MAIN.is_file() else here


def folder(name: str) -> Path:
    """A folder of the repository, as seen from the working directory if that is in the repository."""
    root = repository()
    try:
        return Path(os.path.relpath(root / name)) if Path.cwd().is_relative_to(root) else root / name
    except FileNotFoundError:
        return root / name


def path(text: str) -> Path:
    """A path on the command line. An empty one is an error: it would mean the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty (an unset variable?)")
    return Path(text)


def output_folder(given: Path | None) -> Path:
    """Where manifests go: as the command line says, else as cdk8s-cli says (`CDK8S_OUTDIR`), else `dist`."""
    return given or Path(os.environ.get("CDK8S_OUTDIR") or folder("dist"))


def check_output_folder(target: Path, overlays: Path) -> None:
    """Raise `UserError` if folders of environments would be written among sources, or into an environment."""
    root, place = repository(), target.resolve()
    ours = [HOME / name for name in _SOURCES] if MAIN.is_file() else [HOME / "convexctl"]
    among = ".git" in place.parts or any(place.is_relative_to(folder.resolve()) for folder in ours)
    work_tree = (place / ".git").exists() or place == Path(place.anchor)
    if among or work_tree or place in (root.resolve(), HOME, overlays.resolve()):
        raise UserError(
            f"{target}: is a folder of sources, and each environment becomes a folder in it: name one of its own, "
            f"such as {folder('dist')}",
            WRONG_USAGE,
        )
    if environment := next((above for above in (place, *place.parents) if (above / RECORD).is_file()), None):
        raise UserError(f"{target}: is in the environment {environment}: name the folder above it", WRONG_USAGE)


def _program() -> str:
    if not MAIN.is_file():
        return "convex-k8s"
    root = repository()
    return f"python3 {MAIN.relative_to(root) if HOME.is_relative_to(root) else MAIN.name}"


PROGRAM = _program()
"""How a user calls the program in this repository: what every printed command begins with."""
