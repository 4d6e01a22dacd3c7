"""What backend and dashboard have in common: image, resources, probes, security context, placement."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from convex_k8s.values.base import (
    LARGEST,
    AnnotationKey,
    Count,
    LabelKey,
    LabelValue,
    Model,
    ObjectName,
    OptionalObjectName,
    Seconds,
    TextLike,
    UserId,
    wrong,
)
from convex_k8s.values.kubernetes.passed_through import (
    Affinity,
    Containers,
    HostAliases,
    TopologySpreadConstraints,
    VolumeMounts,
    Volumes,
)
from convex_k8s.values.quantities import Bytes, Cores

Repository = Annotated[
    str,
    TextLike(
        r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+|[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        "an image repository without a tag, like registry.example.com/team/image",
    ),
]
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
Tag = Annotated[str, TextLike(TAG, "an image tag (letters, digits, -, _ and .; at most 128)")]
OptionalTag = Annotated[str, TextLike(TAG, "an image tag (letters, digits, -, _ and .; at most 128)", optional=True)]
Digest = Annotated[str, TextLike(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits", optional=True)]
Capability = Annotated[
    str, TextLike(r"(?!CAP_)[A-Z][A-Z0-9_]*", "a Linux capability like DAC_OVERRIDE, without CAP_ in front, or ALL")
]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]


class Image(Model):
    """A container image."""

    repository: Repository
    """Image repository, without a tag."""
    pull_policy: PullPolicy = "IfNotPresent"
    """When the node pulls the image."""
    tag: Tag = "latest"
    """Image tag. Upstream's tags are full commit SHAs of its `release` branch, and a `latest` that is moved by hand."""
    digest: Digest = ""
    """Image digest (`sha256:...`): pins the very bytes, whatever the tag says. Empty: the tag decides."""

    @property
    def reference(self) -> str:
        """The image as a container names it."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


class CommonImage(Model):
    """What both images have in common."""

    tag: OptionalTag = ""
    """Tag of both images, which upstream releases together. A tag of `backend.image` or `dashboard.image` wins."""


class Amounts(Model):
    """Amounts of CPU, memory and the node's disk."""

    cpu: Cores | None = None
    """CPU, in cores; for instance, `500m` is half a core. `null`: no request or no limit."""
    memory: Bytes | None = None
    """Memory, in bytes; for instance `2Gi`. `null`: no request or no limit."""
    ephemeral_storage: Bytes | None = None
    """Disk of the node (emptyDirs, logs, what the container writes), in bytes; for instance `4Gi`. `null`: no request
    or no limit. A pod above its limit is evicted."""


class Resources(Model):
    """What a container asks for and what it may use at most."""

    requests: Amounts = Amounts()
    """What the scheduler keeps free for the container."""
    limits: Amounts = Amounts()
    """What the container may use at most; above the memory limit it is killed."""


class Probe(Model):
    """One probe of a container, by HTTP."""

    enabled: bool = True
    """Whether there is such a probe."""
    period_seconds: Seconds
    """Seconds between two checks."""
    timeout_seconds: Seconds = 5
    """Seconds after which a check without an answer has failed."""
    failure_threshold: Count
    """Failed checks in a row until Kubernetes acts."""


class ReadinessProbe(Probe):
    """Whether the Service sends requests to the pod."""

    period_seconds: Seconds = 5
    failure_threshold: Count = 3


class LivenessProbe(Probe):
    """Whether the container is restarted."""

    period_seconds: Seconds = 10
    failure_threshold: Count = 6


class Probes(Model):
    """The three probes of a container."""

    startup: Probe
    """Start-up: period times threshold is the time that a start may take."""
    readiness: ReadinessProbe = ReadinessProbe()
    """Readiness: whether the Service sends requests to the pod."""
    liveness: LivenessProbe = LivenessProbe()
    """Liveness: a container that fails it is restarted."""


class Capabilities(Model):
    """Linux capabilities of a container."""

    drop: list[Capability] = ["ALL"]
    """Capabilities that are taken away."""
    add: list[Capability] = []
    """Capabilities that are given back, for instance DAC_OVERRIDE for a volume that another user owns."""


