"""What the API server wants between the containers, volumes and annotations of one pod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convex_k8s.problems import Path, Problem

Struct = Mapping[str, Any]

_LISTS = ("initContainers", "containers")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_OF_POD = "seccomp.security.alpha.kubernetes.io/pod"
_BLOCK_VOLUMES = ("persistentVolumeClaim", "ephemeral")


def containers_of(pod: Struct) -> Iterator[tuple[Path, Struct]]:
    """The containers of a pod with their places, in the order in which they start."""
    for field in _LISTS:
        for index, container in enumerate(pod.get(field) or []):
            yield (field, index), container


def between_containers(pod: Struct) -> Iterator[Problem]:
    """What a container needs of its pod, beside volumes: claims, Windows, users."""
    claims = [claim.get("name") for claim in pod.get("resourceClaims") or []]
    for path, container in containers_of(pod):
        for index, claim in enumerate((container.get("resources") or {}).get("claims") or []):
            if claim.get("name") not in claims:
                place = (*path, "resources", "claims", index, "name")
                yield Problem(place, f"is {claim.get('name')}, and no item of the pod's resourceClaims is called so")
        security = container.get("securityContext") or {}
        if security.get("procMount") == "Unmasked" and pod.get("hostUsers") is not False:
            yield Problem(
                (*path, "securityContext", "procMount"), "is Unmasked, which needs hostUsers false in the pod"
            )
    yield from _host_processes(pod)


def _host_processes(pod: Struct) -> Iterator[Problem]:
    of_pod = _host_process(pod)
    given = [(path, _host_process(container)) for path, container in containers_of(pod)]
    for path, own in given:
        if own is not None and of_pod is not None and own != of_pod:
            yield Problem((*path, "securityContext", "windowsOptions", "hostProcess"), "differs from that of the pod")
            return
    each = [(path, bool(of_pod if own is None else own)) for path, own in given]
    hosts = [path for path, host in each if host]
    if not hosts:
        return
    place = (*hosts[0], "securityContext", "windowsOptions", "hostProcess")
    if len(hosts) < len(each):
        yield Problem(place, "is true, and not in every container of the pod: all must be host processes, or none")
    elif not pod.get("hostNetwork"):
        yield Problem(place, "is true, which needs hostNetwork in the pod")


def _host_process(struct: Struct) -> bool | None:
    windows = (struct.get("securityContext") or {}).get("windowsOptions") or {}
    host: bool | None = windows.get("hostProcess")
    return host


def volumes_fit(pod: Struct, claims: tuple[str, ...] = ()) -> Iterator[Problem]:
    """What the containers mount must be a volume of the pod, or one of the `claims` that a StatefulSet makes."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or []}
    for path, container in containers_of(pod):
        for index, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] not in volumes and mount["name"] not in claims:
                place = (*path, "volumeMounts", index, "name")
                yield Problem(place, f"is {mount['name']}, and no volume of the pod is called so")
    yield from devices_fit(pod, claims)


def devices_fit(pod: Struct, claims: tuple[str, ...] = ()) -> Iterator[Problem]:
    """What the containers have as block devices must be claims, which they do not mount too."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or []}
    for path, container in containers_of(pod):
        mounts = container.get("volumeMounts") or []
        mounted, paths = [mount["name"] for mount in mounts], [mount["mountPath"] for mount in mounts]
        for index, device in enumerate(container.get("volumeDevices") or []):
            name, place = device["name"], (*path, "volumeDevices", index, "name")
            if name in mounted:
                yield Problem(place, f"is {name}, which the container mounts as a folder already")
            elif device["devicePath"] in paths:
                yield Problem((*place[:-1], "devicePath"), "is where the container mounts a folder already")
            elif name not in volumes and name not in claims:
                yield Problem(place, f"is {name}, and no volume of the pod is called so")
            elif name not in claims and not any(kind in volumes[name] for kind in _BLOCK_VOLUMES):
                yield Problem(place, f"is {name}, which is no claim: only persistentVolumeClaim and ephemeral are")


def annotations_fit(annotations: Struct, names: list[str], profile: Struct) -> Iterator[Problem]:
    """What is wrong with the annotations of a pod that stand for AppArmor and seccomp, by their keys.

    `names` are its containers, `profile` is its seccompProfile.
    """
    for key, value in annotations.items():
        if key.startswith(_APPARMOR) and key.removeprefix(_APPARMOR) not in names:
            yield Problem((key,), f"names no container of the pod: {', '.join(names)}")
        elif key.startswith(_APPARMOR) and not re.fullmatch(r"(runtime/default|unconfined|localhost/.*)?", str(value)):
            yield Problem((key,), "must be runtime/default, unconfined or localhost/ and the name of a profile")
        elif (key == _SECCOMP_OF_POD or key.startswith(_SECCOMP)) and not _is_seccomp(str(value)):
            yield Problem((key,), "must be runtime/default, unconfined or localhost/ and the path of a profile")
        elif key == _SECCOMP_OF_POD and (own := profile.get("type")) not in (
            None,
            _SECCOMP_TYPES.get(str(value), "Localhost"),
        ):
            yield Problem((key,), f"contradicts securityContext.seccompProfile, which is {own}: remove the annotation")


_SECCOMP_TYPES = {"runtime/default": "RuntimeDefault", "docker/default": "RuntimeDefault", "unconfined": "Unconfined"}


def _is_seccomp(value: str) -> bool:
    if value.startswith("localhost/"):
        path = value.removeprefix("localhost/")
        return not path.startswith("/") and ".." not in path.split("/")
    return value in ("runtime/default", "docker/default", "unconfined")


def template(value: Struct) -> Iterator[Problem]:
    """What is wrong with the annotations of a pod, or of the pods of a workload."""
    annotations = (value.get("metadata") or {}).get("annotations") or {}
    pod = value.get("spec") or {}
    names = [container["name"] for _, container in containers_of(pod)]
    profile = (pod.get("securityContext") or {}).get("seccompProfile") or {}
    for problem in annotations_fit(annotations, names, profile):
        yield Problem(("metadata", "annotations", *problem.path), problem.message)
