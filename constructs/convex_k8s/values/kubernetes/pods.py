"""What the API server wants of the fields of one structure of a pod together, which its schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from convex_k8s.problems import Path, Problem
from convex_k8s.values.kubernetes.amounts import amounts, unit
from convex_k8s.values.kubernetes.checks import ANNOTATION_KEY, DNS_NAME, LABEL_KEY, LABEL_VALUE
from convex_k8s.values.kubernetes.pod_specs import between_containers, template

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
        elif fault := DNS_NAME(entry["values"][0]):
            yield Problem((*path, "values", 0), fault)


def _node_selector(value: Struct) -> Iterator[Problem]:
    for place, term in enumerate(value.get("nodeSelectorTerms") or []):
        for index, entry in enumerate(term.get("matchExpressions") or []):
            for nth, label in enumerate(entry.get("values") or []):
                if fault := LABEL_VALUE(label):
                    yield Problem(("nodeSelectorTerms", place, "matchExpressions", index, "values", nth), fault)


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

    path = str((field or {}).get("fieldPath", "")) if isinstance(field, dict) else ""
    kind, _, key = path.removesuffix("']").partition("['")
    check = {"metadata.labels": LABEL_KEY, "metadata.annotations": ANNOTATION_KEY}.get(kind)
    if check and (fault := check(key if check is LABEL_KEY else key.lower())):
        yield Problem(("fieldRef", "fieldPath"), fault)


def _projected(value: Struct) -> Iterator[Problem]:
    """The files of all sources lie in one folder."""
    taken: list[str] = []
    for index, source in enumerate(value.get("sources") or []):
        for kind, its in source.items():
            files = [(("items", place), item) for place, item in enumerate(its.get("items") or [])]
            for path, file in files:
                if file["path"] in taken:
                    place = ("sources", index, kind, *path, "path")
                    yield Problem(place, f"is {file['path']}, where another source puts a file already")
                taken.append(file["path"])


def _iscsi(value: Struct) -> Iterator[Problem]:
    if (value.get("chapAuthDiscovery") or value.get("chapAuthSession")) and not value.get("secretRef"):
        yield Problem((), "has no secretRef, which CHAP needs")


def _pod_security(value: Struct) -> Iterator[Problem]:
    names = [sysctl["name"] for sysctl in value.get("sysctls") or []]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(("sysctls", index, "name"), "is what another one in the list has already")


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
    yield from between_containers(value)
    if value.get("schedulingGates") and value.get("nodeName"):
        yield Problem(("nodeName",), "is set beside schedulingGates: keep one")
    sysctls = (value.get("securityContext") or {}).get("sysctls") or []
    for index, sysctl in enumerate(sysctls):
        for shared, names in _SYSCTLS_OF_THE_NODE.items():
            if value.get(shared) and re.match(names, sysctl["name"]):
                place = ("securityContext", "sysctls", index, "name")
                yield Problem(place, f"is the node's own with {shared}: remove it")
    yield from _whole(value)


_SYSCTLS_OF_THE_NODE = {"hostNetwork": "net[./]", "hostIPC": r"kernel[./](shm|msg|sem)|fs[./]mqueue[./]"}


def _whole(value: Struct) -> Iterator[Problem]:
    """What the pod has for all its containers."""
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        if value.get(shared) and value.get("hostUsers") is False:
            yield Problem((shared,), "cannot be true while hostUsers is false")
    resources = value.get("resources") or {}
    for name in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}:
        if name not in ("cpu", "memory") and not name.startswith("hugepages-"):
            yield Problem(("resources",), f"has {name}, and a pod as a whole may have cpu, memory and huge pages")


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
    "ISCSIVolumeSource": _iscsi,
    "LabelSelectorRequirement": _requirement,
    "NodeSelector": _node_selector,
    "NodeSelectorRequirement": _requirement,
    "NodeSelectorTerm": _node_term,
    "PodSecurityContext": _pod_security,
    "PodSpec": _pod,
    "PodTemplateSpec": template,
    "ProjectedVolumeSource": _projected,
    "ResourceFieldSelector": unit,
    "ResourceRequirements": amounts,
    "SeccompProfile": _seccomp,
    "SecurityContext": _security,
    "Toleration": _toleration,
    "TopologySpreadConstraint": _spread,
    "Volume": _volume,
    "VolumeMount": _mount,
    "VolumeProjection": _projection,
}
"""The checks, by the type of the structure."""
