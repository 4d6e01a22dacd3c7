"""The report of an adoption, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from convexctl.adopt.effects import Effects, advice
from convexctl.adopt.live import Preview
from convexctl.adopt.overlay import Derived
from convexctl.adopt.steps import Adoption, Step
from convexctl.changes import diff
from convexctl.changes.irreversible import acknowledgement
from convexctl.synth.environment import Environment

_WIDTH = 110


def taken_over(derived: Derived) -> str:
    """What was read off the release, and what has no place in an overlay."""
    lines = [f"{key}: {why}" for key, why in derived.notes.items()]
    lost = [*derived.unknown, *derived.lost]
    return "\n".join(
        [*_list("Taken from what the release runs", lines), *(["", *_list("Not taken over", lost)] if lost else [])]
    )


def effects_text(effects: Effects, environment: Environment) -> str:
    """Faults of the release, what will be otherwise, and what stays beside."""
    parts = []
    if effects.faults:
        faults = [
            f"{finding.severity} {finding.rule.id}: {finding.message} ({finding.source})"
            + ("; gone afterwards" if finding.rule.id in effects.cured else "; as before afterwards")
            for finding in effects.faults
        ]
        parts.append(_list("What is wrong with the release today (docs/audit.md explains each)", faults))
    if effects.changes:
        parts.append(["What the pods will do differently", *_changes(effects, environment)])
    if effects.leftovers:
        parts.append(_list("Objects that stay and are not part of the environment", effects.leftovers))
    return "\n\n".join("\n".join(part) for part in parts)


def _changes(effects: Effects, environment: Environment) -> Iterator[str]:
    told = [(change, advice(change, environment, effects.missing)) for change in effects.changes]
    for change, hint in sorted(told, key=lambda entry: not entry[1]):
        before = change.before.sentence if change.before else "-"
        after = change.after.sentence if change.after else "-"
        yield from _entry(f"{change.component.TITLE}, {change.title}: {before} -> {after}")
        yield from textwrap.wrap(hint, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def stops_text(effects: Effects, environment: Environment, overlay: str) -> str:
    """What cannot be undone: what would happen, the right way, and how to go on all the same."""
    acknowledged = environment.overlay.values.acknowledge
    lines = []
    for change in effects.stops:
        for line in change.told(environment.name, acknowledged):
            lines += (
                [line]
                if line.startswith("    ")
                else textwrap.wrap(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
            )
        lines.append("")
    instead = " in the place of its acknowledge" if acknowledged else ""
    lines.append(f"Nothing was written to dist/ or changed. To go on all the same, put this into {overlay}{instead}:")
    return "\n".join([*lines, "", acknowledgement(acknowledged, effects.stops)])


def preview_text(preview: Preview, place: str, *, colour: bool) -> str:
    """What would change in the cluster."""
    found = diff.Difference(f"In the cluster ({place})", "changed", objects=tuple(preview.changes))
    return diff.rendered([found], "text", colour=colour)


def commands_text(adoption: Adoption, steps: Iterable[Step]) -> str:
    """The commands of some steps, for a shell."""
    lines = []
    for step in steps:
        if step.commands:
            commands = [step.by_hand] if step.by_hand else [one.text(adoption.kubectl) for one in step.commands]
            lines += [f"# {step.title}", *commands]
    return "\n".join(lines)


def _list(title: str, entries: Iterable[str]) -> list[str]:
    return [title, *(line for entry in entries for line in _entry(entry))]


def _entry(entry: str) -> list[str]:
    return textwrap.wrap(entry, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
