"""Values of the PodDisruptionBudgets: how many pods a drain of nodes may take at a time."""

from __future__ import annotations

from convex_k8s.values.base import Count, Model


class DashboardBudget(Model):
    """The budget of the dashboard."""

    max_unavailable: Count = 1
    """Dashboard pods that may be gone at a time. With one pod there is no budget: it could only block."""


class PodDisruptionBudget(Model):
    """PodDisruptionBudgets."""

    enabled: bool = False
    """Make a budget for the dashboard, if it has more than one pod."""
    dashboard: DashboardBudget = DashboardBudget()
    """The budget of the dashboard."""
    backend: bool = False
    """Make a budget for the backend too. It has one pod, so the budget lets that one go (`maxUnavailable: 1`): one that
    kept it would block every drain for ever. It satisfies a cluster's rule that each workload has a budget, and nothing
    else."""
