"""Objects of the user's own, beside those that the overlay makes."""

from __future__ import annotations

from typing import Any

from convex_k8s.naming import Naming
from convex_k8s.values.kubernetes import types as kubernetes_types


def complete(naming: Naming, manifest: dict[str, Any]) -> dict[str, Any]:
    """An object of `extraObjects`, with namespace, labels and annotations of the environment filled in."""
    given = manifest["metadata"]
    namespace = given.get("namespace")
    if "namespace" not in given and not kubernetes_types.cluster_wide(manifest):
        namespace = naming.values.namespace
    metadata = {
        **given,
        "namespace": namespace or None,
        "labels": {**naming.labels(), **(given.get("labels") or {})},
        "annotations": naming.annotations(given.get("annotations")),
    }
    whole: dict[str, Any] = kubernetes_types.without_nulls({**manifest, "metadata": metadata})
    return whole
