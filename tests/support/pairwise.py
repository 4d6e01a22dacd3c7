"""Few combinations of options that hold every pair of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations


def covering(options: Mapping[str, Collection[str]]) -> list[dict[str, str]]:
    """Combinations in which every two settings of two options meet; always the same."""
    choices = [(option, setting) for option, settings in options.items() for setting in settings]
    missing = {frozenset(pair): None for pair in combinations(choices, 2) if pair[0][0] != pair[1][0]}
    rows: list[dict[str, str]] = []
    while missing:
        row = dict(sorted(next(iter(missing))))
        for option, settings in options.items():
            if option not in row:
                row[option] = max(settings, key=lambda its: sum(_pair(option, its, *e) in missing for e in row.items()))
        for pair in combinations(row.items(), 2):
            missing.pop(frozenset(pair), None)
        rows.append(row)
    return rows


def _pair(option: str, setting: str, other: str, its: str) -> frozenset[tuple[str, str]]:
    return frozenset({(option, setting), (other, its)})
