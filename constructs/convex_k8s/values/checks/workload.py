"""Checks of what backend and dashboard have in common: security, resources, image tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem, dotted
from convex_k8s.values.quantities import amount

if TYPE_CHECKING:
    from convex_k8s.values import Values
    from convex_k8s.values.workload import Image


BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What Pod Security `baseline`, which the namespace of `createNamespace` enforces, lets a container add."""


def _pod_security(values: Values) -> Iterator[Problem]:
    if not values.create_namespace:
        return
    for name, workload in (("backend", values.backend), ("dashboard", values.dashboard)):
        context = workload.security_context
        path: Path = (name, "securityContext")
        if context.seccomp_profile.type == "Unconfined":
            yield Problem((*path, "seccompProfile", "type"), f"is Unconfined, {_NO_POD}", (("createNamespace",),))
        for index, capability in enumerate(context.capabilities.add):
            if capability not in BASELINE_CAPABILITIES:
                yield Problem(
                    (*path, "capabilities", "add", index), f"is {capability}, {_NO_POD}", (("createNamespace",),)
                )


_NO_POD = (
    "which Pod Security baseline refuses, and the namespace that createNamespace makes enforces that: no pod would be "
    "made. Leave it out, or make the namespace yourself"
)


def _resources(values: Values) -> Iterator[Problem]:
    for name, resources in (("backend", values.backend.resources), ("dashboard", values.dashboard.resources)):
        for kind, field in (("cpu", "cpu"), ("memory", "memory"), ("ephemeralStorage", "ephemeral_storage")):
            request, limit = getattr(resources.requests, field), getattr(resources.limits, field)
            if request is not None and limit is not None and amount(limit) < amount(request):
                requested: Path = (name, "resources", "requests", kind)
                yield Problem(
                    (name, "resources", "limits", kind),
                    f"is {limit}, less than the request of {request}, which Kubernetes refuses: raise it, "
                    f"or lower {dotted(requested)}",
                    (requested,),
                )


def _tags(values: Values) -> Iterator[Problem]:
    images: dict[str, Image] = {"backend": values.backend.image}
    if values.dashboard.enabled:
        images["dashboard"] = values.dashboard.image
    services = (values.service.backend, values.service.dashboard)
    public = values.public_hosts is not None or any(service.type != "ClusterIP" for service in services)
    for name, image in images.items():
        path: Path = ("image", "tag") if image.tag == values.image.tag else (name, "image", "tag")
        if public and image.tag == "latest" and not image.digest:
            said = "is latest, which upstream moves by hand: pin a full commit SHA of its release branch"
            yield Problem(path, said, rule="tag-latest")
        elif re.fullmatch(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?", image.tag):
            said = "looks like a version, and upstream has none: its tags are full commit SHAs"
            yield Problem(path, said, rule="tag-unknown")
    if values.dashboard.enabled and images["backend"].tag != images["dashboard"].tag:
        yield Problem(
            ("dashboard", "image", "tag"),
            f"is {images['dashboard'].tag}, but the backend's is {images['backend'].tag}: both must carry the same tag",
            rule="tag-skew",
        )


ERRORS = (_pod_security, _resources)
WARNINGS = (_tags,)
