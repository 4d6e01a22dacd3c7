"""One environment is one chart."""

from __future__ import annotations

from cdk8s import Chart
from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.backend import Backend
from convex_k8s.config import Config
from convex_k8s.dashboard import Dashboard
from convex_k8s.environment import Environment
from convex_k8s.ingress import Ingress
from convex_k8s.origins import Origins
from convex_k8s.values import Values


class ConvexChart(Chart):
    """All objects of an environment, in the order in which they are applied."""

    def __init__(self, scope: Construct, id: str, values: Values) -> None:
        super().__init__(scope, id)
        environment = Environment(values)
        config = Config(self, "config", environment)
        backend = Backend(self, "backend", environment, config)
        dashboard = Dashboard(self, "dashboard", environment, Origins.of(values))
        if values.ingress.enabled:
            Ingress(self, "ingress", environment, backend, dashboard)


class NamespaceChart(Chart):
    """The Namespace alone: whoever deletes the environment's objects must not delete its Secrets and claims with it."""

    def __init__(self, scope: Construct, id: str, values: Values) -> None:
        super().__init__(scope, id)
        labels = {**Environment(values).labels(), "pod-security.kubernetes.io/enforce": "baseline"}
        annotations = values.common_annotations or None
        k8s.KubeNamespace(
            self,
            "namespace",
            metadata=k8s.ObjectMeta(name=values.namespace, labels=labels, annotations=annotations),
        )
