"""Kubernetes' quantities as numbers."""

from __future__ import annotations

import re

_UNITS = {
    "": 1.0,
    "m": 1e-3,
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(text: str) -> int | None:
    """A quantity in whole units (bytes, for memory and storage), or None where the text is none."""
    match = re.fullmatch(r"(?P<number>[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)(?P<unit>[A-Za-z]{0,2})", text.strip())
    if match is None or match["unit"] not in _UNITS:
        return None
    return int(float(match["number"]) * _UNITS[match["unit"]])
