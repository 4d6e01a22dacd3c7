"""What the API server wants of the fields of one structure together, which its schemas do not say."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from convex_k8s.problems import Path, Problem
from convex_k8s.values.base import QUALIFIED
from convex_k8s.values.quantities import QUANTITY, amount

Struct = Mapping[str, Any]
Check = Callable[[Struct], Iterator[Problem]]

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
_RESOURCES = r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)"
_VARIABLE_FIELDS = (
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['.+'\]|"
    r"spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
_FILE_FIELDS = r"metadata\.(name|namespace|uid|labels|annotations)|metadata\.(labels|annotations)\['.+'\]"
_NUMBER_OF_VALUES = {"In": "some", "NotIn": "some", "Exists": "none", "DoesNotExist": "none", "Gt": "one", "Lt": "one"}


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


def _requirement(value: Struct) -> Iterator[Problem]:
    operator, values = value.get("operator"), value.get("values") or []
    wanted = _NUMBER_OF_VALUES.get(str(operator))
    if wanted == "some" and not values:
        yield Problem((), f"has no values, which operator {operator} needs")
    elif wanted == "none" and values:
        yield Problem(("values",), f"means nothing with operator {operator}: remove it")
    elif wanted == "one" and not (len(values) == 1 and re.fullmatch("-?[0-9]+", str(values[0]))):
        yield Problem((), f"must have one whole number under values, for operator {operator}")


def _node_term(value: Struct) -> Iterator[Problem]:
    for index, entry in enumerate(value.get("matchFields") or []):
        if not isinstance(entry, dict):
            continue
        path: Path = ("matchFields", index)
        if entry.get("key") != "metadata.name":
            yield Problem((*path, "key"), "must be metadata.name, the one field that there is")
        elif entry.get("operator") not in ("In", "NotIn") or len(entry.get("values") or []) != 1:
            yield Problem(path, "must have operator In or NotIn and one value")


def _spread(value: Struct) -> Iterator[Problem]:
    if value.get("minDomains") is not None and value.get("whenUnsatisfiable") == "ScheduleAnyway":
        yield Problem(("minDomains",), "goes with whenUnsatisfiable DoNotSchedule only")
    if value.get("matchLabelKeys") and value.get("labelSelector") is None:
        yield Problem(("matchLabelKeys",), "needs a labelSelector")


def _toleration(value: Struct) -> Iterator[Problem]:
    if value.get("operator") == "Exists" and value.get("value"):
        yield Problem(("value",), "means nothing with operator Exists: remove it")
    if value.get("operator") != "Exists" and not value.get("key"):
        yield Problem((), "has no key, which only operator Exists may lack")
    if value.get("tolerationSeconds") is not None and value.get("effect") != "NoExecute":
        yield Problem(("tolerationSeconds",), "goes with effect NoExecute only")


def _number(quantity: Any) -> Any:
    text = str(quantity)
    return amount(text.lstrip("+")) if re.fullmatch(rf"\+?{QUANTITY}", text) else None


def _container_resources(value: Struct) -> Iterator[Problem]:
    limits, requests = value.get("limits") or {}, value.get("requests") or {}
    if not isinstance(limits, dict) or not isinstance(requests, dict):
        return
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, quantity in amounts.items():
            known = name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
            if not known and not ("/" in name and re.fullmatch(QUALIFIED, name)):
                yield Problem((field, name), "is not a resource: cpu, memory, ephemeral-storage, or example.com/gpu")
            elif str(quantity).startswith("-"):
                yield Problem((field, name), "must be 0 or more")
            elif "/" in name and (_number(quantity) or 0) % 1:
                yield Problem((field, name), "must be a whole number")
    for name, quantity in requests.items():
        asked, most = _number(quantity), _number(limits.get(name))
        if name not in limits and "/" in name:
            yield Problem(("requests", name), "needs the same amount under limits")
        elif asked is not None and most is not None and (asked > most or (asked != most and "/" in name)):
            less = "must be the same as the limit" if "/" in name else "is more than the limit"
            yield Problem(("requests", name), f"{less} of {limits[name]}")


def _security(value: Struct) -> Iterator[Problem]:
    if value.get("privileged") and value.get("allowPrivilegeEscalation") is False:
        yield Problem(("allowPrivilegeEscalation",), "cannot be false while privileged is true")


def _seccomp(value: Struct) -> Iterator[Problem]:
    local, profile = value.get("type") == "Localhost", value.get("localhostProfile")
    if local != bool(profile):
        yield Problem((), "must have type Localhost and a localhostProfile, or neither")
    elif isinstance(profile, str) and (profile.startswith("/") or ".." in profile.split("/")):
        yield Problem(("localhostProfile",), "must be a path without / in front and without ..")


def _container(value: Struct) -> Iterator[Problem]:
    for name in ("livenessProbe", "startupProbe"):
        probe = value.get(name)
        if isinstance(probe, dict) and probe.get("successThreshold") not in (None, 0, 1):
            yield Problem((name, "successThreshold"), "must be 1")
    readiness = value.get("readinessProbe")
    if isinstance(readiness, dict) and readiness.get("terminationGracePeriodSeconds") is not None:
        yield Problem(("readinessProbe", "terminationGracePeriodSeconds"), "means nothing there: remove it")
    privileged = (value.get("securityContext") or {}).get("privileged")
    for index, mount in enumerate(value.get("volumeMounts") or []):
        if isinstance(mount, dict) and mount.get("mountPropagation") == "Bidirectional" and not privileged:
            place = ("volumeMounts", index, "mountPropagation")
            yield Problem(place, "is Bidirectional, which only a privileged container may have")


def _mount(value: Struct) -> Iterator[Problem]:
    if value.get("subPath") and value.get("subPathExpr"):
        yield Problem(("subPathExpr",), "is set beside subPath: keep one")


def _variable_source(value: Struct) -> Iterator[Problem]:
    yield from _references(value, _VARIABLE_FIELDS)


def _downward_file(value: Struct) -> Iterator[Problem]:
    yield from _references(value, _FILE_FIELDS)
    resource = value.get("resourceFieldRef")
    if isinstance(resource, dict) and not resource.get("containerName"):
        yield Problem(("resourceFieldRef",), "has no containerName")


def _references(value: Struct, fields: str) -> Iterator[Problem]:
    field, resource = value.get("fieldRef"), value.get("resourceFieldRef")
    if isinstance(field, dict) and not re.fullmatch(fields, str(field.get("fieldPath", ""))):
        yield Problem(("fieldRef", "fieldPath"), "is not a field that can be read, for instance metadata.name")
    elif isinstance(field, dict) and field.get("apiVersion", "v1") != "v1":
        yield Problem(("fieldRef", "apiVersion"), "must be v1")
    if isinstance(resource, dict) and not re.fullmatch(_RESOURCES, str(resource.get("resource", ""))):
        yield Problem(("resourceFieldRef", "resource"), "must be a resource like limits.memory or requests.cpu")


def _projection(value: Struct) -> Iterator[Problem]:
    if len(value) > 1:
        yield Problem((), f"has {' and '.join(value)}: make an item of each")


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


def _pod(value: Struct) -> Iterator[Problem]:
    if value.get("dnsPolicy") == "None" and not (value.get("dnsConfig") or {}).get("nameservers"):
        yield Problem((), "has dnsPolicy None and no dnsConfig.nameservers")
    if value.get("shareProcessNamespace") and value.get("hostPID"):
        yield Problem(("shareProcessNamespace",), "is set beside hostPID: keep one")
    containers = {"initContainers": value.get("initContainers") or [], "containers": value.get("containers") or []}
    taken: list[str] = []
    for field, its in containers.items():
        for index, container in enumerate(its):
            if container["name"] in taken:
                yield Problem((field, index, "name"), "is what another container is called")
            taken.append(container["name"])
            yield from _later(container, (field, index)) if field == "initContainers" else ()


def _later(container: Struct, path: Path) -> Iterator[Problem]:
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if name in container and container.get("restartPolicy") != "Always":
            yield Problem((*path, name), "is not for a container that ends before the pod starts")


def _volume(value: Struct) -> Iterator[Problem]:
    if len(value) > 2:
        yield Problem((), "must have a name and one kind of volume, for instance configMap or emptyDir: {}")


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
    elif str(size).startswith("-") or not _number(size):
        yield Problem(("resources", "requests", "storage"), "must be above 0")


TOGETHER: dict[str, Check] = {
    "Container": _container,
    "DeploymentSpec": _workload,
    "DeploymentStrategy": _strategy,
    "DownwardAPIVolumeFile": _downward_file,
    "EnvVarSource": _variable_source,
    "HTTPIngressPath": _ingress_path,
    "HorizontalPodAutoscalerSpec": _scaler,
    "IPBlock": _block,
    "IngressServiceBackend": _ingress_service,
    "IngressSpec": _ingress,
    "JobSpec": _job,
    "LabelSelectorRequirement": _requirement,
    "NetworkPolicyPeer": _peer,
    "NetworkPolicyPort": _policy_port,
    "NodeSelectorRequirement": _requirement,
    "NodeSelectorTerm": _node_term,
    "PersistentVolumeClaimSpec": _claim,
    "PodDisruptionBudgetSpec": _budget,
    "PodSpec": _pod,
    "PolicyRule": _rule,
    "ResourceRequirements": _container_resources,
    "SeccompProfile": _seccomp,
    "SecurityContext": _security,
    "ServiceSpec": _service,
    "StatefulSetSpec": _workload,
    "Toleration": _toleration,
    "TopologySpreadConstraint": _spread,
    "Volume": _volume,
    "VolumeMount": _mount,
    "VolumeProjection": _projection,
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
