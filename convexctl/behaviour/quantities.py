"""Kubernetes' quantities and Rust's integers as numbers."""

from __future__ import annotations

import math
import re

_UNITS = {
    "": 1.0,
    "m": 1e-3,
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}


def integer(text: str, least: int | None = None) -> int | None:
    """A whole number as Rust parses one of 64 bits, or None if it does not, or where it is under `least`.

    Without a `least` of 0 or more the number has a sign bit.
    """
    match = re.fullmatch(r"(?P<sign>[+-]?)0*(?P<digits>[0-9]{1,20})", text)
    if match is None or (match["sign"] == "-" and least is not None and least >= 0):
        return None
    value = int(match["sign"] + match["digits"])
    signed = least is None or least < 0
    bounds = (-(2**63), 2**63 - 1) if signed else (least or 0, 2**64 - 1)
    return value if bounds[0] <= value <= bounds[1] else None


def quantity(text: str) -> int | None:
    """A quantity in whole units (bytes, for memory and storage), or None if it is none or beyond all sizes."""
    match = re.fullmatch(r"(?P<number>[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)(?P<unit>[A-Za-z]{0,2})", text.strip())
    if match is None or match["unit"] not in _UNITS:
        return None
    value = float(match["number"]) * _UNITS[match["unit"]]
    return int(value) if math.isfinite(value) else None
