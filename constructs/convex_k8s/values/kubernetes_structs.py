"""What the API server wants of the fields of one structure together, which its schemas do not say."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from convex_k8s.problems import Problem
from convex_k8s.values.kubernetes_pods import OF_PODS, Check, Struct, number

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


def _workload(value: Struct) -> Iterator[Problem]:
    """The selector of a StatefulSet or Deployment must fit its pods, which run for ever."""
    template = value.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = value.get("selector") or {}
    wanted = selector.get("matchLabels") or {}
    if not wanted and not selector.get("matchExpressions"):
        yield Problem(("selector",), "is empty: name labels of the pods")
    elif any(labels.get(key) != label for key, label in wanted.items()):
        yield Problem(("selector", "matchLabels"), "does not fit the labels of the pods under template")
    if (template.get("spec") or {}).get("restartPolicy") not in (None, "Always"):
        yield Problem(("template", "spec", "restartPolicy"), "must be Always")


def _strategy(value: Struct) -> Iterator[Problem]:
    if value.get("type") == "Recreate" and value.get("rollingUpdate") is not None:
        yield Problem(("rollingUpdate",), "means nothing with type Recreate: remove it")


def _job(value: Struct) -> Iterator[Problem]:
    pod = (value.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        yield Problem(("template", "spec"), "must have restartPolicy OnFailure or Never")


def _service(value: Struct) -> Iterator[Problem]:
    ports = value.get("ports") or []
    kind = value.get("type") or "ClusterIP"
    if kind == "ExternalName" and not value.get("externalName"):
        yield Problem((), "has no externalName, which type ExternalName needs")
    elif kind != "ExternalName" and not ports and value.get("clusterIP") != "None":
        yield Problem((), "has no ports")
    for index, port in enumerate(ports):
        if len(ports) > 1 and isinstance(port, dict) and not port.get("name"):
            yield Problem(("ports", index), "has no name, which each of several ports needs")
        if kind == "ClusterIP" and isinstance(port, dict) and port.get("nodePort"):
            yield Problem(("ports", index, "nodePort"), "needs type NodePort or LoadBalancer")
    if kind == "ClusterIP" and value.get("externalTrafficPolicy") and not value.get("externalIPs"):
        yield Problem(("externalTrafficPolicy",), "needs type NodePort or LoadBalancer")
    for name in ("loadBalancerClass", "loadBalancerSourceRanges"):
        if value.get(name) and kind != "LoadBalancer":
            yield Problem((name,), "needs type LoadBalancer")


def _ingress(value: Struct) -> Iterator[Problem]:
    if not value.get("rules") and not value.get("defaultBackend"):
        yield Problem((), "has neither rules nor a defaultBackend")


def _ingress_path(value: Struct) -> Iterator[Problem]:
    path = value.get("path", "/")
    if isinstance(path, str) and not path.startswith("/") and value.get("pathType") != "ImplementationSpecific":
        yield Problem(("path",), "must begin with /")


def _ingress_service(value: Struct) -> Iterator[Problem]:
    if not value.get("port"):
        yield Problem((), "has no port")


def _block(value: Struct) -> Iterator[Problem]:
    whole = ipaddress.ip_network(value["cidr"], strict=False)
    for index, text in enumerate(value.get("except") or []):
        part = ipaddress.ip_network(text, strict=False)
        if part.version != whole.version or part == whole or not part.subnet_of(whole):  # type: ignore[arg-type]
            yield Problem(("except", index), f"is not a part of {value['cidr']}")


def _rule(value: Struct) -> Iterator[Problem]:
    if not value.get("nonResourceURLs") and not (value.get("resources") and value.get("apiGroups") is not None):
        yield Problem((), "has no apiGroups and resources")


def _peer(value: Struct) -> Iterator[Problem]:
    if not value:
        yield Problem((), "is empty: name an ipBlock, a namespaceSelector or a podSelector")
    elif "ipBlock" in value and len(value) > 1:
        yield Problem(("ipBlock",), "is set beside a selector: make two items of it")


def _policy_port(value: Struct) -> Iterator[Problem]:
    first, last = value.get("port"), value.get("endPort")
    if last is not None and not (isinstance(first, int) and first <= last):
        yield Problem(("endPort",), "needs a port that is a number and not above it")


def _budget(value: Struct) -> Iterator[Problem]:
    if value.get("minAvailable") is not None and value.get("maxUnavailable") is not None:
        yield Problem(("maxUnavailable",), "is set beside minAvailable: keep one")
    for name in ("minAvailable", "maxUnavailable"):
        most = value.get(name)
        if (isinstance(most, int) and most < 0) or (isinstance(most, str) and not re.fullmatch("[0-9]+%", most)):
            yield Problem((name,), "must be a number of pods, or a percentage like 50%")


def _scaler(value: Struct) -> Iterator[Problem]:
    least, most = value.get("minReplicas"), value.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem(("minReplicas",), "is more than maxReplicas")


def _claim(value: Struct) -> Iterator[Problem]:
    modes = value.get("accessModes") or []
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield Problem(("accessModes",), "has another mode beside ReadWriteOncePod: keep one")
    size = ((value.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield Problem((), "has no resources.requests.storage")
    elif str(size).startswith("-") or not number(size):
        yield Problem(("resources", "requests", "storage"), "must be above 0")


TOGETHER: dict[str, Check] = {
    **OF_PODS,
    "DeploymentSpec": _workload,
    "DeploymentStrategy": _strategy,
    "HTTPIngressPath": _ingress_path,
    "HorizontalPodAutoscalerSpec": _scaler,
    "IPBlock": _block,
    "IngressServiceBackend": _ingress_service,
    "IngressSpec": _ingress,
    "JobSpec": _job,
    "NetworkPolicyPeer": _peer,
    "NetworkPolicyPort": _policy_port,
    "PersistentVolumeClaimSpec": _claim,
    "PodDisruptionBudgetSpec": _budget,
    "PolicyRule": _rule,
    "ServiceSpec": _service,
    "StatefulSetSpec": _workload,
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
    "ServicePort": lambda port: [
        *([("name", port["name"])] if port.get("name") else []),
        ("port", (port.get("port"), port.get("protocol", "TCP"))),
    ],
    "TopologySpreadConstraint": lambda spread: [
        ("topologyKey", (spread.get("topologyKey"), spread.get("whenUnsatisfiable")))
    ],
}
"""What must not be twice in a list: the field, and what identifies an item."""
