"""Stop and probes: what ends a backend hard, or never lets it start."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, rule
from convexctl.behaviour import Backend, Component, Dashboard, Decision
from convexctl.behaviour.manifests import mapping
from convexctl.behaviour.pods import LOCAL_URL

LEAST_GRACE_S = 30


LEAST_START_S = 60
"""For a start-up probe."""
LEAST_ALONE_S = 300
"""For a liveness probe that is the only budget."""


_HEALTH_PATHS = ("/version", "/", "/instance_name", "/instance_version")


_API_PORT = 3210


@rule(
    "process-namespace-shared",
    Severity.ERROR,
    "The backend is not PID 1",
    reason="With shareProcessNamespace or hostPID the backend is not PID 1: a signal for it does not reach it. "
    "Everybody who lists processes reads the instance secret and the database's URL in its arguments.",
    basis="Kubernetes: process namespaces; entry point of the backend's image",
    parameter="none: neither is ever set",
    change="remove shareProcessNamespace and hostPID",
)
def process_namespace(view: View) -> Iterator[Hit]:
    """Shared process namespaces."""
    for backend in view.behaviour.backends:
        if _shares_processes(backend):
            field = str(backend.stop.source.path[-1])
            yield hit(backend, backend.stop, f"{field} is true")


@rule(
    "no-clean-stop",
    Severity.WARNING,
    "The backend is killed at every stop",
    reason="The backend's PID 1 knows SIGINT only. Kubernetes sends SIGTERM, which is dropped: the pod hangs for the "
    "whole grace period and is then killed in the middle of its work. If a shell starts the backend as a child, the "
    "shell is PID 1 and does not pass SIGINT on. An init such as tini passes it on.",
    basis="the server's signal handling; Kubernetes' pod termination",
    parameter="none: a preStop that sends SIGINT is always there",
    change="add a preStop: `kill -INT 1`. If a script starts the backend, let it end in `exec ./run_backend.sh`. "
    "Under such an init, let the preStop wait too: `kill -INT 1; while kill -0 1; do sleep 0.5; done`",
)
def no_clean_stop(view: View) -> Iterator[Hit]:
    """No SIGINT on the way out, none that arrives, or two of them."""
    for backend in view.behaviour.backends:
        if backend.stop.value == "killed" and not _shares_processes(backend):
            yield hit(backend, backend.stop, f"the backend is {backend.stop.text}: {backend.stop.why}")


@rule(
    "short-grace",
    Severity.WARNING,
    "Too little time to stop",
    reason="After SIGINT the backend drains its requests, however long that takes. At the end of the grace period it "
    "is killed anyway. Kubernetes' default is 30 s.",
    basis="the server's shutdown; Kubernetes' pod termination",
    parameter="backend.terminationGracePeriodSeconds",
    change=f"set terminationGracePeriodSeconds to {LEAST_GRACE_S} or more",
)
def short_grace(view: View) -> Iterator[Hit]:
    """Grace periods under half a minute."""
    for backend in view.behaviour.backends:
        if isinstance(backend.grace.value, int) and backend.grace.value < LEAST_GRACE_S:
            yield hit(backend, backend.grace, f"the grace period is {backend.grace.text}")


@rule(
    "probe-missing",
    Severity.WARNING,
    "Probes are missing",
    reason="Without a readiness probe a Service sends requests to a pod that is still connecting and making its "
    "tables. Without a liveness probe a pod that hangs is never restarted.",
    basis="Kubernetes' probes; `GET /version` on 3210 answers without credentials",
    parameter="backend.probes.*, dashboard.probes.* (on by default)",
    change="add httpGet probes: /version on 3210 for the backend, / on 6791 for the dashboard",
    least=Severity.INFORMATION,
)
def probe_missing(view: View) -> Iterator[Hit]:
    """Readiness and liveness that nobody looks at."""
    for component in view.behaviour.components:
        named = (("readinessProbe", component.readiness_probe), ("livenessProbe", component.liveness_probe))
        missing = [name for name, probe in named if probe is None]
        if missing:
            severity = Severity.INFORMATION if isinstance(component, Dashboard) else None
            yield Hit(component, component.source, f"there is no {' and no '.join(missing)}", severity)


@rule(
    "probe-wrong",
    Severity.WARNING,
    "A probe that does not ask the right thing",
    reason="On 3210 the backend answers 200 without credentials at /version, /, /instance_name and /instance_version. "
    "On 3211 only a proxy answers, whatever the backend does. The dashboard has no health route; / on its port "
    "renders without the backend. No other path is sure to answer, and neither speaks gRPC or TLS.",
    basis="routes of the server and of the dashboard's image",
    parameter="backend.probes.*, dashboard.probes.*",
    change="probe /version on 3210, and / on 6791 for the dashboard",
)
def probe_wrong(view: View) -> Iterator[Hit]:
    """Wrong paths and ports, also in a command that asks the pod itself."""
    for component in view.behaviour.components:
        probes = (component.startup_probe, component.readiness_probe, component.liveness_probe)
        for probe in probes:
            said = probe and _wrong(component, probe)
            if probe and said:
                yield hit(component, probe, f"{probe.source.path[-1]}: {said}")


@rule(
    "start-too-short",
    Severity.WARNING,
    "Little time to start",
    reason="The backend listens only after it has connected and made its tables, which may take minutes on a large "
    "or distant database. A probe that gives up earlier restarts it again and again. Without a start-up probe the "
    "liveness probe is the only budget, even for a start that migrates.",
    basis="the server's start-up; Kubernetes' probes",
    parameter="backend.probes.startup (10 minutes by default)",
    change="add a startupProbe on /version with a budget of minutes",
)
def start_too_short(view: View) -> Iterator[Hit]:
    """Start-up probes under a minute, and liveness probes under five that are alone."""
    for backend in view.behaviour.backends:
        probe = backend.startup_probe or backend.liveness_probe
        seconds = mapping(probe.value).get("seconds") if probe else None
        least = LEAST_START_S if backend.startup_probe else LEAST_ALONE_S
        if probe and isinstance(seconds, int) and seconds < least:
            alone = "" if backend.startup_probe else ", and there is no startupProbe"
            yield hit(backend, probe, f"{probe.source.path[-1]} gives up after {seconds} s{alone}")


def _shares_processes(backend: Backend) -> bool:
    return backend.stop.value == "killed" and backend.stop.source.path[-1] in ("shareProcessNamespace", "hostPID")


def _wrong(component: Component, probe: Decision) -> str:
    value = mapping(probe.value)
    port, path, handler = value.get("port"), value.get("path"), value.get("handler")
    right_port = component.port.value if isinstance(component, Dashboard) else _API_PORT
    right_paths = ("/",) if isinstance(component, Dashboard) else _HEALTH_PATHS
    if handler == "grpc":
        return "asks by gRPC"
    if handler in ("GET", "TCP") and port != right_port:
        return f"asks port {port}" if port is not None else "asks a port that the container does not name"
    if value.get("scheme") == "HTTPS":
        return "asks over HTTPS, which nothing in the pod speaks"
    if handler == "GET" and str(path).partition("?")[0] not in right_paths:
        return f"asks {path}"
    asked = LOCAL_URL.fullmatch(str(path)) if handler == "exec" else None
    if asked:
        if asked["scheme"] == "https":
            return "asks over HTTPS, which nothing in the pod speaks"
        if (asked["port"] or "80") != str(right_port):
            return f"asks port {asked['port'] or 80}"
        if (asked["path"] or "/") not in right_paths:
            return f"asks {asked['path'] or '/'}"
    return ""
