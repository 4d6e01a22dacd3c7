"""What the behaviour model says: decisions, each with the rule and the field that made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple

from convexctl.behaviour.environment import ContainerEnvironment
from convexctl.behaviour.source import Source

Value = str | int | bool | None | tuple[str, ...] | Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """One thing that the pods will do.

    `value` is for machines: two decisions are the same when their values are. Where the value is in a Secret, it is
    the reference (`Secret/name[KEY]`), never what the Secret holds. `text` says it in a few words, `why` gives the
    rule, `source` is the field that decided. `unless` names what is out of sight and would decide otherwise: it is
    empty when the decision is certain.
    """

    value: Value
    text: str
    why: str
    source: Source
    unless: str = ""

    @property
    def certain(self) -> bool:
        """Whether nothing out of sight can decide otherwise."""
        return not self.unless

    @property
    def sentence(self) -> str:
        """`text`, with the condition where there is one."""
        return f"{self.text} (unless {self.unless})" if self.unless else self.text


class Row(NamedTuple):
    """A line of a table of decisions: the field's name, its title for people, and the decision."""

    name: str
    title: str
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Component:
    """A container that runs Convex: where it stands, and the decisions that backend and dashboard share."""

    TITLE: ClassVar[str] = ""

    kind: str
    namespace: str
    """Empty where the manifest names none."""
    name: str
    container: str
    source: Source
    """The container in its object."""
    environment: ContainerEnvironment = field(repr=False)
    """The variables of the container, as the kubelet makes them. Never a part of `as_dict`."""

    arguments: tuple[tuple[Source, str], ...] = field(default=(), repr=False)
    """The words of command and arguments, each with its place. Never a part of `as_dict`: one may be a secret."""

    image: Decision = field(metadata={"title": "Image"})
    tag: Decision = field(metadata={"title": "Version"})
    replicas: Decision = field(metadata={"title": "Pods"})
    selector: Decision = field(metadata={"title": "Selector"})
    service_name: Decision | None = field(default=None, metadata={"title": "Service of the StatefulSet"})
    startup_probe: Decision | None = field(default=None, metadata={"title": "Start-up probe"})
    readiness_probe: Decision | None = field(default=None, metadata={"title": "Readiness probe"})
    liveness_probe: Decision | None = field(default=None, metadata={"title": "Liveness probe"})
    memory_request: Decision | None = field(default=None, metadata={"title": "Memory request"})
    memory_limit: Decision | None = field(default=None, metadata={"title": "Memory limit"})
    user: Decision = field(metadata={"title": "User"})
    out_of_sight: Decision | None = field(default=None, metadata={"title": "Variables out of sight"})
    obstacles: tuple[Decision, ...] = ()
    """What keeps the pod from starting; empty when nothing in sight does."""

    def rows(self) -> Iterator[Row]:
        """The decisions that were made, in the order of the fields."""
        for entry in fields(self):
            decision = getattr(self, entry.name)
            if isinstance(decision, Decision):
                yield Row(entry.name, str(entry.metadata["title"]), decision)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Backend(Component):
    """A Convex backend. A field is None where the question does not arise: no bucket without S3, no TLS with SQLite."""

    TITLE: ClassVar[str] = "backend"

    engine: Decision = field(metadata={"title": "Database"})
    """`postgres`, `mysql` or `sqlite`."""
    database_url: Decision | None = field(default=None, metadata={"title": "Database URL from"})
    database_name: Decision | None = field(default=None, metadata={"title": "Database name"})
    database_tls: Decision | None = field(default=None, metadata={"title": "TLS to the database"})
    """`required`, `preferred` or `off`."""
    database_ca: Decision | None = field(default=None, metadata={"title": "CA of the database"})
    database_connections: Decision | None = field(default=None, metadata={"title": "Connections to the database"})
    database_outlives: Decision = field(metadata={"title": "Documents outlive"})
    """What the documents survive: as `data_outlives`, or `everything` outside."""

    files: Decision = field(metadata={"title": "Files"})
    """`s3` or `disk`."""
    files_missing: Decision | None = field(default=None, metadata={"title": "Missing for S3"})
    """The variables that a half-set S3 lacks."""
    buckets: Decision | None = field(default=None, metadata={"title": "Buckets"})
    s3_region: Decision | None = field(default=None, metadata={"title": "Region"})
    s3_endpoint: Decision | None = field(default=None, metadata={"title": "S3 endpoint"})
    s3_path_style: Decision | None = field(default=None, metadata={"title": "S3 path style"})
    s3_sse: Decision | None = field(default=None, metadata={"title": "S3 encryption header"})
    s3_checksums: Decision | None = field(default=None, metadata={"title": "S3 checksums"})
    s3_credentials: Decision | None = field(default=None, metadata={"title": "S3 credentials"})
    files_outlive: Decision = field(metadata={"title": "Files outlive"})

    data_volume: Decision = field(metadata={"title": "Volume at /convex/data"})
    data_outlives: Decision = field(metadata={"title": "Volume outlives"})
    """The greatest thing that it survives: `nothing`, `container`, `node`, `pod` or `delete` (`volumes.Outlives`)."""
    claim: Decision | None = field(default=None, metadata={"title": "Volume claim"})
    claim_size: Decision | None = field(default=None, metadata={"title": "Size of the claim"})
    claim_class: Decision | None = field(default=None, metadata={"title": "Storage class of the claim"})
    access_modes: Decision | None = field(default=None, metadata={"title": "Access modes of the claim"})
    claims_astray: Decision | None = field(default=None, metadata={"title": "Claims not at /convex/data"})

    instance_name: Decision = field(metadata={"title": "Instance name"})
    instance_secret: Decision = field(metadata={"title": "Instance secret"})
    """A reference, `literal`, or `generated`."""
    secret_stable: Decision = field(metadata={"title": "Instance secret stays"})

    cloud_origin: Decision = field(metadata={"title": "API origin"})
    site_origin: Decision = field(metadata={"title": "HTTP actions origin"})

    metrics: Decision = field(metadata={"title": "Metrics"})
    telemetry: Decision = field(metadata={"title": "Telemetry to Convex"})
    log_redaction: Decision = field(metadata={"title": "Logs to clients"})
    concurrency: Decision = field(metadata={"title": "Concurrency"})
    """How many functions run at a time, by kind."""
    retention: Decision = field(metadata={"title": "Document retention"})
    """Seconds."""

    stop: Decision = field(metadata={"title": "Stop"})
    """`clean` or `killed`."""
    grace: Decision = field(metadata={"title": "Grace period"})
    """Seconds."""
    writers: Decision = field(metadata={"title": "Writers"})
    """`none`, `one`, `overlap` or `several`."""
    entry_point: Decision = field(metadata={"title": "Entry point"})


