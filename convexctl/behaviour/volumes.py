"""The volume under a path of a container, and what that volume survives."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from convexctl.behaviour.known_keys import keys_of
from convexctl.behaviour.manifests import Manifest, Manifests, Pod, dig, items, mapping, same_namespace, sequence, text
from convexctl.behaviour.source import Source

Outlives = Literal["nothing", "container", "node", "pod", "delete"]
"""The greatest thing that data survives, in rising order.

`nothing`: not even a restart of the container; `container`: that, but not the pod; `node`: the pod, as long as the next
one lands on the same node; `pod`: any pod, but not `kubectl delete -f` of the manifests; `delete`: that too.
"""

OUTLIVES_TEXT: dict[str, str] = {
    "nothing": "nothing: a restart of the container loses it",
    "container": "a restart of the container, not the pod",
    "node": "the pod, on the same node only",
    "pod": "the pod, not `kubectl delete -f` of the manifests",
    "delete": "the pod and `kubectl delete -f` of the manifests",
}
_CERTIFICATES_OF_THE_IMAGE = ("/etc/ssl/", "/usr/share/ca-certificates/", "/usr/local/share/ca-certificates/")
READ_ONLY = ("configMap", "secret", "projected", "downwardAPI", "image")


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim: by name, and with its spec where that is among the manifests."""

    name: str
    made_by: Literal["template", "object", "elsewhere"]
    source: Source
    spec: Mapping[str, Any]

    @property
    def size(self) -> str:
        """The storage asked for, as written."""
        return text(dig(self.spec, "resources", "requests", "storage"))

    @property
    def access_modes(self) -> tuple[str, ...]:
        """Access modes, as written."""
        return tuple(text(mode) for mode in sequence(self.spec.get("accessModes")))


@dataclass(frozen=True)
class Disk:
    """The disk under a directory of the container."""

    kind: str
    """`none`, `claim`, or the key of the volume in the pod: `emptyDir`, `hostPath`, ..."""
    outlives: Outlives
    text: str
    why: str
    source: Source
    claim: Claim | None = None
    read_only: bool = False
    volume: Mapping[str, Any] = field(default_factory=dict)
    """The volume in the pod, where it is not a claim."""


def disk_at(manifests: Manifests, pod: Pod, container: Mapping[str, Any], source: Source, path: str) -> Disk:
    """The disk under the directory `path` of a container; `source` is the container in its object."""
    mount = mount_at(container, source, path)
    if mount is None:
        return Disk(
            "none",
            "nothing",
            "nothing is mounted: the container's own layer",
            f"no volume is mounted at {path}, and the container's own layer goes with the container",
            source.at("volumeMounts"),
        )
    name, place, read_only = mount
    claim, volume, volume_place = _volume(manifests, pod, name)
    if claim:
        return _on_claim(manifests, pod, claim, place, read_only)
    kind = next((key for key in volume if key != "name"), "emptyDir" if volume_place else "unknown")
    spec = mapping(volume.get(kind))
    where = volume_place or place
    if kind in ("emptyDir", "ephemeral"):
        inside = " in memory" if spec.get("medium") == "Memory" else ""
        why = f"an {kind} volume is deleted with the pod: at every update, eviction and drain of a node"
        return Disk(kind, "container", f"{kind}{inside}", why, where, read_only=read_only)
    if kind == "hostPath":
        why = "a hostPath is a directory of one node: a pod on another node finds another one"
        return Disk(kind, "node", f"hostPath {text(spec.get('path'))}", why, where, read_only=read_only)
    if kind in READ_ONLY:
        why = f"a {kind} volume cannot be written"
        return Disk(kind, "delete", f"{kind}, which is read-only", why, where, read_only=True)
    if kind == "unknown":
        why = f"the mount names the volume {name}, which the pod does not have"
        return Disk(kind, "nothing", f"the volume {name}, which is missing", why, where, read_only=read_only)
    why = f"a {kind} volume is outside the cluster's objects"
    return Disk(kind, "delete", f"{kind} volume", why, where, read_only=read_only, volume=volume)


