"""Compares the keys of `shares.py` between environments, and decides what is an error and what a warning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convexctl.overlays.load import attributed
from convexctl.overlays.names import OverlayError, overlay_file
from convexctl.overlays.related import relatives
from convexctl.synth.shares import IDENTITY, KINDS, Shares, shares
from convexctl.synth.summary import Summary
from convexctl.wording import listed


@dataclass(frozen=True)
class Collision:
    """What several environments have in common. `names` are their overlays; only a fatal one is an error."""

    names: tuple[str, ...]
    message: str
    fatal: bool = True


def check_collisions(folder: Path, overlays: Sequence[Summary], others: Mapping[str, Shares]) -> dict[str, list[str]]:
    """Compare the overlays with each other, with `others` and with the copies and relatives of any of them.

    Returns warnings about what they share, by the name of the overlay. Raises `OverlayError` if two environments
    must not share it.
    """
    known = {**{overlay.name: overlay.shares for overlay in overlays}, **others}
    sources = {name: name for name in known} | {overlay.name: overlay.file_name for overlay in overlays}
    told = {overlay.name: overlay.written for overlay in overlays}
    beside = {other.name: shares(other.values) for other in relatives(folder, sources, told)}
    everything = {**known, **beside}
    found = [each for each in collisions(everything.items()) if known.keys() & set(each.names)]
    given = {overlay.name: f"--name {overlay.name}" for overlay in overlays if overlay.name != overlay.file_name}
    if fatal := [each for each in found if each.fatal]:
        about = {name for each in fatal for name in each.names}
        warned = attributed(folder, {overlay.file_name: overlay.warnings for overlay in overlays})
        raise OverlayError([_told(folder, each, given) for each in fatal], warned, about)
    warnings: dict[str, list[str]] = {}
    for each in found:
        for name in each.names:
            if name in known:
                warnings.setdefault(name, []).append(_told(folder, each, given))
    return warnings


def _told(folder: Path, collision: Collision, given: Mapping[str, str]) -> str:
    files = [given.get(name) or str(overlay_file(folder, name)) for name in sorted(collision.names)]
    said = collision.message
    if len(files) > 2:
        for of_two, of_several in _OF_SEVERAL:
            said = re.sub(rf"\b{of_two}\b", of_several, said)
    return f"{listed(files, 'and')}: {said}"


_OF_SEVERAL = (
    ("both", "all of them"),
    ("two backends", "several backends"),
    ("the other", "the others"),
    ("either", "any of them"),
    ("one of them", "all but one"),
)
"""Words about two environments, and those about more."""


def collisions(environments: Iterable[tuple[str, Shares]]) -> list[Collision]:
    """Everything that two of the environments must not share, grouped, so that the time is linear."""
    everything = list(environments)
    found, one = [], set[frozenset[str]]()
    for kind in KINDS:
        for names, what in _shared(everything, kind.name):
            # Environments that are one share everything: that is said once.
            if any(set(names) <= same for same in one):
                continue
            if kind is IDENTITY:
                one.add(frozenset(names))
            found.append(Collision(names, f"{what} {kind.consequence}: {kind.cure}"))
    in_one_cluster = set(_shared(everything, "host in cluster"))
    for names, what in sorted(in_one_cluster):
        if not any(set(names) <= same for same in one):
            text = f"{what} is a public host of both, and the edge would send requests to either: {_OTHER_HOST}"
            found.append(Collision(names, text))
    for names, what in _shared(everything, "host"):
        if (names, what) not in in_one_cluster and not any(set(names) <= same for same in one):
            text = f"{what} is a public host of both, in different clusters: {_OTHER_HOST}"
            found.append(Collision(names, text, fatal=False))
    return found


_OTHER_HOST = "give each its own, unless one takes the place of the other"


def _shared(environments: Sequence[tuple[str, Shares]], kind: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The things of a kind that more than one environment has: the environments' names, and the words for it."""
    groups: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for name, its in environments:
        for key, what in its.get(kind, ()):
            groups.setdefault(key, []).append(name)
            words[key] = what
    return ((tuple(names), words[key]) for key, names in groups.items() if len(names) > 1)
