"""What the API server wants of the fields of one structure of a pod together, which its schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from convex_k8s.problems import Path, Problem
from convex_k8s.values.base import QUALIFIED
from convex_k8s.values.quantities import QUANTITY, amount

Struct = Mapping[str, Any]
Check = Callable[[Struct], Iterator[Problem]]

_RESOURCES = r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)"
_VARIABLE_FIELDS = (
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['.+'\]|"
    r"spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
_FILE_FIELDS = r"metadata\.(name|namespace|uid|labels|annotations)|metadata\.(labels|annotations)\['.+'\]"
_NUMBER_OF_VALUES = {"In": "some", "NotIn": "some", "Exists": "none", "DoesNotExist": "none", "Gt": "one", "Lt": "one"}


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


def number(quantity: Any) -> Any:
    """The number of a quantity; None if it is none."""
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
            elif "/" in name and (number(quantity) or 0) % 1:
                yield Problem((field, name), "must be a whole number")
    for name, quantity in requests.items():
        asked, most = number(quantity), number(limits.get(name))
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


OF_PODS: dict[str, Check] = {
    "Container": _container,
    "DownwardAPIVolumeFile": _downward_file,
    "EnvVarSource": _variable_source,
    "LabelSelectorRequirement": _requirement,
    "NodeSelectorRequirement": _requirement,
    "NodeSelectorTerm": _node_term,
    "PodSpec": _pod,
    "ResourceRequirements": _container_resources,
    "SeccompProfile": _seccomp,
    "SecurityContext": _security,
    "Toleration": _toleration,
    "TopologySpreadConstraint": _spread,
    "Volume": _volume,
    "VolumeMount": _mount,
    "VolumeProjection": _projection,
}
"""The checks, by the type of the structure."""
