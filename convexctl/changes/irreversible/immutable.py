"""Fields that Kubernetes lets nobody change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from convexctl.behaviour.compare import plain
from convexctl.behaviour.manifests import dig, mapping, source_of
from convexctl.changes.irreversible.model import Explanation, Side, moved, rule
from convexctl.wording import listed

IMMUTABLE: dict[str, dict[str, Any]] = {
    "StatefulSet": {"selector": {}, "serviceName": "", "podManagementPolicy": "OrderedReady"},
    "Deployment": {"selector": {}},
    "Job": {"template": {}},
}
"""Fields of a spec that the API server lets nobody change, with their defaults; claim templates come on top."""


_DIGITS = 8


def _immutable(side: Side) -> dict[str, Any]:
    """The immutable fields of all objects, each with its value."""
    found: dict[str, Any] = {}
    for manifest in side.manifests.of_kind(*IMMUTABLE):
        place = source_of(manifest)
        for name, default in IMMUTABLE[place.kind].items():
            found[f"{place.kind}/{place.name} {name}"] = dig(manifest, "spec", name) or default
    for name, template in side.templates().items():
        found[f"{side.backend.kind}/{side.backend.name} volumeClaimTemplates[{name}]"] = _rest(template)
    return found


def _rest(template: Mapping[str, Any]) -> dict[str, Any]:
    """What of a claim template has no rule of its own."""
    ruled = {"accessModes", "storageClassName", "resources"}
    spec = {key: value for key, value in mapping(template.get("spec")).items() if key not in ruled}
    labels = mapping(dig(template, "metadata", "labels"))
    return {"labels": dict(labels), **{"volumeMode": "Filesystem", **spec}}


def _digest(side: Side) -> str:
    """All immutable fields in a few letters: they are too long to be written down."""
    return sha256(json.dumps(plain(_immutable(side)), sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


def _changed_fields(before: Side, after: Side) -> list[str]:
    if moved(before, after):
        return []
    old, new = _immutable(before), _immutable(after)
    return [name for name in new if name in old and old[name] != new[name]]


@rule("immutable-field", _digest, lambda before, after: bool(_changed_fields(before, after)))
def immutable_field(before: Side, after: Side) -> Explanation:
    """A field changes that the API server lets nobody change."""
    fields = _changed_fields(before, after)
    happens = f"Kubernetes lets nobody change {listed(fields, 'and')}: apply would fail"
    cure = "keep them, or delete the objects and let them be made anew: the pods start again, claims stay"
    objects = dict.fromkeys(field.partition(" ")[0] for field in fields)
    delete = (f"{after.kubectl} delete {name.lower()}" for name in objects)
    return Explanation(
        happens, cure, ("# acknowledge and synth, then:", *delete, f"kubectl apply -f dist/{after.overlay}/")
    )
