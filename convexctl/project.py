"""Where the project's folders are."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with main.py."""


def folder(name: str) -> Path:
    """A folder of the project, as seen from the working directory where it lies below that."""
    path = ROOT / name
    try:
        return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
    except FileNotFoundError:  # the working directory is gone
        return path


def output_folder(given: Path | None) -> Path:
    """Where manifests go: as the command line says, else as cdk8s-cli says (`CDK8S_OUTDIR`), else `dist`."""
    return given or Path(os.environ.get("CDK8S_OUTDIR") or folder("dist"))
