"""Which overlay the objects in a cluster were made from, by the annotation that every object carries."""

from __future__ import annotations

from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION

from convexctl.errors import UserError
from convexctl.tools.kubectl import Kubectl

_PARTS = {"statefulset": "backend", "deployment": "dashboard", "configmap": "config"}
"""Kinds that are looked up by name, each with the end of its object's name."""


class OtherOverlayError(UserError):
    """What is in the cluster under the names of an environment was made from another overlay."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"{detail}: {remedy}")
        self.detail, self.remedy = detail, remedy


def check_owner(kubectl: Kubectl, overlay: str, release_name: str) -> None:
    """Raise `OtherOverlayError` if another overlay has the environment's names in the cluster.

    Objects without the annotation, as Helm's, are nobody's. Raises `KubectlError` if the cluster does not say.
    """
    wanted = [f"{kind}/{release_name}-{part}" for kind, part in _PARTS.items()]
    others: dict[str, list[str]] = {}
    for item in kubectl.objects("get", *wanted, "--ignore-not-found"):
        owner = (item["metadata"].get("annotations") or {}).get(OVERLAY_ANNOTATION, overlay)
        if owner != overlay:
            others.setdefault(owner, []).append(f"{str(item.get('kind', '')).lower()}/{item['metadata']['name']}")
    if not others:
        return
    names = [name for found in others.values() for name in found]
    raise OtherOverlayError(
        f"{', '.join(names)} ({kubectl.place()}) was made from the overlay {', '.join(sorted(others))}, "
        f"and not from {overlay}",
        "choose another context, or set namespace or releaseName in the overlay. If the overlay only has a new name: "
        f"kubectl annotate --overwrite {' '.join(names)} {OVERLAY_ANNOTATION}={overlay}{kubectl.options()}",
    )
