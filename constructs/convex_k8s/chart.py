"""One environment is one chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdk8s import Chart
from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.backend import Backend
from convex_k8s.bootstrap import Bootstrap
from convex_k8s.config import Config
from convex_k8s.dashboard import Dashboard
from convex_k8s.external_secrets import ExternalSecrets
from convex_k8s.gateway import Gateway
from convex_k8s.ingress import Ingress
from convex_k8s.naming import Naming
from convex_k8s.origins import Origins
from convex_k8s.patches import apply_patches
from convex_k8s.sealed_secrets import SealedSecrets
from convex_k8s.targets import Targets
from convex_k8s.values import Values

POD_SECURITY = {"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"}
"""The backend's image runs as root, which `restricted` refuses and `baseline` allows: so the one is only warned of."""


class ConvexChart(Chart):
    """All objects of an environment, in the order in which they are applied.

    `sealed_secrets` are `SealedSecret` manifests, taken over where `secrets.provider` is `sealed-secrets`. `overlay`
    becomes an annotation of every object, which tells environments apart in a cluster.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        values: Values,
        sealed_secrets: Iterable[Mapping[str, Any]] = (),
        overlay: str = "",
    ) -> None:
        super().__init__(scope, id)
        naming = Naming(values, overlay)
        match values.secrets.provider:
            case "external-secrets":
                ExternalSecrets(self, "external-secrets", naming)
            case "sealed-secrets":
                SealedSecrets(self, "sealed-secrets", naming, sealed_secrets)
            case "bootstrap":
                Bootstrap(self, "bootstrap", naming)
        config = Config(self, "config", naming)
        backend = Backend(self, "backend", naming, config)
        dashboard = Dashboard(self, "dashboard", naming, Origins.of(values)) if values.dashboard.enabled else None
        if values.public_hosts:
            targets = Targets(self, naming, backend, dashboard)
            if values.ingress.enabled:
                Ingress(self, "ingress", naming, targets)
            if values.gateway.enabled:
                Gateway(self, "gateway", naming, targets)
        apply_patches(self, naming, [_namespace(naming)] if values.create_namespace else [])


class NamespaceChart(Chart):
    """The Namespace alone: whoever deletes the environment's objects must not delete its Secrets and claims with it."""

    def __init__(self, scope: Construct, id: str, values: Values, overlay: str = "") -> None:
        super().__init__(scope, id)
        naming = Naming(values, overlay)
        metadata = _namespace(naming)["metadata"]
        k8s.KubeNamespace(self, "namespace", metadata=k8s.ObjectMeta(**metadata))
        apply_patches(self, naming)


def _namespace(naming: Naming) -> dict[str, Any]:
    labels = {**naming.labels(), **POD_SECURITY}
    annotations = naming.annotations()
    metadata = {"name": naming.values.namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
