"""The overlays beside those that a command line names: a copy of one of them may be there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from convexctl.located_yaml import Located
from convexctl.overlays.load import Overlay, layer, lineage, load_overlays
from convexctl.overlays.names import OverlayError, overlay_names

_PLACE = ("cluster", "namespace", "releaseName")
_DATA = ("instance", "postgres", "mysql", "s3")


def relatives(folder: Path, names: Mapping[str, str], loaded: Collection[Overlay]) -> list[Overlay]:
    """The overlays that may have been made from one of the named ones, or they from it.

    Such an overlay extends one of them, is extended by one, extends the same one, or is a copy, which writes the same
    place in a cluster and the same data. `names` are environments, each with the overlay that it is made from;
    `loaded` are those that were read. An overlay with faults is left out: its own synth reports them.
    """
    others = _others(folder, names)
    family = {ancestor for name in names.values() for ancestor in lineage(folder, name)} if others else set()
    sources = {overlay.name: overlay.source for overlay in loaded}
    written = [_written(sources.get(name) or layer(folder, name)) for name in names] if others else []
    found = []
    for name in others:
        try:
            if family & set(lineage(folder, name)) or (_written(layer(folder, name)) or None) in written:
                found += load_overlays(folder, [name])
        except OverlayError:
            continue
    return found


def _written(located: Located) -> dict[str, Any]:
    """What an overlay says of its place and its data; empty if it leaves one of them to the defaults."""
    values = located.value if isinstance(located.value, dict) else {}
    place, data = ({key: values[key].plain() for key in keys if key in values} for keys in (_PLACE, _DATA))
    return {**place, **data} if place and data else {}


def _others(folder: Path, names: Collection[str]) -> list[str]:
    try:
        return [name for name in overlay_names(folder) if name not in names]
    except OverlayError:
        return []
