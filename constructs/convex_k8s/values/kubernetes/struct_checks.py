"""What the API server wants of the fields of one structure together, which its schemas do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from convex_k8s.problems import Problem
from convex_k8s.values.kubernetes.limits import OF_LIMITS
from convex_k8s.values.kubernetes.networks import OF_NETWORKS
from convex_k8s.values.kubernetes.pods import OF_PODS, Check, Struct
from convex_k8s.values.kubernetes.workloads import OF_WORKLOADS
from convex_k8s.values.quantities import number

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
ONE_OF: dict[str, tuple[str, ...]] = {
    "DownwardAPIVolumeFile": ("fieldRef", "resourceFieldRef"),
    "EnvFromSource": ("configMapRef", "secretRef"),
    "EnvVarSource": _SOURCES,
    "IngressBackend": ("service", "resource"),
    "LifecycleHandler": ("exec", "httpGet", "sleep", "tcpSocket"),
    "Probe": ("exec", "grpc", "httpGet", "tcpSocket"),
    "ServiceBackendPort": ("name", "number"),
}
"""Structures of which exactly one of these fields must be set."""


def faults(type: str, value: Struct) -> Iterator[Problem]:
    """What is wrong with a structure whose fields are right each for itself."""
    if names := ONE_OF.get(type):
        given = [name for name in names if value.get(name) is not None]
        if len(given) > 1:
            yield Problem((given[1],), f"is set beside {given[0]}: keep one")
        elif not given:
            yield Problem((), f"has none of {', '.join(names)}")
    yield from TOGETHER.get(type, _nothing)(value)
    if "kind" in value:
        yield from _finalizers(value.get("metadata") or {})


def _finalizers(metadata: Struct) -> Iterator[Problem]:
    """Kubernetes' own kinds take finalizers without a domain from Kubernetes alone."""
    given = metadata.get("finalizers") or []
    for index, name in enumerate(given):
        if "/" not in name and name not in ("foregroundDeletion", "kubernetes", "orphan"):
            yield Problem(("metadata", "finalizers", index), "must have a domain in front, like example.com/cleanup")
    if "orphan" in given and "foregroundDeletion" in given:
        yield Problem(("metadata", "finalizers"), "has both orphan and foregroundDeletion: keep one")


def list_faults(type: str, items: list[Any]) -> Iterator[Problem]:
    """What is wrong between the items of a list."""
    keys = KEYS.get(type)
    if keys is None:
        return
    seen: list[Any] = []
    for index, item in enumerate(items):
        for key, identity in keys(item) if isinstance(item, dict) else ():
            if identity in seen:
                yield Problem((index, key), "is what another one in the list has already")
            seen.append(identity)


def _nothing(_: Struct) -> Iterator[Problem]:
    yield from ()


def _rule(value: Struct) -> Iterator[Problem]:
    if not value.get("nonResourceURLs") and not (value.get("resources") and value.get("apiGroups")):
        yield Problem((), "has no apiGroups and resources")
    if value.get("nonResourceURLs") and value.get("resources"):
        yield Problem(("nonResourceURLs",), "is set beside resources: make two items of it")


def _role(value: Struct) -> Iterator[Problem]:
    for index, rule in enumerate(value.get("rules") or []):
        if rule.get("nonResourceURLs"):
            place = ("rules", index, "nonResourceURLs")
            yield Problem(place, "belong to no namespace: write a ClusterRole")


def _config_map(value: Struct) -> Iterator[Problem]:
    binary = value.get("binaryData") or {}
    for key in value.get("data") or {}:
        if key in binary:
            yield Problem(("data", key), "is a key of binaryData too: keep one")


_DATA_OF_SECRETS = {
    "kubernetes.io/basic-auth": "username or password",
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/ssh-auth": "ssh-privatekey",
    "kubernetes.io/tls": "tls.crt and tls.key",
}


def _secret(value: Struct) -> Iterator[Problem]:
    """A Secret of an overlay has no data, which some types must have."""
    type, annotations = value.get("type", ""), (value.get("metadata") or {}).get("annotations") or {}
    if keys := _DATA_OF_SECRETS.get(type):
        yield Problem(
            ("type",), f"needs {keys}, which an overlay must not hold: see docs/secrets.md for who may make it"
        )
    elif type == "kubernetes.io/service-account-token" and not annotations.get("kubernetes.io/service-account.name"):
        yield Problem(("metadata",), "has no annotation kubernetes.io/service-account.name, which the type needs")


def _claim(value: Struct) -> Iterator[Problem]:
    modes = value.get("accessModes") or []
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield Problem(("accessModes",), "has another mode beside ReadWriteOncePod: keep one")
    size = ((value.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield Problem((), "has no resources.requests.storage")
    elif str(size).startswith("-") or not number(size):
        yield Problem(("resources", "requests", "storage"), "must be above 0")


def _claim_of_pod(value: Struct) -> Iterator[Problem]:
    if bool(value.get("resourceClaimName")) == bool(value.get("resourceClaimTemplateName")):
        yield Problem((), "must have one of resourceClaimName and resourceClaimTemplateName")


def _volume(value: Struct) -> Iterator[Problem]:
    storage = (value.get("capacity") or {}).get("storage")
    if storage is None:
        yield Problem((), "has no capacity.storage")
    elif not (number(storage) or 0) > 0:
        yield Problem(("capacity", "storage"), "must be above 0")


TOGETHER: dict[str, Check] = {
    **OF_LIMITS,
    **OF_NETWORKS,
    **OF_PODS,
    **OF_WORKLOADS,
    "ConfigMap": _config_map,
    "PersistentVolumeClaimSpec": _claim,
    "PersistentVolumeSpec": _volume,
    "PodResourceClaim": _claim_of_pod,
    "PolicyRule": _rule,
    "Role": _role,
    "Secret": _secret,
}
KEYS: dict[str, Callable[[Struct], list[tuple[str, Any]]]] = {
    "ContainerPort": lambda port: [
        *([("name", port["name"])] if port.get("name") else []),
        *(
            [("hostPort", (port["hostPort"], port.get("hostIP"), port.get("protocol", "TCP")))]
            if port.get("hostPort")
            else []
        ),
    ],
    "ContainerResizePolicy": lambda policy: [("resourceName", policy.get("resourceName"))],
    "LimitRangeItem": lambda limit: [("type", limit.get("type"))],
    "ServicePort": lambda port: [
        *([("name", port["name"])] if port.get("name") else []),
        ("port", (port.get("port"), port.get("protocol", "TCP"))),
        *([("nodePort", ("node", port["nodePort"], port.get("protocol", "TCP")))] if port.get("nodePort") else []),
    ],
    "VolumeDevice": lambda device: [("name", device.get("name"))],
    "TopologySpreadConstraint": lambda spread: [
        ("topologyKey", (spread.get("topologyKey"), spread.get("whenUnsatisfiable")))
    ],
}
"""What must not be twice in a list: the field, and what identifies an item."""