class SeccompProfile(Model):
    """The system calls that a container may make."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = "RuntimeDefault"
    """Kind of profile."""
    localhost_profile: Annotated[
        str,
        TextLike(
            r"(?!/|(.*/)?\.\.(/|$))[!-~]+",
            "a path below the node's folder of seccomp profiles, without / in front and without ..",
            optional=True,
        ),
    ] = ""
    """File of the profile on the node, for type Localhost."""

    @model_validator(mode="after")
    def _profile_with_localhost(self) -> SeccompProfile:
        if (self.type == "Localhost") != bool(self.localhost_profile):
            raise wrong("must have type Localhost and a localhostProfile, or neither")
        return self


class SecurityContext(Model):
    """What a container may do, as far hardened as its image allows."""

    run_as_user: UserId
    """User id of the process."""
    run_as_group: UserId
    """Group id of the process."""
    run_as_non_root: bool
    """Whether Kubernetes refuses to start the container as root."""
    fs_group: UserId | None = None
    """Group that owns the volumes' files. Not set: whatever the volume brings."""
    allow_privilege_escalation: bool = False
    """Whether a process may gain more rights than its parent."""
    read_only_root_filesystem: bool = False
    """Whether the image's files are read-only."""
    capabilities: Capabilities = Capabilities()
    """Linux capabilities."""
    seccomp_profile: SeccompProfile = SeccompProfile()
    """Seccomp profile of the pod."""


class Toleration(Model):
    """A node taint that the pod accepts."""

    key: LabelKey | None = None
    """Key of the taint. Not set: every key."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How the value is compared."""
    value: LabelValue | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint. Not set: every effect."""
    toleration_seconds: Annotated[int, Field(ge=0, le=LARGEST)] | None = None
    """Seconds until the pod is evicted, with NoExecute."""

    @model_validator(mode="after")
    def _fits_together(self) -> Toleration:
        if self.operator == "Exists" and self.value:
            raise wrong("has a value, and operator Exists compares none: remove it, or write operator Equal")
        if self.operator == "Equal" and not self.key:
            raise wrong("has no key: add one, or write operator Exists, which then accepts every taint")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise wrong("has tolerationSeconds, which go with effect NoExecute only")
        return self


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise wrong("must be a string, a number or a boolean; a value from a Secret belongs under backend.envFrom")
    return value


EnvironmentValue = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]


class SourceReference(Model):
    """Where variables come from."""

    name: ObjectName
    """Name of the ConfigMap or Secret."""
    optional: bool = False
    """Whether the pod starts without it."""


class EnvironmentSource(Model):
    """A ConfigMap or a Secret all keys of which become environment variables."""

    config_map_ref: SourceReference | None = None
    """A ConfigMap."""
    secret_ref: SourceReference | None = None
    """A Secret."""
    prefix: Annotated[
        str,
        TextLike(r"[A-Za-z_][A-Za-z0-9_]*", "the beginning of a variable's name (letters, digits, _)", optional=True),
    ] = ""
    """Text put before each key."""

    @model_validator(mode="after")
    def _one_of_both(self) -> EnvironmentSource:
        if (self.config_map_ref is None) == (self.secret_ref is None):
            raise wrong("must have either configMapRef or secretRef, each with a name")
        return self


class ServiceAccount(Model):
    """The ServiceAccount of the pods, for cloud roles (IRSA, Workload Identity). Its token is not mounted."""

    create: bool = False
    """Make the ServiceAccount. False: use one that you made."""
    name: OptionalObjectName = ""
    """Name of the ServiceAccount. Empty: with `create`, the release name and the component (`convex-backend`, say);
    otherwise the namespace's default account."""
    annotations: dict[AnnotationKey, str] = {}
    """Its annotations, for instance `eks.amazonaws.com/role-arn`; with `create` only."""


class Workload(Model):
    """Settings of the pods that backend and dashboard share."""

    node_selector: dict[LabelKey, LabelValue] = {}
    """Labels that a node must have."""
    tolerations: list[Toleration] = []
    """Node taints that the pod accepts."""
    priority_class_name: OptionalObjectName = ""
    """PriorityClass of the pod."""
    pod_annotations: dict[AnnotationKey, str] = {}
    """Annotations of the pod alone."""
    pod_labels: dict[LabelKey, LabelValue] = {}
    """Labels of the pod alone; never part of a selector."""
    affinity: Affinity = {}
    """Affinity of the pod to nodes and other pods, as Kubernetes writes it."""
    topology_spread_constraints: TopologySpreadConstraints = []
    """How pods spread over zones or nodes, as Kubernetes writes it."""
    host_aliases: HostAliases = []
    """Names in the pod's /etc/hosts, as Kubernetes writes them."""
    init_containers: Containers = []
    """Containers that run before the main one, as Kubernetes writes them."""
    extra_containers: Containers = []
    """Containers beside the main one, as Kubernetes writes them."""
    extra_volumes: Volumes = []
    """Further volumes of the pod, as Kubernetes writes them."""
    extra_volume_mounts: VolumeMounts = []
    """Further mounts of the main container, as Kubernetes writes them."""
    service_account: ServiceAccount = ServiceAccount()
    """ServiceAccount of the pods."""


class LocalObject(Model):
    """A reference to an object in the same namespace, by name."""

    name: ObjectName
    """Name of the object."""


def _name_as_reference(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


ImagePullSecret = Annotated[LocalObject, BeforeValidator(_name_as_reference, json_schema_input_type=LocalObject | str)]
