"""Values of the backend."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from convex_k8s.values.base import (
    Count,
    EnvironmentName,
    Model,
    OptionalObjectName,
    Seconds,
    SecretKey,
    StorageClassName,
    UserId,
    wrong,
)
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

AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]


class BackendImage(Image):
    """The backend's image."""

    repository: Repository = "ghcr.io/get-convex/convex-backend"


class BackendRequests(Amounts):
    """What the scheduler keeps free for the backend."""

    cpu: Cores | None = "500m"
    memory: Bytes | None = "2Gi"


class BackendLimits(Amounts):
    """What the backend may use at most."""

    memory: Bytes | None = "4Gi"


class BackendResources(Resources):
    """CPU and memory of the backend."""

    requests: BackendRequests = BackendRequests()
    limits: BackendLimits = BackendLimits()


class BackendStartupProbe(Probe):
    """How long the backend may take until /version answers: to reach the database and to make its tables there. Ten
    minutes by default. Data migrations come later, while it serves: an upgrade is finished when the log says
    `db metadata version up to date`."""

    period_seconds: Seconds = 5
    failure_threshold: Count = 120


class BackendProbes(Probes):
    """The probes of the backend."""

    startup: BackendStartupProbe = BackendStartupProbe()


class Persistence(Model):
    """The volume at /convex/data."""

    enabled: bool = False
    """A volume claim at /convex/data that outlives the pod. False: an emptyDir, gone with the pod."""
    existing_claim: OptionalObjectName = ""
    """A claim that is already there, mounted instead of a new one (for a volume of a Helm release)."""
    storage_class_name: StorageClassName = "longhorn-standard"
    """StorageClass of a new claim. `""`: the cluster's default class; `-`: none (a volume made by hand)."""
    access_mode: AccessMode = "ReadWriteOnce"
    """Access mode of a new claim. If the cluster knows ReadWriteOncePod, that mode keeps a second pod out for
    certain."""
    size: Bytes = "5Gi"
    """Size of a new claim, in bytes."""
    size_limit: Bytes | None = None
    """Most that the emptyDir may hold, in bytes, while `enabled` is false: above it the pod is evicted."""
    allow_ephemeral_data: bool = False
    """Accept, with Ingress on, that the database or the files are lost with the pod."""


class Metrics(Model):
    """Prometheus metrics of the backend."""

    enabled: bool = False
    """Serve /metrics, without credentials, inside the cluster. The Ingress, if on, closes /metrics to the outside."""


def _root(value: Any) -> Any:
    if isinstance(value, int) and (value != 0 or isinstance(value, bool)):
        raise wrong("must be 0: the image's files are for root alone, and as another user it would not start")
    return value


def _not_non_root(value: Any) -> Any:
    if isinstance(value, int | float) and value is not False:
        raise wrong("must be false: the image runs as root and has no other user, so the pod would never start")
    return value


class BackendSecurityContext(SecurityContext):
    """The backend's security context. Its image runs as root and cannot do otherwise."""

    run_as_user: Annotated[Literal[0], BeforeValidator(_root)] = 0
    """User id of the process: the image's files are for root alone."""
    run_as_group: UserId = 0
    """Group id of the process."""
    run_as_non_root: Annotated[Literal[False], BeforeValidator(_not_non_root)] = False
    """Must stay false: the image has no other user, and the pod would not start."""


class TemporaryFiles(Model):
    """The emptyDir at /convex/data/tmp, which the backend never clears."""

    size_limit: Bytes | None = None
    """Most that the emptyDir at /convex/data/tmp may hold, in bytes. Above that the pod is evicted, and begins with an
    empty one."""


class Backend(Workload):
    """The backend: a StatefulSet of one pod."""

    image: BackendImage = BackendImage()
    """Image of the backend."""
    secrets_name: OptionalObjectName = "convex-secrets"
    """Secret with the admin key (`CONVEX_SELF_HOSTED_ADMIN_KEY`). Optional: the backend itself does not read it."""
    persistence: Persistence = Persistence()
    """The volume at /convex/data."""
    env: dict[EnvironmentName, EnvironmentValue] = {}
    """Further environment variables and tuning knobs: string, number or boolean, never a secret."""
    env_from: list[EnvironmentSource] = []
    """ConfigMaps and Secrets all keys of which become variables. What the overlay itself sets wins over them."""
    paused: bool = False
    """Run no pod, for maintenance of the database or the volume. Everything else stays."""
    tmp: TemporaryFiles = TemporaryFiles()
    """The emptyDir for temporary files."""
    metrics: Metrics = Metrics()
    """Prometheus metrics."""
    extra_ca_secret: OptionalObjectName = ""
    """Secret with further CA certificates for Node.js actions (`NODE_EXTRA_CA_CERTS`): needed if the API's public
    URL, to which their callbacks go, has a certificate of a private CA. The backend's own calls do not use them."""
    extra_ca_key: SecretKey = "ca.crt"
    """Key of the CA certificates (PEM) in that Secret."""
    termination_grace_period_seconds: Seconds = 120
    """Seconds that a stop may take: the backend gets SIGINT and finishes what is running; then it is killed."""
    resources: BackendResources = BackendResources()
    """CPU and memory. Its caches alone may take 1.4 GiB."""
    probes: BackendProbes = BackendProbes()
    """Probes, all on /version."""
    security_context: BackendSecurityContext = BackendSecurityContext()
    """Security context."""
    service_account_name: OptionalObjectName = ""
    """The same as `backend.serviceAccount.name`."""