@dataclass(frozen=True, kw_only=True)
class Dashboard(Component):
    """A Convex dashboard."""

    TITLE: ClassVar[str] = "dashboard"

    deployment_url: Decision = field(metadata={"title": "API origin for the browser"})
    admin_key: Decision = field(metadata={"title": "Admin key prefilled"})
    port: Decision = field(metadata={"title": "Port"})


@dataclass(frozen=True)
class Target:
    """The container port that a route ends at."""

    kind: str
    namespace: str
    name: str
    container: str
    port: int
    role: str
    """`api`, `http actions`, `dashboard`, or empty for a port where nothing of Convex listens."""


@dataclass(frozen=True)
class Rewrite:
    """What the edge makes of the path of a request before it hands it on."""

    how: Literal["prefix", "whole", "expression", "replace", "strip", "unknown"]
    """What the edge does. Where it is `unknown`, the path that arrives cannot be told.

    `prefix`: the rule's own path becomes `value`; `whole`: the path becomes `value`; `expression`: the same, with the
    groups of the rule's path; `replace`: what the one pattern matches becomes `value`; `strip`: what the first of
    `patterns` that fits matches at the beginning goes.
    """
    value: str = ""
    patterns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.value or " ".join((self.how, *self.patterns))

    def of(self, rule: str, path: str) -> str | None:
        """What becomes of `path` under a rule for the path `rule`; None where that cannot be told."""
        try:
            changed = self._changed(rule, path)
        except (re.error, OverflowError, IndexError):
            return None
        return changed if changed is None else f"/{changed.lstrip('/')}"

    def _changed(self, rule: str, path: str) -> str | None:
        if self.how == "whole":
            return self.value
        if self.how == "prefix":
            rest = path[len(rule.rstrip("/")) :].lstrip("/")
            return f"{self.value.rstrip('/')}/{rest}" if rest else self.value
        if self.how == "expression":
            match = re.match(rule, path)
            return None if match is None else _with_groups(self.value, match)
        if self.how == "replace":
            match = re.search(self.patterns[0], path)
            return (
                path if match is None else path[: match.start()] + _with_groups(self.value, match) + path[match.end() :]
            )
        if self.how == "strip":
            found = next((match for pattern in self.patterns if (match := re.match(pattern, path))), None)
            return path[found.end() :] if found else path
        return None


