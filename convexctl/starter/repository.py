"""Writes the files of a new repository: overlays, pins, hooks and CI."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from convexctl import __version__
from convexctl.overlays.schema import FILE, schema_text
from convexctl.project import FROM_SOURCE, HOME, MAIN

_FILES = Path(__file__).parent / "files"
_PLACES = {
    "README.md": "README.md",
    "cdk8s.yaml": "cdk8s.yaml",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
    "pre-commit-config.yaml": ".pre-commit-config.yaml",
    "github.yaml": ".github/workflows/manifests.yaml",
    "gitlab.yaml": ".gitlab-ci.yml",
}
"""File of this folder -> its place in the repository."""
_OVERLAYS = ("local.yaml", "production.yaml")
_INSTALLED = "convex-k8s"


def source_folder(repository: Path) -> str:
    """The folder of the program, as seen from a repository that has it in it, else its absolute path.

    Empty if the program is an installed package. A link in the repository counts by its own path.
    """
    if not MAIN.is_file():
        return ""
    root = Path(os.path.abspath(repository))  # noqa: PTH100 resolving would lose the link
    called = Path(os.path.abspath(sys.argv[0])).parent  # noqa: PTH100
    places = [called, HOME] if called.resolve() == HOME else [HOME]
    inside = (
        place.relative_to(base) for base in (root, root.resolve()) for place in places if place.is_relative_to(base)
    )
    return str(next(inside, HOME))


def program_in(repository: Path) -> str:
    """How the program is called in a repository."""
    source = source_folder(repository)
    return f"python3 {Path(source, MAIN.name)}" if source else _INSTALLED


def starter_files(repository: Path) -> Iterator[tuple[str, str]]:
    """The place and content of each file."""
    program, source = program_in(repository), source_folder(repository)
    for name in _OVERLAYS:
        packed = _FILES / "overlays" / name
        overlay = packed if packed.is_file() else HOME / "overlays" / name
        yield f"overlays/{name}", overlay.read_text(encoding="utf-8").replace(FROM_SOURCE, program)
    yield f"overlays/{FILE}", schema_text()
    for name, place in _PLACES.items():
        variant = _FILES / f"from_source/{name}"
        file = variant if source and variant.is_file() else _FILES / name
        text = file.read_text(encoding="utf-8").replace("{version}", __version__)
        yield place, text.replace("{program}", program).replace("{source}", source)


def write_missing(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each file that does not exist yet; yields its path, and whether it was written. Overwrites nothing."""
    for place, text in starter_files(folder):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            yield path, False
        else:
            yield path, True
