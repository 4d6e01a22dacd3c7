"""What the checks of a cluster have in common: how they read manifests and objects, and what they call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from convexctl.preflight.check import Check, failed, ok

Manifest = Mapping[str, Any]
"""An object of Kubernetes, ours or the cluster's."""


def pods_of(manifests: Iterable[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Every workload with the spec of its pods."""
    for manifest in manifests:
        template = template_of(manifest)
        if manifest["kind"] in ("StatefulSet", "Deployment", "Job", "CronJob") and template:
            yield manifest, template["spec"]


def template_of(manifest: Manifest) -> Manifest:
    """The template of a workload's pods; empty for another object."""
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Manifest = spec.get("template") or {}
    return template


def not_ready(found: Manifest) -> str:
    """An object's own reason why it is not ready; else nothing."""
    for condition in found.get("status", {}).get("conditions") or []:
        bad = (condition["type"], condition["status"]) in {("Ready", "False"), ("Synced", "False"), ("Failed", "True")}
        if bad:
            return str(condition.get("message") or condition.get("reason") or "no reason given")
    return ""


def default_class(title: str, known: Mapping[str, Manifest], annotation: str, parameter: str, user: str) -> Check:
    """Look for the cluster's default among the classes that are `known`, for a `user` that names none."""
    for name, item in known.items():
        if (item["metadata"].get("annotations") or {}).get(annotation) == "true":
            return ok(title, f"{name}, the cluster's default")
    return failed(
        title,
        f"no class is the cluster's default, and {user} names none; the cluster has: {', '.join(known) or 'none'}",
        f"set {parameter}, or annotate a class with {annotation}=true",
    )


def words(kind: str) -> str:
    """`ConfigMap` as `config map`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
