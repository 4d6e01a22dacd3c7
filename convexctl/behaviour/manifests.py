"""Plain manifests as an index: objects by kind and name, and the pods that they make.

Manifests come from anywhere, so nothing is taken for granted: what has the wrong shape reads as empty.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convexctl.behaviour.source import Item, Source, Step

Manifest = Mapping[str, Any]


def mapping(value: object) -> Mapping[str, Any]:
    """`value` where it is a map, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """`value` as a manifest's string: booleans in YAML's spelling; nothing, and what cannot be written, as empty."""
    if value is None:
        return ""
    try:
        return str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:
        # Python writes no number of more than 4300 digits.
        return ""


def number(value: object) -> int | None:
    """`value` where it is a whole number that Kubernetes can hold (64 bits), also one in a string."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 2**63 else None


def dig(value: object, *keys: str) -> Any:
    """The value under nested keys, or None."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def items(value: object) -> Iterator[tuple[Item, Mapping[str, Any]]]:
    """The maps of a list, each with its step: its place and its name."""
    for index, entry in enumerate(sequence(value)):
        if isinstance(entry, Mapping):
            yield Item(index, text(entry.get("name")) or str(index)), entry


def source_of(manifest: Manifest, *path: Step) -> Source:
    """A field of an object."""
    metadata = mapping(manifest.get("metadata"))
    return Source(text(manifest.get("kind")), text(metadata.get("namespace")), text(metadata.get("name")), tuple(path))


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of one in an object that makes pods."""

    owner: Manifest
    source: Source
    """The pod's spec in its object."""
    spec: Mapping[str, Any]
    labels: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return self.source.kind

    def containers(self) -> Iterator[tuple[Source, Mapping[str, Any]]]:
        """The containers that run as long as the pod does: sidecars among the init containers too."""
        for key in ("containers", "initContainers"):
            for index, container in enumerate(sequence(self.spec.get(key))):
                stays = key == "containers" or mapping(container).get("restartPolicy") == "Always"
                if isinstance(container, Mapping) and stays:
                    yield self.source.at(key, index), container


class Manifests:
    """The objects of a set of manifests. Of two with one kind and name the last counts, as in `kubectl apply`."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._objects: dict[tuple[str, str, str], Manifest] = {}
        for manifest in _flat(manifests):
            source = source_of(manifest)
            self._objects[source.kind, source.namespace, source.name] = manifest

    def of_kind(self, *kinds: str) -> Iterator[Manifest]:
        """All objects of some kinds, in their order."""
        return (manifest for (kind, _, _), manifest in self._objects.items() if kind in kinds)

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object by name.

        One without a namespace may be in any: it is found from every namespace, and finds the only one of its name.
        """
        found = self._objects.get((kind, namespace, name)) or self._objects.get((kind, "", name))
        if found is not None or namespace:
            return found
        named = [manifest for (its, _, called), manifest in self._objects.items() if (its, called) == (kind, name)]
        return named[0] if len(named) == 1 else None

    def pods(self) -> tuple[Pod, ...]:
        """Every pod. A pod or ReplicaSet that another object here made is left out: that one speaks for it."""
        return self._pods

    @functools.cached_property
    def _pods(self) -> tuple[Pod, ...]:
        return tuple(self._every_pod())

    def _every_pod(self) -> Iterator[Pod]:
        for manifest in self._objects.values():
            if self._made_by_another(manifest):
                continue
            kind = manifest.get("kind")
            where: tuple[str, ...] = ("spec", "template")
            if kind == "Pod":
                where = ()
            elif kind == "CronJob":
                where = ("spec", "jobTemplate", "spec", "template")
            template = dig(manifest, *where) if where else manifest
            spec = dig(template, "spec")
            if any(isinstance(container, Mapping) for container in sequence(mapping(spec).get("containers"))):
                yield Pod(
                    owner=manifest,
                    source=source_of(manifest, *where, "spec"),
                    spec=mapping(spec),
                    labels=mapping(dig(template, "metadata", "labels")),
                )

    def _made_by_another(self, manifest: Manifest) -> bool:
        namespace = source_of(manifest).namespace
        owners = sequence(dig(manifest, "metadata", "ownerReferences"))
        return any(
            self.find(text(mapping(owner).get("kind")), namespace, text(mapping(owner).get("name"))) is not None
            for owner in owners
        )


def same_namespace(one: str, other: str) -> bool:
    """Whether two objects may be in one namespace: an object that names none may be in any."""
    return one == other or not one or not other


def _flat(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        if not isinstance(manifest, Mapping):
            continue
        kind = text(manifest.get("kind"))
        if kind.endswith("List") and isinstance(manifest.get("items"), list):
            item_kind = kind.removesuffix("List")
            for item in manifest["items"]:
                if isinstance(item, Mapping):
                    yield from _flat([item if item.get("kind") or not item_kind else {**item, "kind": item_kind}])
        elif kind:
            yield manifest
