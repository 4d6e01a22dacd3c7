"""The values of one environment: typed, with defaults, checked once here and trusted afterwards.

The schema is the Helm chart's: every parameter of the chart keeps its name and its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ValidationError, WithJsonSchema, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from convex_k8s.problems import Path, Problem, ValuesError
from convex_k8s.values import checks
from convex_k8s.values.acknowledge import AcknowledgedValue, IrreversibleChange
from convex_k8s.values.audit import Audit
from convex_k8s.values.backend import Backend
from convex_k8s.values.backup import Backup
from convex_k8s.values.base import AnnotationKey, ClusterName, LabelKey, LabelValue, Model, NamespaceName, ReleaseName
from convex_k8s.values.dashboard import Dashboard
from convex_k8s.values.database import DEFAULT_INSTANCE_NAME, Instance, Mysql, Postgres
from convex_k8s.values.edge import ConvexConfig, Service
from convex_k8s.values.functions import Functions
from convex_k8s.values.gateway import Gateway
from convex_k8s.values.ingress import Ingress
from convex_k8s.values.maintenance import Maintenance
from convex_k8s.values.messages import message_for
from convex_k8s.values.monitoring import Monitoring
from convex_k8s.values.network_policy import NetworkPolicy
from convex_k8s.values.patches import ExtraObject, Patch
from convex_k8s.values.pod_disruption_budget import PodDisruptionBudget
from convex_k8s.values.public_hosts import PublicHosts
from convex_k8s.values.s3 import S3
from convex_k8s.values.secrets import Secrets
from convex_k8s.values.workload import TAG, CommonImage, ImagePullSecret


class Values(Model):
    """The values of one environment."""

    release_name: ReleaseName = "convex"
    """Prefix of all names: the name that a Helm release has. It cannot be changed once data exists."""
    cluster: ClusterName = ""
    """Cluster that the environment is for, in your own words. Two environments with the same cluster, namespace and
    release name are an error: one would replace the other. Empty: the one cluster that has no name."""
    namespace: NamespaceName = ""
    """Namespace of all objects. Empty: the namespace that kubectl, Argo CD or Flux uses."""
    create_namespace: bool = False
    """Write a Namespace too, in a file of its own, so that removing the environment does not remove the namespace."""
    replica_count: Annotated[int, WithJsonSchema({"type": "integer", "const": 1})] = 1
    """Pods of the backend. Must be 1: two writers would fight over the database. See `dashboard.replicaCount`."""
    image_pull_secrets: list[ImagePullSecret] = []
    """Secrets with credentials for the image registry."""
    common_labels: dict[LabelKey, LabelValue] = {}
    """Labels on every object and pod; never part of a selector."""
    common_annotations: dict[AnnotationKey, str] = {}
    """Annotations on every object."""
    image: CommonImage = CommonImage()
    """What both images have in common."""
    backend: Backend = Backend()
    """The backend."""
    dashboard: Dashboard = Dashboard()
    """The dashboard."""
    instance: Instance = Instance()
    """The Convex instance: its name and secret."""
    postgres: Postgres = Postgres()
    """External PostgreSQL."""
    mysql: Mysql = Mysql()
    """External MySQL."""
    s3: S3 = S3()
    """File storage on S3."""
    secrets: Secrets = Secrets()
    """Who makes the Secrets that the manifests refer to."""
    service: Service = Service()
    """Services."""
    ingress: Ingress = Ingress()
    """Ingress."""
    gateway: Gateway = Gateway()
    """Gateway API."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """NetworkPolicies."""
    pod_disruption_budget: PodDisruptionBudget = PodDisruptionBudget()
    """PodDisruptionBudgets."""
    monitoring: Monitoring = Monitoring()
    """Metrics and alerts."""
    maintenance: Maintenance = Maintenance()
    """Maintenance on a schedule."""
    convex_config: ConvexConfig = ConvexConfig()
    """Origins without Ingress and Gateway, and TLS to the database."""
    patches: list[Patch] = []
    """Changes of the objects that this overlay makes, for what no parameter covers: see `docs/extending.md`. They are
    applied last, in the order of the list; a later layer replaces the whole list."""
    extra_objects: list[ExtraObject] = []
    """Whole objects of your own, applied with the others. Namespace, labels and annotations of the environment are
    filled in (`metadata.namespace: null` leaves it out). A Secret with data is refused."""
    backup: Backup = Backup()
    """Backups."""
    functions: Functions = Functions()
    """The Job that pushes your Convex functions."""
    acknowledge: dict[IrreversibleChange, AcknowledgedValue] = {}
    """Irreversible changes that are meant, each with its new value: synth prints the lines when it stops at one. They
    do not count for the next change. `docs/irreversible-changes.md` explains them."""
    audit: Audit = Audit()
    """What `audit` finds."""

    @model_validator(mode="before")
    @classmethod
    def _same_tag(cls, data: Any) -> Any:
        """Let `image.tag` be the tag of both images. A component's own tag wins."""
        given = data.get("image") if isinstance(data, Mapping) else None
        tag = given.get("tag") if isinstance(given, Mapping) else None
        if not (isinstance(tag, str) and re.fullmatch(TAG, tag)):
            return data
        result = dict(data)
        for component in ("backend", "dashboard"):
            part = result.get(component) or {}
            image = (part.get("image") or {}) if isinstance(part, Mapping) else None
            if isinstance(image, Mapping) and image.get("tag") is None:
                result[component] = {**part, "image": {**image, "tag": tag}}
        return result

    @model_validator(mode="after")
    def _fits_together(self) -> Values:
        problems = checks.errors(self)
        if problems:
            problems += checks.own_errors(self)
            raise PydanticCustomError("convex_problems", "{count} problems", {"count": len(problems), "all": problems})
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Values:
        """Check plain data, as a YAML file holds it, and return the values.

        Raises `ValuesError` with every problem: where single fields are wrong, the relations between the others are
        checked all the same.
        """
        problems: list[Problem] = []
        rest: Any = dict(data)
        for _ in range(_ROUNDS):
            try:
                values = cls.model_validate(rest, by_alias=True, by_name=False)
            except ValidationError as error:
                found = [problem for detail in error.errors() for problem in _problems_in(cls, detail)]
                wrong = [problem.path for problem in problems]
                problems += [problem for problem in found if not _rests_on(problem, wrong)]
                if any(detail["type"] == "convex_problems" for detail in error.errors()):
                    break
                for problem in found:
                    rest = _without(rest, problem.path)
            else:
                if not problems:
                    return values
                break
        raise ValuesError(problems)

    @property
    def engine(self) -> Literal["postgres", "mysql"] | None:
        """The server that documents are in; None: SQLite on the volume."""
        if self.postgres.enabled:
            return "postgres"
        return "mysql" if self.mysql.enabled else None

    @property
    def external_database(self) -> bool:
        """Whether documents are in Postgres or MySQL, not in SQLite on the volume."""
        return self.engine is not None

    @property
    def instance_name(self) -> str:
        """The instance's name; empty if only the database's Secret says it."""
        return self.instance.name or ("" if self.external_database else DEFAULT_INSTANCE_NAME)

    @property
    def database_name(self) -> str:
        """The database, and its owner, of a Cluster of the environment's own: the instance takes its name from it."""
        return (self.instance.name or self.release_name).replace("-", "_")

    @property
    def _instance_apart(self) -> bool:
        """Whether the instance secret is in the Secret `<release>-instance` unless the overlay names another."""
        cluster = self.postgres.cloud_native_pg.cluster if self.postgres.enabled else ""
        return bool(cluster) or self.secrets.provider == "bootstrap"

    @property
    def instance_secret_name(self) -> str:
        """The Secret with the instance secret; empty if the backend makes one itself and keeps it on its volume."""
        if self.instance.existing_secret:
            return self.instance.existing_secret
        if self._instance_apart:
            return f"{self.release_name}-instance"
        if self.postgres.enabled:
            return self.postgres.existing_secret
        return self.mysql.existing_secret if self.mysql.enabled else ""

    @property
    def instance_secret_key(self) -> str:
        """The key of the instance secret in that Secret."""
        if not self.instance.existing_secret and not self._instance_apart:
            if self.postgres.enabled:
                return self.postgres.keys.instance_secret
            if self.mysql.enabled:
                return self.mysql.keys.instance_secret
        return self.instance.keys.instance_secret

    @property
    def backend_account(self) -> str:
        """The ServiceAccount of the backend's pod; empty for the namespace's default one."""
        account = self.backend.service_account
        made = f"{self.release_name}-backend" if account.create else ""
        return self.backend.service_account_name or account.name or made

    @property
    def admin_key_secret_name(self) -> str:
        """The Secret with the admin key; empty if there is none."""
        return self.instance_secret_name if self.secrets.provider == "bootstrap" else self.backend.secrets_name

    @property
    def metrics(self) -> bool:
        """Whether the backend serves metrics."""
        return self.backend.metrics.enabled or self.monitoring.enabled

    @property
    def public_hosts(self) -> PublicHosts | None:
        """The hosts of the edge, from which the public URLs follow; None without Ingress and Gateway."""
        if self.ingress.enabled:
            return PublicHosts.of(self, "ingress")
        return PublicHosts.of(self, "gateway") if self.gateway.enabled else None

    @property
    def backup_key_secret_name(self) -> str:
        """The Secret with the admin key of the backup Job."""
        if self.backup.admin_key_secret:
            return self.backup.admin_key_secret
        bootstrap = self.secrets.provider == "bootstrap"
        return self.instance_secret_name if bootstrap else f"{self.release_name}-backup"

    @property
    def functions_key_secret_name(self) -> str:
        """The Secret with the admin key of the Job that pushes functions."""
        if self.functions.admin_key_secret:
            return self.functions.admin_key_secret
        bootstrap = self.secrets.provider == "bootstrap"
        return self.instance_secret_name if bootstrap else f"{self.release_name}-functions"

    @property
    def warnings(self) -> list[Problem]:
        """What is allowed and probably not meant, and not accepted: printed, never fatal."""
        return [warning for warning in checks.warnings(self) if warning.rule not in self.audit.ignore]

    @property
    def own_errors(self) -> list[Problem]:
        """What is an error where the overlay itself says it, and harmless where it inherits it."""
        return checks.own_errors(self)


_ROUNDS = 4


def _problems_in(model: type[Model], detail: ErrorDetails) -> list[Problem]:
    if detail["type"] == "convex_problems":
        return list(detail["ctx"]["all"])
    path = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "convex_inside":
        return [Problem((*path, *inside.path), inside.message) for inside in detail["ctx"]["all"]]
    return [Problem(path, message_for(model, path, detail))]


def _rests_on(problem: Problem, wrong: list[Path]) -> bool:
    return any(
        path[: len(bad)] == bad or bad[: len(path)] == path
        for path in (problem.path, *problem.depends_on)
        for bad in wrong
    )


def _without(data: Any, path: Path) -> Any:
    """The data without the value at `path`, or without the whole list that it is in: an index must keep its meaning."""
    head, rest = path[0], path[1:]
    if not (isinstance(data, dict) and head in data):
        return data
    if not rest or isinstance(rest[0], int):
        return {key: value for key, value in data.items() if key != head}
    return {**data, head: _without(data[head], rest)}
