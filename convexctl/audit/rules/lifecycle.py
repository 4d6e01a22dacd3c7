"""Start, stop, and who writes: what keeps a pod from starting, ends it hard or doubles it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, hit_variable, obstacles, rule
from convexctl.boot import Backend, Component, Dashboard, Decision
from convexctl.boot.manifests import mapping, same_namespace
from convexctl.boot.pods import LOCAL_URL

LEAST_GRACE_S = 30
LEAST_START_S = 60
LEAST_MEMORY = 1024**3
_HEALTH_PATHS = ("/version", "/instance_name", "/instance_version")
_API_PORT = 3210


@rule(
    "several-writers",
    Severity.ERROR,
    "More than one backend at a time",
    reason="A backend is one process. On Postgres and MySQL a second one takes the lease, and the first ends with "
    "code 0 at its next transaction, by turns; on SQLite nothing guards the file, and two pods on one volume "
    "corrupt it.",
    basis="the server's lease; SQLite has none",
    parameter="replicaCount: 1 (the backend is always one; dashboard.replicaCount scales the dashboard)",
    change="set replicas to 1 and remove the autoscaler",
)
def several_writers(view: View) -> Iterator[Hit]:
    """Replicas, autoscalers and DaemonSets."""
    for backend in view.boot.backends:
        if backend.writers.value == "several":
            message = f"{backend.writers.text} backends at a time ({backend.writers.why})"
            yield hit(backend, backend.writers, message)


@rule(
    "overlapping-update",
    Severity.ERROR,
    "An update starts the new backend beside the old one",
    reason="A Deployment's rolling update starts the new pod first. Two backends then fight over the database's "
    "lease, or write to one SQLite file; with a ReadWriteOnce volume on another node the update hangs instead.",
    basis="Kubernetes: Deployment strategy; the server's lease",
    parameter="none: the backend is a StatefulSet, which ends the old pod first",
    change="set strategy.type: Recreate, or use a StatefulSet",
)
def overlapping_update(view: View) -> Iterator[Hit]:
    """Rolling updates with a surge."""
    for backend in view.boot.backends:
        if backend.writers.value == "overlap":
            yield hit(backend, backend.writers, f"at an update: {backend.writers.why}")


@rule(
    "shared-volume",
    Severity.WARNING,
    "SQLite on a volume that several nodes may mount",
    reason="SQLite's file has no guard against a second writer, and ReadWriteMany lets one on another node in. File "
    "locks over a network are no help.",
    basis="the server's SQLite storage; Kubernetes' access modes",
    parameter="backend.persistence.accessMode: ReadWriteOncePod (or ReadWriteOnce)",
    change="use ReadWriteOncePod, or ReadWriteOnce where the cluster lacks it",
)
def shared_volume(view: View) -> Iterator[Hit]:
    """ReadWriteMany under SQLite."""
    for backend in view.boot.backends:
        modes = backend.access_modes
        if modes and backend.engine.value == "sqlite" and "ReadWriteMany" in _texts(modes):
            yield Hit(backend, modes.source, f"the claim's access modes: {modes.text}", unless=backend.engine.unless)


@rule(
    "shared-claim",
    Severity.ERROR,
    "Two backends on one volume claim",
    reason="On one node both pods mount the claim, also a ReadWriteOnce one. They write to one SQLite file, which has "
    "no guard, or into one folder of files, and read each other's instance secret; on two nodes the second never "
    "starts.",
    basis="entry point of the backend's image; Kubernetes' access modes",
    parameter="backend.persistence.existingClaim: another for each release",
    change="give each backend a claim of its own",
)
def shared_claim(view: View) -> Iterator[Hit]:
    """Backends whose data lie on the same claim."""
    for one, other in itertools.combinations(view.boot.backends, 2):
        if not (one.claim and other.claim and same_namespace(one.namespace, other.namespace)):
            continue
        if one.claim.value == other.claim.value and (one.kind, one.name) != (other.kind, other.name):
            yield hit(other, other.claim, f"{one} mounts {other.claim.text} too")


@rule(
    "process-namespace",
    Severity.ERROR,
    "The backend is not PID 1",
    reason="With shareProcessNamespace or hostPID the container's PID 1 is another process: a signal that is meant "
    "for the backend does not reach it, and whoever lists processes reads the instance secret and the "
    "database's URL in its arguments.",
    basis="Kubernetes: process namespaces; entry point of the backend's image",
    parameter="none: neither is ever set",
    change="remove shareProcessNamespace and hostPID",
)
def process_namespace(view: View) -> Iterator[Hit]:
    """Shared process namespaces."""
    for backend in view.boot.backends:
        if _shares_processes(backend):
            field = str(backend.stop.source.path[-1])
            yield hit(backend, backend.stop, f"{field} is true")


@rule(
    "no-clean-stop",
    Severity.WARNING,
    "The backend is killed at every stop",
    reason="Its PID 1 knows SIGINT only, and Kubernetes sends SIGTERM, which is dropped: the pod hangs for the whole "
    "grace period and is then killed in the middle of what it does. A shell or another program that starts the "
    "backend as a child is PID 1 in its place and hands no SIGINT on; tini does.",
    basis="the server's signal handling; Kubernetes' pod termination",
    parameter="none: a preStop that sends SIGINT and waits is always there",
    change="add a preStop: `kill -INT 1; while kill -0 1; do sleep 0.5; done`; where a script starts the backend, let "
    "it end in `exec ./run_backend.sh`",
)
def no_clean_stop(view: View) -> Iterator[Hit]:
    """No SIGINT on the way out, none that arrives, or two of them."""
    for backend in view.boot.backends:
        if backend.stop.value == "killed" and not _shares_processes(backend):
            yield hit(backend, backend.stop, f"the backend is {backend.stop.text}: {backend.stop.why}")


@rule(
    "short-grace",
    Severity.WARNING,
    "Too little time to stop",
    reason="After SIGINT the backend drains its requests without a bound; when the grace period is over it is killed "
    "all the same. Kubernetes' default is 30 s.",
    basis="the server's shutdown; Kubernetes' pod termination",
    parameter="backend.terminationGracePeriodSeconds",
    change=f"set terminationGracePeriodSeconds to {LEAST_GRACE_S} or more",
)
def short_grace(view: View) -> Iterator[Hit]:
    """Grace periods under half a minute."""
    for backend in view.boot.backends:
        if isinstance(backend.grace.value, int) and backend.grace.value < LEAST_GRACE_S:
            yield hit(backend, backend.grace, f"the grace period is {backend.grace.text}")


@rule(
    "probe-missing",
    Severity.WARNING,
    "Probes are missing",
    reason="Without a readiness probe a Service sends requests to a pod that still connects and makes its tables; "
    "without a liveness probe one that hangs is never restarted.",
    basis="Kubernetes' probes; `GET /version` on 3210 answers without credentials",
    parameter="backend.probes.*, dashboard.probes.* (on by default)",
    change="add httpGet probes: /version on 3210 for the backend, / on 6791 for the dashboard",
)
def probe_missing(view: View) -> Iterator[Hit]:
    """Readiness and liveness that nobody looks at."""
    for component in view.boot.components:
        named = (("readinessProbe", component.readiness_probe), ("livenessProbe", component.liveness_probe))
        missing = [name for name, probe in named if probe is None]
        if missing:
            severity = Severity.INFORMATION if isinstance(component, Dashboard) else None
            yield Hit(component, component.source, f"there is no {' and no '.join(missing)}", severity)


@rule(
    "probe-wrong",
    Severity.WARNING,
    "A probe that does not ask the right thing",
    reason="The backend answers 200 without credentials at /version, /instance_name and /instance_version on 3210. On "
    "3211 only a proxy answers, whatever the backend does. The dashboard has no health route; / on its port "
    "renders without the backend. No other path is sure to answer, and neither speaks gRPC or TLS.",
    basis="routes of the server and of the dashboard's image",
    parameter="backend.probes.*, dashboard.probes.*",
    change="probe /version on 3210, and / on 6791 for the dashboard",
)
def probe_wrong(view: View) -> Iterator[Hit]:
    """Wrong paths and ports, also in a command that asks the pod itself."""
    for component in view.boot.components:
        probes = (component.startup_probe, component.readiness_probe, component.liveness_probe)
        for probe in probes:
            said = probe and _wrong(component, probe)
            if probe and said:
                yield hit(component, probe, f"{probe.source.path[-1]}: {said}")


@rule(
    "start-too-short",
    Severity.WARNING,
    "Little time to start",
    reason="The backend listens only after it has connected and made its tables, which may take minutes on a large or "
    "distant database. A start-up or liveness probe that gives up before restarts it, again and again.",
    basis="the server's start-up; Kubernetes' probes",
    parameter="backend.probes.startup (10 minutes by default)",
    change="add a startupProbe on /version with a budget of minutes",
)
def start_too_short(view: View) -> Iterator[Hit]:
    """Budgets under a minute."""
    for backend in view.boot.backends:
        probe = backend.startup_probe or backend.liveness_probe
        seconds = mapping(probe.value).get("seconds") if probe else None
        if probe and isinstance(seconds, int) and seconds < LEAST_START_S:
            yield hit(backend, probe, f"{probe.source.path[-1]} gives up after {seconds} s")


@rule(
    "backend-user",
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
    "dashboard-user",
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
    "dashboard-hostname",
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
    for dashboard in view.boot.dashboards:
        reading = dashboard.environment.read("HOSTNAME")
        if not reading.filled:
            yield hit_variable(dashboard, reading, "HOSTNAME is not set", Severity.INFORMATION)
        elif reading.text is not None and reading.text not in ("0.0.0.0", "::"):  # noqa: S104
            yield hit_variable(dashboard, reading, f"HOSTNAME is {reading.shown}")


@rule(
    "memory-limit",
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
    for backend in view.boot.backends:
        limit = backend.memory_limit
        if limit and isinstance(limit.value, int) and limit.value < LEAST_MEMORY:
            yield hit(backend, limit, f"the memory limit is {limit.text}")


@rule(
    "tag-latest",
    Severity.WARNING,
    "The tag `latest`",
    reason="Upstream moves `latest` by hand: two pods, or backend and dashboard, may run different versions, and a "
    "restart may start data migrations, which have no way back.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag",
    change="pin the full commit SHA that upstream tags both images with",
)
def tag_latest(view: View) -> Iterator[Hit]:
    """Images that are not pinned; for those that nobody outside reaches it is good to know only."""
    public = any(at_edge(view, component) for component in view.boot.components)
    for component in view.boot.components:
        if component.tag.value == "latest":
            severity = None if public else Severity.INFORMATION
            yield hit(component, component.tag, f"{component.image.text} has the tag latest", severity)


@rule(
    "tag-skew",
    Severity.ERROR,
    "Backend and dashboard of different versions",
    reason="Both images are released together under one tag, and the dashboard calls functions inside the backend "
    "that change with it.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag: the same",
    change="give both the same tag",
)
def tag_skew(view: View) -> Iterator[Hit]:
    """Tags that differ within a namespace."""
    for dashboard in view.boot.dashboards:
        backends = [backend for backend in view.boot.backends if backend.namespace == dashboard.namespace]
        tags = {str(backend.tag.value) for backend in backends}
        comparable = not any(tag.startswith("sha256:") for tag in (*tags, str(dashboard.tag.value)))
        if backends and comparable and str(dashboard.tag.value) not in tags:
            others = ", ".join(sorted(tags))
            yield hit(dashboard, dashboard.tag, f"the dashboard is {dashboard.tag.text}, the backend {others}")


@rule(
    "tag-unknown",
    Severity.ERROR,
    "A tag that upstream never had",
    reason="Upstream's tags are full commit SHAs and `latest`; there are no version numbers. The image cannot be "
    "pulled.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag",
    change="use the full commit SHA of a release",
)
def tag_unknown(view: View) -> Iterator[Hit]:
    """Tags of upstream's own registry that are neither."""
    for component in view.boot.components:
        tag = str(component.tag.value)
        is_sha = len(tag) == 40 and all(letter in "0123456789abcdef" for letter in tag)
        upstream = str(component.image.value).startswith("ghcr.io/get-convex/")
        if upstream and not is_sha and tag != "latest" and not tag.startswith("sha256:"):
            yield hit(component, component.tag, f"the tag is {tag}")


