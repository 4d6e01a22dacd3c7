"""The cluster before a change: the objects as they are, and as they would be, by the API server's own word."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convexctl.behaviour.manifests import dig, mapping, text
from convexctl.changes.compare_objects import LAST_APPLIED, ObjectChange, compare, identity, without_bookkeeping
from convexctl.tools.kubectl import Kubectl, KubectlError

Object = dict[str, Any]

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
}
"""Lists that kubectl merges by a key; the ports of a container by `containerPort`, those of a Service by `port`."""


@dataclass(frozen=True)
class Preview:
    """What `kubectl apply` would do, once the fields of the recorded manifests are handed over to it."""

    before: list[Object]
    after: list[Object]
    to_hand_over: frozenset[str]
    """The objects of which something recorded would stay, because kubectl does not know that it was set."""

    @property
    def changes(self) -> list[ObjectChange]:
        """What would change, object by object and field by field."""
        return compare(self.before, self.after)


def preview(kubectl: Kubectl, ours: Iterable[Mapping[str, Any]], recorded: Iterable[Mapping[str, Any]]) -> Preview:
    """Ask the API server what would become of our objects, without changing anything.

    `recorded` are the manifests that the objects were made from before. Raises `KubectlError` if the server would
    refuse an object.
    """
    manifests = list(ours)
    there = in_cluster(kubectl, manifests)
    known = [manifest for manifest in manifests if identity(manifest) in there]
    new = [manifest for manifest in manifests if identity(manifest) not in there]
    made = _tried(kubectl, new, "create")
    replaced = _tried(kubectl, known, "replace")
    records = {identity(manifest): manifest for manifest in recorded}
    after, unknown = [], set()
    for thing in replaced:
        name = identity(thing)
        # What kubectl applies has annotations always, if only its own: a map that is not there would go as a whole.
        thing["metadata"].setdefault("annotations", {})
        current, last = there[name], last_applied(there[name])
        result = _applied(current, thing, last)
        if name in records and (last is None or _applied(result, thing, records[name]) != result):
            unknown.add(name)
            result = _applied(current, thing, records[name])
        after.append(result)
    return Preview(
        [without_bookkeeping(thing) for thing in there.values()],
        [*map(without_bookkeeping, [*after, *made])],
        frozenset(unknown),
    )


def in_cluster(kubectl: Kubectl, manifests: Iterable[Mapping[str, Any]]) -> dict[str, Object]:
    """The objects of these names that are there, by identity."""
    wanted = list(manifests)
    found = kubectl.objects("get", "--ignore-not-found", manifests=wanted) if wanted else []
    return {identity(thing): thing for thing in found}


def last_applied(thing: Mapping[str, Any]) -> Object | None:
    """What kubectl noted as applied last; None if it never applied the object.

    Raises `KubectlError` if somebody changed the note into something else: kubectl could not apply either.
    """
    note = text(mapping(dig(thing, "metadata", "annotations")).get(LAST_APPLIED))
    if not note:
        return None
    try:
        found = json.loads(note)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        name = dig(thing, "metadata", "name")
        raise KubectlError(f"{thing.get('kind')}/{name}: its annotation {LAST_APPLIED} is not a JSON object")
    return found


def _tried(kubectl: Kubectl, manifests: list[Mapping[str, Any]], verb: str) -> list[Object]:
    return kubectl.objects(verb, "--dry-run=server", manifests=manifests) if manifests else []


def _applied(current: Any, wanted: Any, recorded: Any, name: str = "") -> Any:
    """What apply makes of `current`: `wanted`, and everything further that is there and was never recorded."""
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        record = mapping(recorded)
        kept = {key: item for key, item in current.items() if key not in wanted and key not in record}
        return kept | {
            key: _applied(current[key], item, record.get(key), key) if key in current else item
            for key, item in wanted.items()
        }
    key = _merge_key(name, wanted) or _merge_key(name, current)
    if key and isinstance(current, list) and isinstance(wanted, list):
        record = {item[key]: item for item in recorded or [] if key in item} if isinstance(recorded, list) else {}
        old = {item[key]: item for item in current}
        new = {item[key] for item in wanted}
        merged = [_applied(old.get(item[key]), item, record.get(item[key])) for item in wanted]
        return [*merged, *(item for at, item in old.items() if at not in new and at not in record)]
    return wanted


def _merge_key(name: str, value: Any) -> str:
    if not (isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)):
        return ""
    keys = ("containerPort", "port") if name == "ports" else (_MERGE_KEYS.get(name, ""),)
    return next((key for key in keys if key and all(key in item for item in value)), "")
