"""The volume claim: its name, template, size, class and access mode."""

from __future__ import annotations

import json

from convexctl.behaviour.compare import plain
from convexctl.behaviour.manifests import sequence, text
from convexctl.behaviour.quantities import quantity
from convexctl.changes.irreversible.model import (
    NO_CLAIM,
    SYNTH_AND_APPLY,
    Explanation,
    Side,
    export_and_import,
    moved,
    recreate,
    rule,
    value,
)
from convexctl.changes.irreversible.names import renamed
from convexctl.wording import listed


def _claim(side: Side) -> str:
    return text(side.backend.claim.value) if side.backend.claim else NO_CLAIM


def _claim_counts(before: Side, after: Side) -> bool:
    if before.backend.claim is None:
        return _template_added(before, after) or bool(before.on_volume())
    # A template's claim is named after its StatefulSet: then the new name of that is the change.
    return not (renamed(before, after) and before.from_template and after.from_template)


def _template_added(before: Side, after: Side) -> bool:
    return after.from_template and not moved(before, after)


@rule("claim", _claim, _claim_counts)
def volume_claim(before: Side, after: Side) -> Explanation:
    """Another volume claim is mounted."""
    old, new = before.backend.claim, after.backend.claim
    lost = before.on_volume()
    what = listed(lost, "and")
    in_place = (before.from_template or after.from_template) and not moved(before, after)
    refused = " Kubernetes does not allow adding or removing a claim template: apply would fail" if in_place else ""
    again = recreate(after) if in_place else ()
    if old is None:
        happens = f"the new claim does not get what is at /convex/data now: {what}." if lost else ""
        redone = "recreate the StatefulSet" if in_place else "apply"
        cure = f"export, {redone}, import" if lost else f"{redone}: nothing of value is on the old volume"
        commands = export_and_import(*(again or (SYNTH_AND_APPLY,))) if lost else again
        return Explanation((happens + refused).strip(), cure, commands)
    if new is None:
        happens = f"nothing mounts the claim {old.value} any more, and /convex/data is lost with every pod."
        happens += f" Left behind on the claim: {what}." if lost else " Nothing that is needed is on it."
        cure = "keep backend.persistence.enabled: true"
        cure += ". What is on it moves by export and import only" if lost else ""
        return Explanation(happens + refused, cure, again)
    happens = f"the backend would start with what is on {new.value}; everything on {old.value} stays there"
    happens += f": {what}." if lost else "."
    if after.from_template:
        cure = (
            f"the new claim is made empty. Keep the old volume with backend.persistence.existingClaim: {old.value}, or "
            "copy its content with the backend stopped"
        )
    else:
        cure = "stop the backend, copy the content of the volume, then acknowledge, synth and apply"
    stop = (f"{before.kubectl} scale {before.workload} --replicas=0",)
    return Explanation(happens + refused, cure, (*stop, *again))


def _template_names(side: Side) -> str:
    return ", ".join(sorted(side.templates())) or NO_CLAIM


def _in_place(before: Side, after: Side) -> bool:
    """Whether the same StatefulSet mounts the same claim."""
    return not moved(before, after) and _claim(before) == _claim(after)


@rule("claim-template", _template_names, _in_place)
def claim_template(before: Side, after: Side) -> Explanation:
    """A claim template is added, removed or renamed."""
    happens = "Kubernetes does not allow adding or removing a claim template of a StatefulSet: apply would fail"
    cure = "recreate the StatefulSet; its claims stay"
    return Explanation(happens, cure, recreate(after))


def _size_counts(before: Side, after: Side) -> bool:
    old, new = (quantity(value("claim_size")(side) or "") for side in (before, after))
    return _in_place(before, after) and old != new and (_from_templates(before, after) or _shrinks(before, after))


def _from_templates(before: Side, after: Side) -> bool:
    return before.from_template and after.from_template


def _shrinks(before: Side, after: Side) -> bool:
    old, new = (quantity(value("claim_size")(side) or "") or 0 for side in (before, after))
    return new < old


@rule("claim-size", value("claim_size"), _size_counts)
def claim_size(before: Side, after: Side) -> Explanation:
    """The claim gets another size."""
    claim, size = _claim(after), value("claim_size")(after)
    if _shrinks(before, after):
        happens = f"Kubernetes does not shrink a claim: {claim} keeps its size, and apply would fail"
        cure = "keep the size. A smaller volume is a new claim: copy the content, and name it in existingClaim"
        return Explanation(happens, cure)
    happens = "Kubernetes allows no change of the size in a claim template: apply would fail, and the claim stays small"
    cure = "grow the claim itself (its StorageClass must allow that), and recreate the StatefulSet"
    wanted = json.dumps({"spec": {"resources": {"requests": {"storage": size}}}})
    grow = f"{after.kubectl} patch pvc {claim} --type=merge --patch='{wanted}'"
    return Explanation(happens, cure, (grow, *recreate(after, keep_pod=True)))


def _class(side: Side) -> str | None:
    decision = side.backend.claim_class
    if decision is None:
        return None
    return "default" if decision.value is None else text(decision.value) or "none"


@rule("claim-class", _class, _in_place)
def claim_class(before: Side, after: Side) -> Explanation:
    """The claim gets another StorageClass."""
    claim = _claim(after)
    happens = f"the class of an existing claim cannot be changed: {claim} keeps its own, and apply would fail"
    cure = (
        "keep the class. A volume of another class is a new claim: make one, copy the content with the backend "
        "stopped, and name it in backend.persistence.existingClaim. For a new name of the same class, recreate "
        "the StatefulSet"
    )
    return Explanation(happens, cure, recreate(after, keep_pod=True))


def _access_mode(side: Side) -> str | None:
    decision = side.backend.access_modes
    return None if decision is None else ", ".join(map(text, sequence(plain(decision.value))))


@rule("access-mode", _access_mode, _in_place)
def access_mode(before: Side, after: Side) -> Explanation:
    """The claim gets other access modes."""
    claim = _claim(after)
    happens = f"the access mode of an existing claim cannot be changed: {claim} keeps its own, and apply would fail"
    cure = "keep the mode, or recreate the StatefulSet: then the mode holds for claims that are made later"
    return Explanation(happens, cure, recreate(after, keep_pod=True))
