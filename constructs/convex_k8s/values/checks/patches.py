"""Checks of patches and extra objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _targets(values: Values) -> Iterator[Problem]:
    for index, patch in enumerate(values.patches):
        if not (patch.target.kind or patch.target.name):
            yield Problem(("patches", index, "target"), "must have a kind or a name, or it would fit every object")


def _twice(values: Values) -> Iterator[Problem]:
    seen = []
    for index, manifest in enumerate(values.extra_objects):
        metadata = manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        identity = (group, manifest["kind"], metadata.get("namespace"), metadata["name"])
        if identity in seen:
            yield Problem(("extraObjects", index), "is in the list already: remove one of the two")
        seen.append(identity)


ERRORS = (_targets, _twice)
