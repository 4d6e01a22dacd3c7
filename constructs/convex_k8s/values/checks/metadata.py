"""Checks of names, labels and annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


OWN_LABELS = frozenset(
    {"app", *(f"app.kubernetes.io/{part}" for part in ("name", "instance", "component", "part-of", "managed-by"))}
)
"""Labels that every object has already."""


CHECKSUM_ANNOTATION = "checksum/config"
"""The annotation by which a changed ConfigMap rolls the backend."""
CLOUD_NATIVE_PG = "convex-k8s/cloudnative-pg"
"""The annotation of the backend that names the Cluster of CloudNativePG that it uses."""
DATA_LABEL = "convex-k8s/data"
"""The label of an object that takes the documents along when it is deleted."""
OVERLAY_ANNOTATION = "convex-k8s/overlay"
"""The annotation that names the overlay from which an object was made."""


def _replicas(values: Values) -> Iterator[Problem]:
    if values.replica_count != 1:
        yield Problem(
            ("replicaCount",),
            "must be 1: the backend has exactly one writer, and a second one would fight it over the database. "
            "For more dashboard pods set dashboard.replicaCount",
        )


def _namespace(values: Values) -> Iterator[Problem]:
    if values.create_namespace and not values.namespace:
        yield Problem(("createNamespace",), "needs a name for the namespace: set namespace", (("namespace",),))


def _pull_secrets(values: Values) -> Iterator[Problem]:
    names = [secret.name for secret in values.image_pull_secrets]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(
                ("imagePullSecrets", index), "is in the list already, which server-side apply refuses: remove it"
            )


def _labels(values: Values) -> Iterator[Problem]:
    for path, labels in (
        (("commonLabels",), values.common_labels),
        (("backend", "podLabels"), values.backend.pod_labels),
        (("dashboard", "podLabels"), values.dashboard.pod_labels),
    ):
        for key in (key for key in labels if key in OWN_LABELS):
            yield Problem((*path, key), "is a label that every object has already: choose another key")
    for path, own in (
        (("commonAnnotations",), values.common_annotations),
        (("backend", "podAnnotations"), values.backend.pod_annotations),
    ):
        if CHECKSUM_ANNOTATION in own:
            yield Problem((*path, CHECKSUM_ANNOTATION), "is set by the backend itself: choose another key")
    everywhere: tuple[tuple[Path, dict[str, str]], ...] = (
        (("commonAnnotations",), values.common_annotations),
        (("ingress", "annotations"), values.ingress.annotations),
        (("service", "backend", "annotations"), values.service.backend.annotations),
        (("service", "dashboard", "annotations"), values.service.dashboard.annotations),
    )
    for place, own in everywhere:
        if OVERLAY_ANNOTATION in own:
            yield Problem((*place, OVERLAY_ANNOTATION), "is set on every object: remove it")


ERRORS = (_replicas, _namespace, _pull_secrets, _labels)
