"""Manifests from the current cluster, through the user's kubectl. Of Secrets only names and keys are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convexctl.tools.kubectl import Kubectl, KubectlError
from convexctl.wording import listed

_CONFIG_MAPS = "configmaps"
_KINDS = (
    "statefulsets.apps",
    "deployments.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "pods",
    "services",
    _CONFIG_MAPS,
    "persistentvolumeclaims",
    "ingresses.networking.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
    "serviceaccounts",
    "limitranges",
)
_WORKLOADS = ("statefulsets.apps", "deployments.apps", "services", _CONFIG_MAPS, "ingresses.networking.k8s.io")
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

    Secrets come with their keys and without values. A Secret or ConfigMap that is not listed does not exist. A kind
    that the account may not list is out of sight, and a note says so. Raises `KubectlError` if nothing can be listed.
    """
    there = set(kubectl.run("api-resources", "--output=name", "--namespaced=true").split())
    kinds = [*_KINDS, *(kind for kind in _CUSTOM_KINDS if kind in there)]
    objects, refused = _listed(kubectl, kinds)
    complete = [] if _CONFIG_MAPS in refused else ["ConfigMap"]
    notes = [f"{listed(refused, 'and')} may not be listed here: nothing is known of them"] if refused else []
    try:
        objects += kubectl.secrets_without_values()
        complete.append("Secret")
    except KubectlError as error:
        if not _forbidden(error):
            raise
        notes.append("Secrets may not be listed here: which of them exist, and which keys they have, is not known")
    return Live(objects, tuple(complete), tuple(notes))


def _listed(kubectl: Kubectl, kinds: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """All objects of some kinds, and the kinds that the account may not list."""
    try:
        return kubectl.all_of(",".join(kinds)), []
    except KubectlError as error:
        if not _forbidden(error):
            raise
        first = error
    objects: list[dict[str, Any]] = []
    refused: list[str] = []
    for kind in kinds:
        try:
            objects += kubectl.all_of(kind)
        except KubectlError as error:
            if not _forbidden(error):
                raise
            refused.append(kind)
    if len(refused) == len(kinds):
        raise KubectlError(
            f"{kubectl.place()}: nothing may be listed there ({first}). A Role with the verbs get and list, on "
            f"{listed(list(_WORKLOADS), 'and')} at least, allows an audit"
        )
    return objects, refused


def _forbidden(error: KubectlError) -> bool:
    return "forbidden" in str(error).lower()
