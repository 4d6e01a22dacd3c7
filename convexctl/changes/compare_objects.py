"""What changes between two sets of manifests: object by object and field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["added", "removed", "changed"]
ABSENT = object()
"""Marks a value that is absent. `None` cannot, because manifests may hold null."""

_IDENTIFIERS = ("name", "mountPath", "containerPort", "port", "host", "path", "secretName", "key", "topologyKey")
"""The fields by which people, and Kubernetes itself, tell the elements of a list apart; the first that fits is used."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_TEMPLATE_TYPE = (("apiVersion", "v1"), ("kind", "PersistentVolumeClaim"))


@dataclass(frozen=True)
class FieldChange:
    """A field that differs. `path` names elements of lists by their name, `before` and `after` may be `ABSENT`."""

    path: str
    before: Any
    after: Any

    @property
    def kind(self) -> Kind:
        """Whether the field comes, goes or changes."""
        if self.before is ABSENT:
            return "added"
        return "removed" if self.after is ABSENT else "changed"


@dataclass(frozen=True)
class ObjectChange:
    """An object that comes, goes or changes, with the fields that differ (none if it comes or goes)."""

    identity: str
    kind: Kind
    fields: tuple[FieldChange, ...] = ()


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[ObjectChange]:
    """Every object that differs, in the order of `after`, those that go at the end."""
    old = {identity(manifest): _without_template_types(manifest) for manifest in before}
    new = {identity(manifest): _without_template_types(manifest) for manifest in after}
    changes = []
    for name, manifest in new.items():
        if name not in old:
            changes.append(ObjectChange(name, "added"))
        elif fields := tuple(_fields(old[name], manifest, "")):
            changes.append(ObjectChange(name, "changed", fields))
    return [*changes, *(ObjectChange(name, "removed") for name in old if name not in new)]


def identity(manifest: Mapping[str, Any]) -> str:
    """How an object is called: `StatefulSet/convex-backend`, with the namespace behind it where it names one."""
    metadata = manifest.get("metadata") or {}
    namespace = f" ({metadata['namespace']})" if metadata.get("namespace") else ""
    return f"{manifest.get('kind')}/{metadata.get('name')}{namespace}"


def without_bookkeeping(thing: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a cluster without what the API server and kubectl write into it for themselves."""
    given = thing.get("metadata")
    metadata = {key: item for key, item in (given or {}).items() if key not in _SERVERS_OWN}
    annotations = {key: item for key, item in (metadata.pop("annotations", None) or {}).items() if key != LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    return {key: item for key, item in thing.items() if key != "status"} | {"metadata": metadata}


def _without_template_types(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest without the types of its claim templates: the API server fills them in, so they change nothing."""
    spec = manifest.get("spec")
    templates = spec.get("volumeClaimTemplates") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(templates, list):
        return manifest
    kept = [
        {key: value for key, value in template.items() if (key, value) not in _TEMPLATE_TYPE}
        if isinstance(template, Mapping)
        else template
        for template in templates
    ]
    return {**manifest, "spec": {**spec, "volumeClaimTemplates": kept}}


def _fields(before: Any, after: Any, path: str) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            step = f'["{key}"]' if "." in key or "/" in key else f".{key}" if path else key
            yield from _fields(before.get(key, ABSENT), after.get(key, ABSENT), path + step)
    elif isinstance(before, list) and isinstance(after, list) and (field := _identifier(before, after)):
        old = {item[field]: item for item in before}
        new = {item[field]: item for item in after}
        for name in dict.fromkeys([*old, *new]):
            yield from _fields(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}[{name}]")
        kept = [name for name in old if name in new]
        if kept != [name for name in new if name in old]:
            yield FieldChange(f"{path} (order)", kept, [name for name in new if name in old])
    elif before is ABSENT or after is ABSENT or before != after or type(before) is not type(after):
        yield FieldChange(path, before, after)


def _identifier(before: list[Any], after: list[Any]) -> str | None:
    items = [*before, *after]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for field in _IDENTIFIERS:
        sides = [[item.get(field) for item in side] for side in (before, after)]
        if all(None not in side and len(set(map(str, side))) == len(side) for side in sides):
            return field
    return None
