"""Fields that Kubernetes allows no change of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from convexctl.behaviour.compare import plain
from convexctl.behaviour.manifests import dig, mapping, source_of
from convexctl.changes.irreversible.immutable_fields import KINDS, Fields, without_ruled
from convexctl.changes.irreversible.model import Explanation, Side, rule
from convexctl.wording import listed

_DIGITS = 8
_TEMPLATES = "volumeClaimTemplates"


class _Place(NamedTuple):
    """What identifies an object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def _immutable(side: Side) -> dict[_Place, Fields]:
    """The immutable fields of all objects."""
    found: dict[_Place, Fields] = {}
    claim = side.backend.claim.value if side.backend.claim else ""
    for manifest in side.manifests.of_kind(*KINDS):
        place = _Place(*_identity(manifest))
        fields = KINDS[place.kind].fields(manifest)
        own = place.kind == "PersistentVolumeClaim" and place.name == claim
        found[place] = without_ruled(fields) if own else fields
    templates = {f"{_TEMPLATES}[{name}]": _rest(template) for name, template in side.templates().items()}
    backend = side.backend
    owner = _Place(backend.kind, backend.namespace, backend.name)
    if owner in found:
        found[owner] = {**found[owner], **templates}
    return found


def _identity(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    place = source_of(manifest)
    return place.kind, place.namespace, place.name


def _rest(template: Mapping[str, Any]) -> dict[str, Any]:
    """What of a claim template has no rule of its own."""
    labels = mapping(dig(template, "metadata", "labels"))
    return {"labels": dict(labels), "volumeMode": "Filesystem", **without_ruled(dict(mapping(template.get("spec"))))}


def _digest(side: Side) -> str:
    """All immutable fields in a few letters: they are too long to be written down."""
    fields = {"/".join(place): fields for place, fields in _immutable(side).items()}
    return sha256(json.dumps(plain(fields), sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


def _changed_fields(before: Side, after: Side) -> dict[_Place, list[str]]:
    """The fields of each object that would be refused."""
    old, new = _immutable(before), _immutable(after)
    differing = {place: KINDS[place.kind].differ(old[place], new[place]) for place in new if place in old}
    return {place: names for place, names in differing.items() if names}


@rule("immutable-field", _digest, lambda before, after: bool(_changed_fields(before, after)))
def immutable_field(before: Side, after: Side) -> Explanation:
    """A field changes that the API server does not allow to change."""
    changed = _changed_fields(before, after)
    fields = [f"{place} {name}" for place, names in changed.items() for name in names]
    happens = f"Kubernetes allows no change of {listed(fields, 'and')}: apply would fail"
    kept = [place for place in changed if not KINDS[place.kind].anew]
    anew: dict[_Place, str] = {place: KINDS[place.kind].anew for place in changed if place not in kept}
    cures = []
    if kept:
        names = listed([str(place) for place in kept], "and")
        cures.append(
            f"keep {names} as before, because deleting it deletes data. Make a new one under a new name instead"
        )
    if anew:
        told = listed(list(dict.fromkeys(anew.values())), "and")
        cures.append(f"keep them, or delete the objects and apply again: {told}")
    delete = [f"{after.kubectl} delete {place.kind.lower()}/{place.name}" for place in anew]
    commands = ("# acknowledge and synth, then:", *delete, f"kubectl apply -f dist/{after.overlay}/") if delete else ()
    return Explanation(happens, ". ".join(cures), commands)