@rule(
    "telemetry",
    Severity.INFORMATION,
    "Telemetry to Convex is on",
    reason="The backend reports to upstream from time to time unless DISABLE_BEACON has a value (any value).",
    basis="entry point of the backend's image; the server's beacon",
    parameter="backend.env.DISABLE_BEACON: true",
    change='set DISABLE_BEACON: "true" to have it off',
)
def telemetry(view: View) -> Iterator[Hit]:
    """Beacons."""
    for backend in view.boot.backends:
        if backend.telemetry.value is True:
            yield hit(backend, backend.telemetry, "the backend reports to upstream")


@rule(
    "entry-point",
    Severity.INFORMATION,
    "Not the image's entry point",
    reason="What is said here of variables are the rules of `run_backend.sh`. A pod that calls the server itself, or "
    "a script of its own, may follow others.",
    basis="entry point of the backend's image",
    parameter="none: the image's entry point is always used",
    change="leave `command` out and pass options in `args`",
)
def entry_point(view: View) -> Iterator[Hit]:
    """Commands that are not run_backend.sh."""
    for backend in view.boot.backends:
        if backend.entry_point.value != "run_backend.sh":
            yield hit(backend, backend.entry_point, f"the pod runs {backend.entry_point.text}")


def _texts(decision: Decision) -> tuple[str, ...]:
    return decision.value if isinstance(decision.value, tuple) else ()


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


RULES = (
    several_writers,
    overlapping_update,
    shared_volume,
    shared_claim,
    process_namespace,
    no_clean_stop,
    short_grace,
    probe_missing,
    probe_wrong,
    start_too_short,
    backend_user,
    dashboard_user,
    dashboard_hostname,
    memory_limit,
    tag_latest,
    tag_skew,
    tag_unknown,
    telemetry,
    entry_point,
)
