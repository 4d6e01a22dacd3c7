"""Kinds and versions of Kubernetes' own groups, and what its objects may be called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from convex_k8s.problems import Problem
from convex_k8s.values.base import LABEL, SUBDOMAIN

_KINDS = {
    "v1": "Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v1": "HorizontalPodAutoscaler",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "networking.k8s.io/v1": "Ingress IngressClass IPAddress NetworkPolicy ServiceCIDR",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
}
"""The kinds by version, of the groups that overlays use; of every other group nothing is known."""
_GROUPS = {"", "extensions", *(version.rpartition("/")[0] for version in _KINDS)}
_BETA_LEFT = {"networking.k8s.io/v1beta1": "IPAddress ServiceCIDR"}


def version_fault(api_version: str, kind: str) -> Iterator[Problem]:
    """What is wrong with apiVersion and kind, for a group that is Kubernetes' own."""
    group = api_version.rpartition("/")[0]
    if not re.fullmatch(rf"{SUBDOMAIN}/{LABEL}|v[0-9]+", api_version):
        yield Problem(("apiVersion",), "must be a group and a version like apps/v1, or v1")
        return
    if group not in _GROUPS:
        return
    kinds = (_KINDS.get(api_version) or _BETA_LEFT.get(api_version, "")).split()
    if kind in kinds:
        return
    homes = [known for known, its in _KINDS.items() if kind in its.split()]
    if homes:
        yield Problem(("apiVersion",), f"has no {kind} in Kubernetes 1.27 or later: write {homes[-1]}")
    elif not kinds:
        known = [each for each in _KINDS if each.rpartition("/")[0] == group]
        yield Problem(
            ("apiVersion",), f"is not in Kubernetes 1.27 or later{f': there is {known[-1]}' if known else ''}"
        )
    else:
        close = difflib.get_close_matches(kind.lower(), [each.lower() for each in kinds], n=1)
        meant = next((each for each in kinds if [each.lower()] == close), "")
        hint = f"did you mean {meant}?" if meant else f"it has: {', '.join(kinds)}"
        yield Problem(("kind",), f"is not a kind of {api_version}: {hint}")


_LONGEST = {"CronJob": 52, "Service": 63, "Namespace": 63}


def name_fault(manifest: dict[str, Any]) -> str:
    """What is wrong with the name of an object; empty if nothing is."""
    group, kind, name = manifest["apiVersion"].rpartition("/")[0], manifest["kind"], manifest["metadata"]["name"]
    if group == "rbac.authorization.k8s.io":
        return "must have no / and no % in it" if re.search("[/%]", name) or name in (".", "..") else ""
    longest = _LONGEST.get(kind, 253) if group in ("", "batch") else 253
    if len(name) > longest:
        return f"has {len(name)} characters, and {longest} are the most"
    if kind == "Service" and not group:
        fits, what = re.fullmatch(f"(?=[a-z]){LABEL}", name), "lower-case letters, digits, dashes, a letter first"
    else:
        fits, what = re.fullmatch(SUBDOMAIN, name), "lower-case letters, digits, dashes, dots"
    return "" if fits else f"must be the name of an object ({what})"
