"""Manifests from the current cluster, through the user's kubectl. Of Secrets only names and keys are read."""

from __future__ import annotations

from dataclasses import dataclass
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
    "poddisruptionbudgets.policy",
    "serviceaccounts",
    "limitranges",
)
_CUSTOM_KINDS = (
    "httproutes.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "middlewares.traefik.io",
    "scaledobjects.keda.sh",
    "ingressroutes.traefik.io",
    "routes.route.openshift.io",
    "virtualservices.networking.istio.io",
    "tlsroutes.gateway.networking.k8s.io",
    "sealedsecrets.bitnami.com",
    "externalsecrets.external-secrets.io",
    "clusters.postgresql.cnpg.io",
)
"""Asked for where the cluster has them."""


@dataclass(frozen=True)
class Live:
    """What a namespace holds: the objects, the kinds of which all are here, and what could not be read."""

    manifests: list[dict[str, Any]]
    complete: tuple[str, ...]
    notes: tuple[str, ...]


def read(kubectl: Kubectl) -> Live:
    """The objects of kubectl's namespace that the behaviour model looks at.

    Secrets come with their keys and without values, and one that is not among them does not exist. Where they may not
    be listed they count as out of sight. Raises `KubectlError` where the rest cannot be read.
    """
    there = set(kubectl.run("api-resources", "--output=name", "--namespaced=true").split())
    kinds = [*_KINDS, *(kind for kind in _CUSTOM_KINDS if kind in there)]
    objects = kubectl.all_of(",".join(kinds))
    try:
        return Live([*objects, *kubectl.secrets_without_values()], ("ConfigMap", "Secret"), ())
    except KubectlError:
        note = "Secrets may not be listed here: which of them exist, and which keys they have, is not known"
        return Live(objects, ("ConfigMap",), (note,))
