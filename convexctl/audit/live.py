"""Manifests from the current cluster, through the user's kubectl. Of Secrets only names and keys are read."""

from __future__ import annotations

from typing import Any

from convexctl.tools.kubectl import Kubectl, KubectlError

_KINDS = (
    "statefulsets.apps",
    "deployments.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "pods",
    "services",
    "configmaps",
    "persistentvolumeclaims",
    "ingresses.networking.k8s.io",
    "horizontalpodautoscalers.autoscaling",
)
_CUSTOM_KINDS = (
    "httproutes.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "middlewares.traefik.io",
    "scaledobjects.keda.sh",
)
"""Asked for where the cluster has them."""


def read(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The objects of kubectl's namespace that the behaviour model looks at.

    Secrets come with their keys and without values; where they may not be listed they are left out, and count as out of
    sight. Raises `KubectlError` where the rest cannot be read.
    """
    there = set(kubectl.run("api-resources", "--output=name", "--namespaced=true").split())
    kinds = [*_KINDS, *(kind for kind in _CUSTOM_KINDS if kind in there)]
    return [*kubectl.all_of(",".join(kinds)), *_secrets(kubectl)]


def _secrets(kubectl: Kubectl) -> list[dict[str, Any]]:
    try:
        return kubectl.secrets_without_values()
    except KubectlError:
        return []
