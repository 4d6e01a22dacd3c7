"""Objects of the user's own, beside those that the overlay makes."""

from __future__ import annotations

from typing import Any

from convex_k8s import kubernetes_types
from convex_k8s.naming import Naming

CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeSnapshotClass",
    }
)
"""Kinds without a namespace, beside those whose name begins with `Cluster`."""


def complete(naming: Naming, manifest: dict[str, Any]) -> dict[str, Any]:
    """An object of `extraObjects`, with namespace, labels and annotations of the environment filled in."""
    given = manifest["metadata"]
    namespace = given.get("namespace")
    if "namespace" not in given and not cluster_wide(manifest):
        namespace = naming.values.namespace
    metadata = {
        **given,
        "namespace": namespace or None,
        "labels": {**naming.labels(), **(given.get("labels") or {})},
        "annotations": naming.annotations(given.get("annotations")),
    }
    whole: dict[str, Any] = kubernetes_types.without_nulls({**manifest, "metadata": metadata})
    return whole


def cluster_wide(manifest: dict[str, Any]) -> bool:
    """Whether an object has no namespace, as far as its kind says. CloudNativePG's `Cluster` has one."""
    kind: str = manifest["kind"]
    return kind in CLUSTER_WIDE or (kind.startswith("Cluster") and kind != "Cluster")
