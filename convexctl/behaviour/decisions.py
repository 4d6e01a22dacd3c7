"""What the behaviour model says: decisions, each with the rule and the field that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from convexctl.behaviour.source import Source
from convexctl.behaviour.variables import ContainerEnvironment

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
        """`text`, with the condition if there is one."""
        return f"{self.text} (unless {self.unless})" if self.unless else self.text


class Row(NamedTuple):
    """A line of a table of decisions: the field's name, its title for people, and the decision."""

    name: str
    title: str
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Component:
    """A container that runs Convex: its place, and the decisions that backend and dashboard share."""

    TITLE: ClassVar[str] = ""

    kind: str
    namespace: str
    """Empty if the manifest names none."""
    name: str
    container: str
    source: Source
    """The container in its object."""
    environment: ContainerEnvironment = field(repr=False)
    """The variables of the container, as the kubelet makes them. Never a part of `as_dict`."""

    arguments: tuple[tuple[Source, str], ...] = field(default=(), repr=False)
    """The words of command and arguments, each with its place. Never a part of `as_dict`: one may be a secret."""

    pod_labels: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    pod_spec: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The pod as the manifest has it. Never a part of `as_dict`."""
    container_spec: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The container as the manifest has it. Never a part of `as_dict`."""

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

    @property
    def place(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the object."""
        return self.kind, self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Backend(Component):
    """A Convex backend. A field is None if the question does not arise: no bucket without S3, no TLS with SQLite."""

    TITLE: ClassVar[str] = "backend"

    engine: Decision = field(metadata={"title": "Database"})
    """`postgres`, `mysql` or `sqlite`."""
    database_url: Decision | None = field(default=None, metadata={"title": "Database URL from"})
    database_name: Decision | None = field(default=None, metadata={"title": "Database name"})
    database_tls: Decision | None = field(default=None, metadata={"title": "TLS to the database"})
    """`required`, `preferred` or `off`."""
    database_ca: Decision | None = field(default=None, metadata={"title": "CA of the database"})
    database_connections: Decision | None = field(default=None, metadata={"title": "Connections to the database"})
    database_grants: Decision | None = field(default=None, metadata={"title": "Connections that the server grants"})
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
    volume_reach: Decision | None = field(default=None, metadata={"title": "Reach of the volume"})
    """`network` for a network file system, `node` for the disk of one node; None if neither is known."""
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
