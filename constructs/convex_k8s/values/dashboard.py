"""Values of the dashboard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from convex_k8s.values.base import LARGEST, Count, EnvironmentName, Seconds, UserId
from convex_k8s.values.quantities import Bytes, Cores
from convex_k8s.values.workload import (
    Amounts,
    EnvironmentSource,
    EnvironmentValue,
    Image,
    Probe,
    Probes,
    Repository,
    Resources,
    SecurityContext,
    Workload,
)


class DashboardImage(Image):
    """The dashboard's image."""

    repository: Repository = "ghcr.io/get-convex/convex-dashboard"


class DashboardRequests(Amounts):
    """What the scheduler keeps free for a dashboard pod."""

    cpu: Cores | None = "50m"
    memory: Bytes | None = "128Mi"


class DashboardLimits(Amounts):
    """What a dashboard pod may use at most."""

    memory: Bytes | None = "512Mi"


class DashboardResources(Resources):
    """CPU and memory of the dashboard."""

    requests: DashboardRequests = DashboardRequests()
    limits: DashboardLimits = DashboardLimits()


class DashboardStartupProbe(Probe):
    """A start is short: two minutes by default."""

    period_seconds: Seconds = 2
    failure_threshold: Count = 60


class DashboardProbes(Probes):
    """The probes of the dashboard."""

    startup: DashboardStartupProbe = DashboardStartupProbe()


class DashboardSecurityContext(SecurityContext):
    """The dashboard's security context. Its image names its user, so the number is needed beside `runAsNonRoot`."""

    run_as_user: Annotated[int, Field(ge=1, le=LARGEST)] = 1001
    """User id of the process."""
    run_as_group: UserId = 1001
    """Group id of the process."""
    run_as_non_root: bool = True
    """Whether Kubernetes refuses to start the container as root."""


class Dashboard(Workload):
    """The dashboard: a stateless Deployment."""

    enabled: bool = True
    """Run a dashboard. False: no object of the dashboard is made."""
    image: DashboardImage = DashboardImage()
    """Image of the dashboard. It must carry the backend's tag."""
    replica_count: Count = 1
    """Pods of the dashboard."""
    resources: DashboardResources = DashboardResources()
    """CPU and memory."""
    probes: DashboardProbes = DashboardProbes()
    """Probes, all on /."""
    env: dict[EnvironmentName, EnvironmentValue] = {}
    """Further environment variables: string, number or boolean, never a secret."""
    env_from: list[EnvironmentSource] = []
    """ConfigMaps and Secrets all keys of which become variables. What the overlay itself sets wins over them."""
    security_context: DashboardSecurityContext = DashboardSecurityContext()
    """Security context."""
