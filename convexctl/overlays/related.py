"""The overlays that are related to others by `extends`: a copy of a value is most likely there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from convexctl.overlays.load import Overlay, lineage, load_overlays
from convexctl.overlays.names import OverlayError, overlay_names


def relatives(folder: Path, names: Mapping[str, str]) -> list[Overlay]:
    """The overlays that extend one of the named ones, are extended by one, or extend the same one.

    `names` are environments, each with the overlay that it is made from. An overlay with faults is left out: its own
    synth reports them.
    """
    others = _others(folder, names)
    family = {ancestor for name in names.values() for ancestor in lineage(folder, name)} if others else set()
    found = []
    for name in others:
        if family & set(lineage(folder, name)):
            try:
                found += load_overlays(folder, [name])
            except OverlayError:
                continue
    return found


def _others(folder: Path, names: Collection[str]) -> list[str]:
    try:
        return [name for name in overlay_names(folder) if name not in names]
    except OverlayError:
        return []