def mount_at(container: Mapping[str, Any], source: Source, path: str) -> tuple[str, Source, bool] | None:
    """The mount that covers `path`: the volume's name, the field, and whether it is read-only."""
    best: tuple[str, Source, bool] | None = None
    length = -1
    for step, entry in items(container.get("volumeMounts")):
        at = posixpath.normpath(text(entry.get("mountPath")) or "/")
        covers = at in ("/", path) or path.startswith(f"{at}/")
        if covers and len(at) > length:
            length = len(at)
            best = text(entry.get("name")), source.at("volumeMounts", step), entry.get("readOnly") is True
    return best


class Origin(NamedTuple):
    """What a file of a container comes from."""

    name: str
    """`Secret/name[KEY]`, another volume's kind, or `the image`."""
    unless: str = ""
    """What is out of sight and would leave it missing."""


def file_source(
    manifests: Manifests, pod: Pod, container: Mapping[str, Any], source: Source, path: str
) -> Origin | None:
    """What a file of the container comes from, or None if none is there.

    None also where a Secret or ConfigMap in sight has no such key, and for the folder that a volume is mounted as.
    """
    mount = mount_at(container, source, path)
    if mount is None:
        return Origin("the image") if path.startswith(_CERTIFICATES_OF_THE_IMAGE) else None
    name, place, _ = mount
    claim, volume, _ = _volume(manifests, pod, name)
    entry = next(
        (entry for step, entry in items(container.get("volumeMounts")) if step == place.path[-1]),
        {},
    )
    at = posixpath.normpath(text(mapping(entry).get("mountPath")))
    inside = path[len(at) :].strip("/") or text(mapping(entry).get("subPath"))
    if not inside and "hostPath" not in volume:
        return None
    if claim:
        return Origin(f"PersistentVolumeClaim/{claim.name}")
    for kind, key, name_key in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
        if key not in volume:
            continue
        spec = mapping(volume[key])
        its_name = text(spec.get(name_key))
        paths = {text(item.get("path")): text(item.get("key")) for item in map(mapping, sequence(spec.get("items")))}
        its_key = paths.get(inside) if paths else inside
        known = keys_of(manifests, kind, pod.source.namespace, its_name)
        if its_key is None or (known is not None and its_key not in known):
            return None
        reference = f"{kind}/{its_name}[{its_key}]"
        optional = spec.get("optional") is True and known is None
        return Origin(reference, f"{kind}/{its_name} has no key {its_key}" if optional else "")
    other = next((key for key in volume if key != "name"), None)
    return Origin(other) if other else None


def file_text(manifests: Manifests, pod: Pod, container: Mapping[str, Any], source: Source, path: str) -> str | None:
    """The text of a file that a container mounts from a ConfigMap, or None if that is not in sight."""
    origin = file_source(manifests, pod, container, source, posixpath.normpath(path))
    found = re.fullmatch(r"ConfigMap/([^\[]*)\[(.*)\]", origin.name) if origin else None
    keys = keys_of(manifests, "ConfigMap", pod.source.namespace, found[1]) if found else None
    return keys[found[2]][0] if found and keys and found[2] in keys else None


def claims(manifests: Manifests, pod: Pod) -> Iterator[tuple[str, Claim]]:
    """The claims of a pod with the name of the volume that each one is."""
    templates = set()
    for step, template in items(dig(pod.owner, "spec", "volumeClaimTemplates")):
        name = text(dig(template, "metadata", "name"))
        templates.add(name)
        owner = Source(pod.kind, pod.source.namespace, pod.source.name)
        claim = Claim(
            f"{name}-{owner.name}-0",
            "template",
            owner.at("spec", "volumeClaimTemplates", step.position),
            mapping(template.get("spec")),
        )
        yield name, claim
    for step, volume in items(pod.spec.get("volumes")):
        claim_name = text(dig(volume, "persistentVolumeClaim", "claimName"))
        volume_name = text(volume.get("name"))
        if claim_name and volume_name not in templates:
            yield volume_name, _claim(manifests, pod, claim_name, pod.source.at("volumes", step))


def unused_claims(manifests: Manifests, namespace: str) -> Iterator[Claim]:
    """Claims among the manifests that no pod among them mounts."""
    unused = _unused(manifests)
    for where in dict.fromkeys((namespace, "")) if namespace else unused:
        yield from unused.get(where, ())


