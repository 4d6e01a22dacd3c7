"""Plain manifests as an index: objects by kind and name, and the pods that they make.

Manifests come from anywhere, so nothing is taken for granted: what has the wrong shape reads as empty.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from convexctl.behaviour.source import Item, Source, Step

Manifest = Mapping[str, Any]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


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
    """The objects of a set of manifests, indexed.

    Of two different objects with one kind, namespace and name, `find` gives the same one in whatever order they came,
    and `pods` gives the pods of both. `complete` names the kinds of which every object that exists is here.
    """

    def __init__(self, manifests: Iterable[Manifest], *, complete: Iterable[str] = ()) -> None:
        self._complete = frozenset(complete)
        self._all: dict[tuple[str, str, str], list[Manifest]] = {}
        for manifest in flat(manifests):
            source = source_of(manifest)
            same = self._all.setdefault((kind_of(manifest), source.namespace, source.name), [])
            if manifest not in same:
                same.append(manifest)
        for same in self._all.values():
            if len(same) > 1:
                same.sort(key=_as_text)
        self._objects = {key: same[0] for key, same in self._all.items()}

    def of_kind(self, *kinds: str) -> Iterator[Manifest]:
        """All objects of some kinds, in their order."""
        return (manifest for kind in kinds for manifest in self._by_kind.get(kind, ()))

    def twice(self) -> Iterator[list[Manifest]]:
        """The objects that differ and have one identity."""
        return (same for same in self._all.values() if len(same) > 1 and source_of(same[0]).name)

    def lists_all(self, kind: str) -> bool:
        """Whether an object of a kind that is not here does not exist."""
        return kind in self._complete

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object by name.

        One without a namespace may be in any: it is found from every namespace, and finds the only one of its name.
        """
        found = self._objects.get((kind, namespace, name)) or self._objects.get((kind, "", name))
        if found is not None or namespace:
            return found
        named = self._by_name.get((kind, name), ())
        return named[0] if len(named) == 1 else None

    def made_by(self, kind: str, namespace: str, name: str) -> Iterator[Manifest]:
        """The objects of a kind that make the Secret of a name."""
        for manifest in self._makers.get((kind, name), ()):
            if same_namespace(source_of(manifest).namespace, namespace):
                yield manifest

    def naming(self, kind: str, target: str) -> Sequence[Manifest]:
        """The objects of a kind whose `scaleTargetRef` has a name."""
        return self._scalers.get((kind, target), ())

    def of_other_groups(self) -> Iterator[Manifest]:
        """The objects of groups of the API that are not Kubernetes' own."""
        for manifest in self._objects.values():
            group = text(manifest.get("apiVersion")).rpartition("/")[0]
            if "." in group and not group.endswith(".k8s.io"):
                yield manifest

    def pods(self) -> tuple[Pod, ...]:
        """Every pod. A pod or ReplicaSet that another object here made is left out: that one speaks for it."""
        return self._pods

    def pods_with(self, namespace: str, selector: Mapping[str, Any]) -> Sequence[Pod]:
        """The pods that have every label of a selector, which must not be empty."""
        labels = frozenset((str(key), text(value)) for key, value in selector.items())
        if not labels or any(not isinstance(value, str) for value in selector.values()):
            return ()
        if (namespace, labels) not in self._selected:
            rarest = min((self._by_label.get(label, ()) for label in labels), key=len)
            self._selected[namespace, labels] = tuple(
                pod
                for pod in rarest
                if same_namespace(pod.source.namespace, namespace)
                and all(pod.labels.get(key) == value for key, value in labels)
            )
        return self._selected[namespace, labels]

    @functools.cached_property
    def _selected(self) -> dict[tuple[str, frozenset[tuple[str, str]]], tuple[Pod, ...]]:
        return {}

    @functools.cached_property
    def _by_kind(self) -> dict[str, list[Manifest]]:
        return _grouped((kind_of(manifest), manifest) for manifest in self._objects.values())

    @functools.cached_property
    def _by_name(self) -> dict[tuple[str, str], list[Manifest]]:
        return _grouped(((kind, name), manifest) for (kind, _, name), manifest in self._objects.items())

    @functools.cached_property
    def _makers(self) -> dict[tuple[str, str], list[Manifest]]:
        return _grouped(
            ((text(manifest.get("kind")), _makes(manifest)), manifest) for manifest in self.of_kind(*_MAKERS)
        )

    @functools.cached_property
    def _scalers(self) -> dict[tuple[str, str], list[Manifest]]:
        return _grouped(
            ((text(manifest.get("kind")), text(dig(manifest, "spec", "scaleTargetRef", "name"))), manifest)
            for manifest in self.of_kind("HorizontalPodAutoscaler", "ScaledObject", "HTTPScaledObject")
        )

    @functools.cached_property
    def _by_label(self) -> dict[tuple[str, str], list[Pod]]:
        return _grouped(
            ((str(key), value), pod)
            for pod in self.pods()
            for key, value in pod.labels.items()
            if isinstance(value, str)
        )

    @functools.cached_property
    def _pods(self) -> tuple[Pod, ...]:
        return tuple(self._every_pod())

    def _every_pod(self) -> Iterator[Pod]:
        for manifest in (manifest for same in self._all.values() for manifest in same):
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


_MAKERS = ("SealedSecret", "ExternalSecret")


def _makes(manifest: Manifest) -> str:
    """The name of the Secret that an object makes."""
    own = text(dig(manifest, "metadata", "name"))
    if manifest.get("kind") == "SealedSecret":
        return text(dig(manifest, "spec", "template", "metadata", "name")) or own
    return text(dig(manifest, "spec", "target", "name")) or own


def _as_text(manifest: Manifest) -> str:
    return json.dumps(manifest, sort_keys=True, default=str)


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, list[_Value]]:
    groups: dict[_Key, list[_Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


_ALIASES = {
    ("Service", "serving.knative.dev"): "KnativeService",
    ("Route", "serving.knative.dev"): "KnativeRoute",
    ("Gateway", "networking.istio.io"): "IstioGateway",
}


def kind_of(manifest: Manifest) -> str:
    """The kind of an object, with another name for one whose kind another group of the API uses too."""
    kind = text(manifest.get("kind"))
    return _ALIASES.get((kind, text(manifest.get("apiVersion")).partition("/")[0]), kind)


def same_namespace(one: str, other: str) -> bool:
    """Whether two objects may be in one namespace: an object that names none may be in any."""
    return one == other or not one or not other


def flat(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """The objects themselves: the items of each List in its place, without what has no kind."""
    for manifest in manifests:
        if not isinstance(manifest, Mapping):
            continue
        kind = text(manifest.get("kind"))
        if kind.endswith("List") and isinstance(manifest.get("items"), list):
            item_kind = kind.removesuffix("List")
            for item in manifest["items"]:
                if isinstance(item, Mapping):
                    yield from flat([item if item.get("kind") or not item_kind else {**item, "kind": item_kind}])
        elif kind:
            yield manifest