def _with_groups(template: str, match: re.Match[str]) -> str:
    """A template with `$1` for the first group of a match; a group that is not there is empty."""
    groups = (match[0], *(group or "" for group in match.groups()))
    return re.sub(r"\$\{?([0-9])\}?", lambda found: (*groups, *[""] * 10)[int(found[1])], template)


@dataclass(frozen=True)
class Route:
    """A rule of the edge: requests for `host` and `path` go to a Service's port, and end at `target`.

    `host` is empty where the rule takes every host. `rewrite` is None where the path stays as it is. `target` is None
    with the reason in `problem` where no pod in sight is reached.
    """

    host: str
    path: str
    path_type: str
    """`Exact`, `Prefix`, `ImplementationSpecific` or `RegularExpression`."""
    service: str
    service_port: str
    target: Target | None
    problem: str
    tls: bool
    """Whether the rule's own object or Gateway ends TLS for the host."""
    rewrite: Rewrite | None
    source: Source

    @property
    def role(self) -> str:
        """What answers in the end; empty where nothing of Convex does."""
        return self.target.role if self.target else ""

    def serves(self, host: str) -> bool:
        """Whether the rule takes requests for a host; a wildcard stands for one label."""
        if self.host in ("", "*"):
            return True
        if self.host.startswith("*."):
            return host.partition(".")[2].lower() == self.host[2:].lower() and "." in host
        return self.host.lower() == host.lower()

    def arrives(self, path: str) -> str | None:
        """The path that the target is asked for, for a request for `path`; None where that cannot be told."""
        return path if self.rewrite is None else self.rewrite.of(self.path, path)

    def takes(self, path: str) -> bool:
        """Whether the rule's path matches that of a request."""
        if self.path_type == "Exact":
            return path == self.path
        if self.path_type == "RegularExpression" or re.search(r"[(*?\\^$]", self.path):
            try:
                return re.match(self.path, path) is not None
            except (re.error, OverflowError):
                return False
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")


@dataclass(frozen=True)
class Behaviour:
    """What a set of manifests makes of Convex."""

    backends: tuple[Backend, ...]
    dashboards: tuple[Dashboard, ...]
    routes: tuple[Route, ...]
    """What Ingresses and HTTPRoutes send where."""
    exposed: tuple[Route, ...]
    """Ports of Services that are open outside the cluster by themselves: LoadBalancer and NodePort."""

    @property
    def components(self) -> tuple[Component, ...]:
        """Backends, then dashboards."""
        return (*self.backends, *self.dashboards)

    def routes_to(self, component: Component) -> tuple[Route, ...]:
        """The routes that end at a component's container."""
        place = (component.kind, component.namespace, component.name, component.container)
        return tuple(
            route
            for route in self.routes
            if route.target
            and (route.target.kind, route.target.namespace, route.target.name, route.target.container) == place
        )

    def serves(self, host: str) -> bool:
        """Whether a rule of the edge has the host."""
        return any(route.serves(host) for route in self.routes)

    def reached(self, host: str, path: str) -> Route | None:
        """The route that answers a request: an exact host before a wildcard, then an exact path, then the longest."""
        fitting = [route for route in self.routes if route.serves(host) and route.takes(path)]
        return max(fitting, key=_precedence, default=None)


def _precedence(route: Route) -> tuple[int, bool, int]:
    host = 0 if route.host in ("", "*") else 1 if route.host.startswith("*.") else 2
    return host, route.path_type == "Exact", len(route.path)