@functools.lru_cache(maxsize=1)
def _unused(manifests: Manifests) -> dict[str, list[Claim]]:
    """Unused claims by namespace: every backend asks for them."""
    used: dict[str, set[str]] = {}
    for pod in manifests.pods():
        for _, claim in claims(manifests, pod):
            used.setdefault(claim.name, set()).add(pod.source.namespace)
    found: dict[str, list[Claim]] = {}
    for manifest in manifests.of_kind("PersistentVolumeClaim"):
        place = _place(manifest)
        if not any(same_namespace(where, place.namespace) for where in used.get(place.name, ())):
            claim = Claim(place.name, "object", place, mapping(manifest.get("spec")))
            found.setdefault(place.namespace, []).append(claim)
    return found


def _claim(manifests: Manifests, pod: Pod, name: str, source: Source) -> Claim:
    manifest = manifests.find("PersistentVolumeClaim", pod.source.namespace, name)
    if manifest is None:
        return Claim(name, "elsewhere", source, {})
    # An object with a uid was read from a cluster: it is no part of a file that somebody deletes.
    in_cluster = bool(dig(manifest, "metadata", "uid"))
    return Claim(name, "elsewhere" if in_cluster else "object", _place(manifest), mapping(manifest.get("spec")))


def _place(manifest: Manifest) -> Source:
    metadata = mapping(manifest.get("metadata"))
    return Source("PersistentVolumeClaim", text(metadata.get("namespace")), text(metadata.get("name")))


def _volume(manifests: Manifests, pod: Pod, name: str) -> tuple[Claim | None, Mapping[str, Any], Source | None]:
    for volume_name, claim in claims(manifests, pod):
        if volume_name == name:
            return claim, {}, claim.source
    for step, volume in items(pod.spec.get("volumes")):
        if volume.get("name") == name:
            return None, volume, pod.source.at("volumes", step)
    return None, {}, None


def _namespace_of(manifests: Manifests, pod: Pod) -> Source | None:
    """The Namespace of a pod, where it is one of the manifests that somebody deletes and not read from a cluster."""
    name = pod.source.namespace
    manifest = manifests.find("Namespace", "", name) if name else None
    if manifest is None or dig(manifest, "metadata", "uid"):
        return None
    return Source("Namespace", "", name)


def _on_claim(manifests: Manifests, pod: Pod, claim: Claim, mount: Source, read_only: bool) -> Disk:
    if claim.made_by == "template":
        policy = mapping(dig(pod.owner, "spec", "persistentVolumeClaimRetentionPolicy"))
        for key, when in (("whenDeleted", "the StatefulSet is deleted"), ("whenScaled", "it is scaled down")):
            if policy.get(key) == "Delete":
                why = f"the StatefulSet's retention policy deletes the claim when {when}"
                source = Source(pod.kind, pod.source.namespace, pod.source.name).at(
                    "spec", "persistentVolumeClaimRetentionPolicy", key
                )
                return Disk("claim", "pod", f"claim {claim.name}", why, source, claim, read_only)
    if claim.made_by != "object" and (namespace := _namespace_of(manifests, pod)):
        why = (
            f"the Namespace {namespace.name} is among the manifests: whoever deletes the manifests, or prunes, "
            "deletes it with every claim and Secret in it"
        )
        shown = f"claim {claim.name}, in the Namespace {namespace.name} of the manifests"
        return Disk("claim", "pod", shown, why, namespace, claim, read_only)
    if claim.made_by == "template":
        why = "a claim that a StatefulSet made from its template stays when the StatefulSet is deleted"
        return Disk("claim", "delete", f"claim {claim.name} from a template", why, claim.source, claim, read_only)
    if claim.made_by == "object":
        why = "the claim is an object of the manifests: whoever deletes the manifests, or prunes, deletes it"
        return Disk("claim", "pod", f"claim {claim.name} (an object of the manifests)", why, mount, claim, read_only)
    why = "the claim is not among the manifests: deleting them leaves it"
    return Disk("claim", "delete", f"existing claim {claim.name}", why, mount, claim, read_only)
