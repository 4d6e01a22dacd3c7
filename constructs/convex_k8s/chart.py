"""One environment is one chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdk8s import Chart
from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.backend import Backend
from convex_k8s.backup import Backup
from convex_k8s.bootstrap import Bootstrap
from convex_k8s.cloud_native_pg import CloudNativePGCluster
from convex_k8s.config import Config
from convex_k8s.dashboard import Dashboard
from convex_k8s.external_secrets import ExternalSecrets
from convex_k8s.flux import keep_literally
from convex_k8s.functions import Functions
from convex_k8s.gateway import Gateway
from convex_k8s.ingress import Ingress
from convex_k8s.maintenance import Maintenance
from convex_k8s.monitoring import Monitoring
from convex_k8s.naming import Naming
from convex_k8s.network_policy import NetworkPolicies
from convex_k8s.origins import Origins
from convex_k8s.patches import apply_patches
from convex_k8s.pod_disruption_budget import PodDisruptionBudgets
from convex_k8s.sealed_secrets import SealedSecrets
from convex_k8s.targets import Targets
from convex_k8s.values import Values

POD_SECURITY = {"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"}
"""The backend's image runs as root, which `restricted` refuses and `baseline` allows: so the one is only warned of."""


class ConvexChart(Chart):
    """All objects of an environment, in the order in which they are applied.

    `sealed_secrets` are `SealedSecret` manifests, taken over where `secrets.provider` is `sealed-secrets`. `overlay`
    becomes an annotation of every object, which tells environments apart in a cluster.

    The chart hands out its parts: `config` and `backend`; `dashboard`, `ingress` and `gateway`, None if off; and
    `secrets`, the objects that make Secrets, None with the provider `existing`.
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
        self.secrets: ExternalSecrets | SealedSecrets | Bootstrap | None = None
        match values.secrets.provider:
            case "external-secrets":
                self.secrets = ExternalSecrets(self, "external-secrets", naming)
            case "sealed-secrets":
                self.secrets = SealedSecrets(self, "sealed-secrets", naming, sealed_secrets)
            case "bootstrap":
                self.secrets = Bootstrap(self, "bootstrap", naming)
        if values.postgres.cloud_native_pg.create.wanted:
            CloudNativePGCluster(self, "database", naming)
        self.config = Config(self, "config", naming)
        self.backend = Backend(self, "backend", naming, self.config)
        self.dashboard: Dashboard | None = None
        if values.dashboard.enabled:
            self.dashboard = Dashboard(self, "dashboard", naming, Origins.of(values))
        self.ingress: Ingress | None = None
        self.gateway: Gateway | None = None
        if values.public_hosts:
            targets = Targets(self, naming, self.backend, self.dashboard)
            if values.ingress.enabled:
                self.ingress = Ingress(self, "ingress", naming, targets)
            if values.gateway.enabled:
                self.gateway = Gateway(self, "gateway", naming, targets)
        if values.backup.enabled:
            Backup(self, "backup", naming)
        if values.functions.image:
            Functions(self, "functions", naming)
        if values.network_policy.enabled:
            NetworkPolicies(self, "network-policies", naming)
        if values.pod_disruption_budget.enabled:
            PodDisruptionBudgets(self, "pod-disruption-budgets", naming)
        if values.monitoring.enabled:
            Monitoring(self, "monitoring", naming)
        if values.maintenance.restart_schedule:
            Maintenance(self, "maintenance", naming)
        beside = [_namespace(naming)] if values.create_namespace else []
        apply_patches(self, naming, beside, values.extra_objects)
        keep_literally(self, values)


class NamespaceChart(Chart):
    """The Namespace alone: whoever deletes the environment's objects must not delete its Secrets and claims with it."""

    def __init__(self, scope: Construct, id: str, values: Values, overlay: str = "") -> None:
        super().__init__(scope, id)
        naming = Naming(values, overlay)
        metadata = _namespace(naming)["metadata"]
        k8s.KubeNamespace(self, "namespace", metadata=k8s.ObjectMeta(**metadata))
        apply_patches(self, naming)
        keep_literally(self, values)


def _namespace(naming: Naming) -> dict[str, Any]:
    labels = {**naming.labels(), **POD_SECURITY}
    annotations = naming.annotations()
    metadata = {"name": naming.values.namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
