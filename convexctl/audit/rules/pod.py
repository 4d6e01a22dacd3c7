"""The pod: users, memory, and what it tells others."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, hit_variable, obstacles, rule
from convexctl.behaviour import Backend, Dashboard

LEAST_MEMORY = 1024**3


@rule(
    "backend-user-wrong",
    Severity.ERROR,
    "The backend cannot run as this user",
    reason="Scripts and programs in the image belong to root with mode 744, and the image runs as root: another user "
    "cannot run them, and runAsNonRoot makes the kubelet refuse the pod. The rest of a hardened context works.",
    basis="files and user of the backend's image",
    parameter="backend.securityContext (root, without privileges or capabilities, by default)",
    change="remove runAsNonRoot and runAsUser; keep allowPrivilegeEscalation: false and capabilities.drop: [ALL]",
)
def backend_user(view: View) -> Iterator[Hit]:
    """Backends that are not root."""
    yield from (found for found in obstacles(view, "user") if isinstance(found.component, Backend))


@rule(
    "dashboard-user-wrong",
    Severity.ERROR,
    "The dashboard cannot run as this user",
    reason="The image names its user (nextjs), and runAsNonRoot can only judge a number: without runAsUser the "
    "kubelet refuses the pod.",
    basis="user of the dashboard's image; Kubernetes: the kubelet's check",
    parameter="dashboard.securityContext (uid 1001 by default)",
    change="add runAsUser: 1001",
)
def dashboard_user(view: View) -> Iterator[Hit]:
    """Dashboards whose user the kubelet cannot judge."""
    yield from (found for found in obstacles(view, "user") if isinstance(found.component, Dashboard))


@rule(
    "dashboard-hostname-wrong",
    Severity.WARNING,
    "The dashboard may not listen for the pod's address",
    reason="The server listens on the address in HOSTNAME. The image sets 0.0.0.0, and some container runtimes put the "
    "pod's own name in its place: then it listens there alone, or on nothing.",
    basis="the dashboard's image (Next.js); container runtimes",
    parameter="none: HOSTNAME is always set to 0.0.0.0",
    change='set HOSTNAME: "0.0.0.0" in the pod',
)
def dashboard_hostname(view: View) -> Iterator[Hit]:
    """Another address than every one; where none is set, that is good to know only."""
    for dashboard in view.behaviour.dashboards:
        reading = dashboard.environment.read("HOSTNAME")
        if not reading.filled:
            yield hit_variable(dashboard, reading, "HOSTNAME is not set", Severity.INFORMATION)
        elif reading.text is not None and reading.text not in ("0.0.0.0", "::"):  # noqa: S104
            yield hit_variable(dashboard, reading, f"HOSTNAME is {reading.shown}")


@rule(
    "memory-limit-low",
    Severity.WARNING,
    "Little memory for the backend",
    reason="Its caches alone may take 1.4 GiB and each isolate 64 MiB; memory grows with deploys and Node actions "
    "until a restart. Under 1 GiB the kernel ends it in daily work.",
    basis="defaults of the server's caches; upstream's own deployment files",
    parameter="backend.resources.limits.memory (4Gi by default)",
    change="raise the limit to 1Gi at the least",
)
def memory_limit(view: View) -> Iterator[Hit]:
    """Limits under 1 GiB."""
    for backend in view.behaviour.backends:
        limit = backend.memory_limit
        if limit and isinstance(limit.value, int) and limit.value < LEAST_MEMORY:
            yield hit(backend, limit, f"the memory limit is {limit.text}")


@rule(
    "telemetry-on",
    Severity.INFORMATION,
    "Telemetry to Convex is on",
    reason="The backend reports to upstream from time to time unless DISABLE_BEACON has a value (any value).",
    basis="entry point of the backend's image; the server's beacon",
    parameter="backend.env.DISABLE_BEACON: true",
    change='set DISABLE_BEACON: "true" to have it off',
)
def telemetry(view: View) -> Iterator[Hit]:
    """Beacons."""
    for backend in view.behaviour.backends:
        if backend.telemetry.value is True:
            yield hit(backend, backend.telemetry, "the backend reports to upstream")
