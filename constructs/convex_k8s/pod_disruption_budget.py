"""PodDisruptionBudgets: how many pods a drain of nodes may take at a time."""

from __future__ import annotations

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.naming import Component, Naming


class PodDisruptionBudgets(Construct):
    """`<release>-dashboard` where it has several pods, and `<release>-backend` where asked for."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self._naming = naming
        values = naming.values
        budget = values.pod_disruption_budget
        if values.dashboard.enabled and values.dashboard.replica_count > 1:
            self._budget("dashboard", budget.dashboard.max_unavailable)
        if budget.backend:
            self._budget("backend", 1)

    def _budget(self, component: Component, max_unavailable: int) -> None:
        """A pod that is not ready is evicted whatever the budget says: it must not hold a node up."""
        k8s.KubePodDisruptionBudget(
            self,
            component,
            metadata=self._naming.metadata(component, component),
            spec=k8s.PodDisruptionBudgetSpec(
                max_unavailable=k8s.IntOrString.from_number(max_unavailable),
                selector=k8s.LabelSelector(match_labels=self._naming.selector(component)),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
        )
