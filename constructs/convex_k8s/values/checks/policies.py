"""Checks of NetworkPolicies and PodDisruptionBudgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _edge_from_anywhere(values: Values) -> Iterator[Problem]:
    policy = values.network_policy
    if policy.enabled and values.public_hosts and not policy.ingress_ns_match_labels:
        yield Problem(
            ("networkPolicy", "ingressNSMatchLabels"),
            "is empty, so every pod of the cluster may call dashboard and API: set the labels of the namespace that "
            "the Ingress controller or Gateway runs in, for instance kubernetes.io/metadata.name: traefik",
        )


def _unused_peers(values: Values) -> Iterator[Problem]:
    policy = values.network_policy
    for name in ("database", "s3", "origins"):
        if policy.enabled and policy.egress == "all" and getattr(policy, name):
            yield Problem(
                ("networkPolicy", name),
                "does nothing while networkPolicy.egress is all: set that to listed",
                (("networkPolicy", "egress"),),
            )


def _no_budget(values: Values) -> Iterator[Problem]:
    budget = values.pod_disruption_budget
    several = values.dashboard.enabled and values.dashboard.replica_count > 1
    if budget.enabled and not several and not budget.backend:
        yield Problem(
            ("podDisruptionBudget", "enabled"),
            "makes nothing: the dashboard has one pod, and a budget for one pod could only block the drain of a node; "
            "set dashboard.replicaCount to 2",
        )
    if budget.enabled and several and budget.dashboard.max_unavailable >= values.dashboard.replica_count:
        yield Problem(
            ("podDisruptionBudget", "dashboard", "maxUnavailable"),
            f"is {budget.dashboard.max_unavailable}, all pods of the dashboard, so the budget keeps none of them: set "
            "it lower, or dashboard.replicaCount higher",
        )


ERRORS = ()
WARNINGS = (_edge_from_anywhere, _unused_peers, _no_budget)
