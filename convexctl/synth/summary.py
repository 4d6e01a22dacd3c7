"""What a run keeps in mind of an overlay that it has read: little, because there may be thousands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from convexctl.overlays.load import Overlay, lineage
from convexctl.overlays.related import written
from convexctl.synth.shares import Shares, shares


class Summary(NamedTuple):
    """An overlay in short: its names, the warnings about it, and what comparing it with others takes."""

    name: str
    file_name: str
    """The name of the overlay's file, which `--name` does not change."""
    warnings: Sequence[str]
    shares: Shares
    lineage: Sequence[str]
    """The overlay and those that it extends."""
    written: str
    """What it writes of its place and its data."""


def summary(folder: Path, overlay: Overlay) -> Summary:
    """The overlay, read from `folder`, in short."""
    told = written(overlay.source) if overlay.source else ""
    chain = lineage(folder, overlay.file_name)
    return Summary(overlay.name, overlay.file_name, overlay.warnings, shares(overlay.values), chain, told)
