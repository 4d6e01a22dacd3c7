"""The overlays beside those that a command line names: a copy of one of them may be there."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from convexctl.located_yaml import Located
from convexctl.overlays.load import Overlay, layer, lineage, load_overlays
from convexctl.overlays.names import OverlayError, overlay_names

_PLACE = ("cluster", "namespace", "releaseName")
_DATA = ("instance", "postgres", "mysql", "s3")


def relatives(folder: Path, names: Mapping[str, str], known: Mapping[str, str]) -> list[Overlay]:
    """The overlays that may have been made from one of the named ones, or they from it.

    Such an overlay extends one of them, is extended by one, extends the same one, or is a copy, which writes the same
    place in a cluster and the same data. `names` are environments, each with the overlay that it is made from;
    `known` is what those that were read write of their place and data. An overlay with faults is left out: its own
    synth reports them.
    """
    others = _others(folder, names)
    family = {ancestor for name in names.values() for ancestor in lineage(folder, name)} if others else set()
    texts = {known[name] if name in known else written(layer(folder, name)) for name in names} if others else set()
    texts.discard("")
    found = []
    for name in others:
        try:
            if family & set(lineage(folder, name)) or written(layer(folder, name)) in texts:
                found += load_overlays(folder, [name])
        except OverlayError:
            continue
    return found


def written(located: Located) -> str:
    """What an overlay writes of its place and its data; empty if it leaves one of them to the defaults."""
    values = located.value if isinstance(located.value, dict) else {}
    place, data = ({key: values[key].plain() for key in keys if key in values} for keys in (_PLACE, _DATA))
    return json.dumps({**place, **data}, sort_keys=True, default=str) if place and data else ""


def _others(folder: Path, names: Collection[str]) -> list[str]:
    try:
        return [name for name in overlay_names(folder) if name not in names]
    except OverlayError:
        return []
