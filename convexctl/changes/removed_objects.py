"""How objects that an environment no longer has leave the cluster: `kubectl apply` does not delete them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from convexctl.changes.compare_objects import identity
from convexctl.tools.kubectl import BUILT_IN_GROUPS

_WITH_DATA = ("Namespace", "PersistentVolumeClaim", "PersistentVolume", "Cluster")
"""Kinds that no printed line deletes, because data goes with them; Cluster is CloudNativePG's."""


def deletions(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[str]:
    """The commands that delete what is in `before` and no longer in `after`, one for each namespace."""
    stays = {identity(manifest) for manifest in after}
    names: dict[str, list[str]] = {}
    for manifest in before:
        if identity(manifest) not in stays and manifest["kind"] not in _WITH_DATA:
            namespace = str(manifest["metadata"].get("namespace") or "")
            names.setdefault(namespace, []).append(_name(manifest))
    return [
        shlex.join(["kubectl", *(["-n", namespace] if namespace else []), "delete", *found])
        for namespace, found in names.items()
    ]


def _name(manifest: Mapping[str, Any]) -> str:
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    kind = str(manifest["kind"]).lower()
    return f"{kind if group in BUILT_IN_GROUPS else f'{kind}.{group}'}/{manifest['metadata']['name']}"
