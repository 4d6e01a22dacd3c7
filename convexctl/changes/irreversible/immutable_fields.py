"""Which fields the API server does not allow to change, by kind, and how to change them nevertheless."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from convexctl.behaviour.manifests import Manifest, dig, mapping, sequence, text
from convexctl.behaviour.quantities import quantity

Fields = dict[str, Any]


class Kind(NamedTuple):
    """A kind with immutable fields. `differ` names those that the API server would refuse to change."""

    fields: Callable[[Manifest], Fields]
    differ: Callable[[Fields, Fields], list[str]]
    anew: str
    """What happens when the object is deleted and applied again; empty if it must not be deleted."""


def _of_spec(**defaults: Any) -> Callable[[Manifest], Fields]:
    return lambda manifest: {name: dig(manifest, "spec", name) or default for name, default in defaults.items()}


def _of_object(*names: str) -> Callable[[Manifest], Fields]:
    return lambda manifest: {name: manifest.get(name) for name in names}


def _differ(old: Fields, new: Fields) -> list[str]:
    return [name for name in new if name in old and old[name] != new[name]]


def _service(manifest: Manifest) -> Fields:
    spec = mapping(manifest.get("spec"))
    balanced = spec.get("type") == "LoadBalancer"
    families = sequence(spec.get("ipFamilies"))
    return {
        # It counts while the type stays LoadBalancer: unset is a class too.
        **({"loadBalancerClass": text(spec.get("loadBalancerClass"))} if balanced else {}),
        **({"clusterIP": spec["clusterIP"]} if spec.get("clusterIP") else {}),
        # Both images listen on IPv4, so that is what a Service without a word has.
        "ipFamilies": text(families[0]) if families else "IPv4",
        **({"healthCheckNodePort": spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else {}),
    }


def _service_differs(old: Fields, new: Fields) -> list[str]:
    given_later = [name for name in ("clusterIP",) if name in new and name not in old]
    return [*_differ(old, new), *given_later]


_RULED = ("accessModes", "storageClassName", "resources")
"""Fields of the backend's claim that have a rule of their own."""


def _claim(manifest: Manifest) -> Fields:
    spec = {"volumeMode": "Filesystem", **mapping(manifest.get("spec"))}
    size = text(dig(manifest, "spec", "resources", "requests", "storage"))
    return {key: value for key, value in spec.items() if key != "volumeAttributesClassName"} | {"resources": size}


def _claim_differs(old: Fields, new: Fields) -> list[str]:
    found = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    sizes = [quantity(text(side.get("resources"))) or 0 for side in (old, new)]
    return [name for name in found if name != "resources" or sizes[1] < sizes[0]]


def without_ruled(fields: Fields) -> Fields:
    """What of a claim's fields has no rule of its own."""
    return {name: value for name, value in fields.items() if name not in _RULED}


def _volume(manifest: Manifest) -> Fields:
    mutable = {
        *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
        *("storageClassName", "volumeAttributesClassName"),
    }
    return {key: value for key, value in mapping(manifest.get("spec")).items() if key not in mutable}


def _frozen(manifest: Manifest) -> Fields:
    """A ConfigMap or Secret that says `immutable: true`."""
    if manifest.get("immutable") is not True:
        return {}
    return {"immutable": True, "data": mapping(manifest.get("data")), "binaryData": mapping(manifest.get("binaryData"))}


def _frozen_differs(old: Fields, new: Fields) -> list[str]:
    return [name for name in old if old[name] != new.get(name, old[name] if name != "immutable" else None)]


_PODS = "the pods start again, claims stay"
KINDS: Mapping[str, Kind] = {
    "StatefulSet": Kind(_of_spec(selector={}, serviceName="", podManagementPolicy="OrderedReady"), _differ, _PODS),
    "Deployment": Kind(_of_spec(selector={}), _differ, _PODS),
    "DaemonSet": Kind(_of_spec(selector={}), _differ, _PODS),
    "Job": Kind(_of_spec(template={}, completionMode="NonIndexed"), _differ, "the Job runs again"),
    "Service": Kind(
        _service,
        _service_differs,
        "requests fail in between, and a LoadBalancer gets another address: change DNS if it names the old one",
    ),
    "PersistentVolumeClaim": Kind(_claim, _claim_differs, ""),
    "PersistentVolume": Kind(_volume, _differ, ""),
    "ConfigMap": Kind(_frozen, _frozen_differs, "pods that start in between wait for it"),
    "RoleBinding": Kind(_of_object("roleRef"), _differ, "its accounts lack their rights in between"),
    "ClusterRoleBinding": Kind(_of_object("roleRef"), _differ, "its accounts lack their rights in between"),
    "StorageClass": Kind(
        _of_object("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
        _differ,
        "volumes that exist stay as they are",
    ),
    "PriorityClass": Kind(_of_object("value", "preemptionPolicy"), _differ, "pods that exist keep their priority"),
    "IngressClass": Kind(_of_spec(controller=""), _differ, "its Ingresses may not be served in between"),
    "RuntimeClass": Kind(_of_object("handler"), _differ, "pods that exist stay as they are"),
}
"""Kinds that an overlay can make, by its parameters, patches and extra objects."""
