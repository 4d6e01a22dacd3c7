"""The guard: synth stops at a change that cannot be undone, unless the overlay acknowledges it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convexctl import regular_files
from convexctl.behaviour.manifests import Manifest, Manifests, dig, mapping, sequence, text
from convexctl.errors import IRREVERSIBLE, UserError
from convexctl.overlays.names import overlay_file
from convexctl.project import PROGRAM
from convexctl.synth.environment import MANIFESTS, Environment

if TYPE_CHECKING:
    from convexctl.changes.irreversible.model import Change

_RESERVED = re.compile(r"(^|\.)example(\.(com|net|org))?$")
DOCUMENTATION = "docs/irreversible-changes.md"


@dataclass(frozen=True)
class _Stop:
    """An environment that must not be written, with its changes that nobody acknowledged."""

    environment: Environment
    overlay: Path
    changes: list[Change]


def check(environments: Sequence[Environment], root: Path, overlays: Path, *, live: bool = False) -> list[str]:
    """Compare environments with what was written into `root` before, or with `live` with the current cluster.

    Returns warnings. Raises `UserError` with exit code 3 if a change is irreversible and not acknowledged (with a
    message for each, of all environments), and with exit code 1 if it cannot be known.
    """
    if not live and all(_is_as_written(environment, root) for environment in environments):
        return []
    from convexctl.changes import previous
    from convexctl.changes.irreversible import state, unacknowledged
    from convexctl.changes.irreversible.model import side_of

    before = previous.in_cluster(environments) if live else previous.written(environments, root)
    warnings = [its.warning for its in before.values() if its.warning]
    stops: list[_Stop] = []
    for environment in environments:
        acknowledged = environment.acknowledge
        if not (acknowledged or environment.name in before):
            continue
        file = overlay_file(overlays, environment.overlay.file_name)
        after = side_of(environment.name, environment.manifests)
        if after is None:
            continue
        manifests = before[environment.name].manifests if environment.name in before else ()
        old = None if not live and _is_sample(manifests) else side_of(environment.name, manifests, after)
        stopped = unacknowledged(old, after, acknowledged) if old else []
        if stopped:
            stops.append(_Stop(environment, file, stopped))
        now = state(after)
        for id, value in acknowledged.items():
            if now.get(id) != value:
                # Left to stand, it would let that change pass one day.
                said = f"{value or '(none)'} is neither the current value nor a change: remove it"
                warnings.append(f"{file}: acknowledge.{id}: {said}")
    if stops:
        gone = [stop.environment.name for stop in stops if before[stop.environment.name].committed]
        message = _message(stops, [root / name for name in gone], live=live)
        raise UserError(message, IRREVERSIBLE, (stop.environment.name for stop in stops))
    return warnings


def _is_as_written(environment: Environment, root: Path) -> bool:
    """Whether there is nothing to compare: the manifests are there already, and the overlay acknowledges nothing."""
    try:
        written = regular_files.read_bytes(root / environment.name / MANIFESTS)
    except OSError:
        return False
    return written == environment.files[MANIFESTS].encode() and not environment.acknowledge


def _is_sample(manifests: Iterable[Manifest]) -> bool:
    """Whether the public hosts are names that RFC 2606 reserves: such an environment has never served anybody."""
    rules = [
        rule
        for manifest in Manifests(manifests).of_kind("Ingress")
        for rule in sequence(dig(manifest, "spec", "rules"))
    ]
    hosts = [text(mapping(rule).get("host")) for rule in rules]
    for route in Manifests(manifests).of_kind("HTTPRoute"):
        hosts += [text(host) for host in sequence(dig(route, "spec", "hostnames"))]
    return bool(hosts) and all(_RESERVED.search(host) for host in hosts)


def _message(stops: Sequence[_Stop], gone: Sequence[Path], *, live: bool) -> str:
    from convexctl.changes.irreversible import acknowledgement

    lines: list[str] = []
    for stop in stops:
        for change in stop.changes:
            lines += [*change.told(stop.environment.name, stop.environment.acknowledge), ""]
    count = sum(len(stop.changes) for stop in stops)
    lines.append(f"{count} irreversible change{'' if count == 1 else 's'}; nothing was written. See {DOCUMENTATION}")
    if gone:
        lines.append(f"Compared with the last commit; the files come back by: git restore {' '.join(map(str, gone))}")
    for stop in stops:
        acknowledged = stop.environment.acknowledge
        instead = " in the place of its acknowledge" if acknowledged else ""
        lines += [f"To go on all the same, put this into {stop.overlay}{instead}:", ""]
        lines += [acknowledgement(acknowledged, stop.changes)]
    once = f"{PROGRAM} synth --allow-irreversible"
    lines.append(f"Or say it once: {once}" + ("" if live else ", for instance if it was never applied"))
    return "\n".join(lines)
