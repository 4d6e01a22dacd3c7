"""Backups: how many of them are kept."""

from __future__ import annotations

from convexctl.behaviour.manifests import dig, items, text
from convexctl.changes.irreversible.model import Explanation, Side, rule
from convexctl.project import PROGRAM

_UNITS = {"KEEP_COUNT": "backups", "KEEP_DAYS": "days"}


def _kept(side: Side) -> str | None:
    """What the CronJob of the backups keeps: `14 backups`, or `30 days`."""
    for job in side.manifests.of_kind("CronJob"):
        pod = dig(job, "spec", "jobTemplate", "spec", "template", "spec")
        for _, container in (*items(dig(pod, "initContainers")), *items(dig(pod, "containers"))):
            for _, variable in items(container.get("env")):
                if unit := _UNITS.get(text(variable.get("name"))):
                    return f"{text(variable.get('value'))} {unit}"
    return None


def _fewer(before: Side, after: Side) -> bool:
    """Whether backups may go: fewer are kept, or they are counted otherwise."""
    old, new = (_kept(side) or "" for side in (before, after))
    (number, _, unit), (other, _, its) = old.partition(" "), new.partition(" ")
    comparable = unit == its and number.isdecimal() and other.isdecimal()
    return not comparable or int(other) < int(number)


@rule("backup-keep", _kept, _fewer)
def backup_keep(before: Side, after: Side) -> Explanation:
    """Fewer backups are kept."""
    happens = "the next backup deletes the older ones for good, from the same bucket or claim"
    cure = "copy what you may still need to another place first, then acknowledge, synth and apply"
    return Explanation(happens, cure, (f"{PROGRAM} backup {before.overlay}   # which backups there are",))
