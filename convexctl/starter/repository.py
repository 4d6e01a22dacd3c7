"""Writes the files of a new repository: overlays, pins, hooks and CI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from convexctl import __version__
from convexctl.overlays.schema import FILE, schema_text
from convexctl.project import FROM_SOURCE, HOME

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


def starter_files() -> Iterator[tuple[str, str]]:
    """The place and content of each file."""
    for name in _OVERLAYS:
        packed = _FILES / "overlays" / name
        overlay = packed if packed.is_file() else HOME / "overlays" / name
        yield f"overlays/{name}", overlay.read_text(encoding="utf-8").replace(FROM_SOURCE, "convex-k8s")
    yield f"overlays/{FILE}", schema_text()
    for name, place in _PLACES.items():
        yield place, (_FILES / name).read_text(encoding="utf-8").replace("{version}", __version__)


def write_missing(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each file that does not exist yet; yields its path, and whether it was written. Overwrites nothing."""
    for place, text in starter_files():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            yield path, False
        else:
            yield path, True
