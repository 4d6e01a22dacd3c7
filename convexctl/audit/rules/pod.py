"""The pod: users, memory, and what it tells others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convexctl.audit.model import Hit, Severity, View, hit, hit_variable, obstacles, rule
from convexctl.behaviour import Backend, Dashboard
from convexctl.behaviour.manifests import dig, mapping, same_namespace, sequence, source_of, text

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
    "pod's own name in its place. The server then listens on that one address, or on none.",
    basis="the dashboard's image (Next.js); container runtimes",
    parameter="none: HOSTNAME is always set to 0.0.0.0",
    change='set HOSTNAME: "0.0.0.0" in the pod',
    least=Severity.INFORMATION,
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
    reason="The backend's caches alone may take 1.4 GiB and each isolate 64 MiB. Memory grows with deploys and Node "
    "actions until a restart. With less than 1 GiB the kernel kills the backend in normal use, before its caches are "
    "full.",
    basis="defaults of the server's caches; upstream's own deployment files",
    parameter="backend.resources.limits.memory (4Gi by default)",
    change="raise the limit to at least 1Gi, better to the default of 4Gi",
)
def memory_limit(view: View) -> Iterator[Hit]:
    """Limits under 1 GiB."""
    for backend in view.behaviour.backends:
        limit = backend.memory_limit
        if limit and isinstance(limit.value, int) and limit.value < LEAST_MEMORY:
            yield hit(backend, limit, f"the memory limit is {limit.text}")


@rule(
    "memory-limit-missing",
    Severity.INFORMATION,
    "No memory limit for the backend",
    reason="The backend's memory grows with deploys and Node actions until a restart. Without a limit it takes what "
    "the node has, and the kernel may end its neighbours.",
    basis="defaults of the server's caches; Kubernetes' resources",
    parameter="backend.resources.limits.memory (4Gi by default)",
    change="set resources.limits.memory, 4Gi to begin with",
)
def memory_limit_missing(view: View) -> Iterator[Hit]:
    """Backends without a limit, in namespaces without a LimitRange."""
    ranges = [text(dig(manifest, "metadata", "namespace")) for manifest in view.manifests.of_kind("LimitRange")]
    for backend in view.behaviour.backends:
        limited = any(same_namespace(namespace, backend.namespace) for namespace in ranges)
        if backend.memory_limit is None and not limited:
            yield Hit(backend, backend.source.at("resources", "limits", "memory"), "there is no memory limit")


@rule(
    "drain-blocked",
    Severity.WARNING,
    "A disruption budget that blocks every drain",
    reason="A single pod with minAvailable: 1 or maxUnavailable: 0 may never be evicted. A drain of its node waits "
    "for ever, and so does an upgrade of the cluster.",
    basis="Kubernetes' disruption budgets",
    parameter="none: the budget that podDisruptionBudget.backend makes lets the pod be evicted",
    change="remove the budget for the backend, which is always a single pod, or set maxUnavailable: 1",
)
def drain_blocked(view: View) -> Iterator[Hit]:
    """Budgets over a single pod of Convex."""
    for budget in view.manifests.of_kind("PodDisruptionBudget"):
        spec = mapping(budget.get("spec"))
        field = _blocking(spec)
        labels = mapping(dig(spec, "selector", "matchLabels"))
        if not field or not labels or sequence(dig(spec, "selector", "matchExpressions")):
            continue
        place = source_of(budget)
        for component in view.behaviour.components:
            fits = all(component.pod_labels.get(key) == value for key, value in labels.items())
            if fits and same_namespace(place.namespace, component.namespace) and component.replicas.value == 1:
                message = f"{field} is {text(spec.get(field))} over the only pod of {component}"
                yield Hit(component, source_of(budget, "spec", field), message)


def _blocking(spec: Mapping[str, Any]) -> str:
    """The field of a budget that lets no single pod go."""
    least, most = text(spec.get("minAvailable")), text(spec.get("maxUnavailable"))
    if least and least.rstrip("%") != "0":
        return "minAvailable"
    return "maxUnavailable" if most and most.rstrip("%") == "0" else ""


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
