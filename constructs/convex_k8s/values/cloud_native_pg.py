"""Values of CloudNativePG: a Cluster that exists, or one of the environment's own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from convex_k8s.values.base import Model, OptionalObjectName, StorageClassName, TextLike, wrong
from convex_k8s.values.quantities import Bytes
from convex_k8s.values.workload import Resources

ParameterName = Annotated[
    str, TextLike(r"[a-z][a-z0-9_.]*", "the name of a PostgreSQL parameter like shared_buffers", longest=63)
]
ImageName = Annotated[
    str,
    TextLike(
        r"[a-z0-9][-._a-z0-9/:]*[:@][-._A-Za-z0-9:@]+",
        "an image with its tag, like ghcr.io/cloudnative-pg/postgresql:17.6",
        optional=True,
    ),
]


BESIDE_THE_POOL = 32
"""Connections for superusers, replicas, the operator, backups, and a backend that leaves while the next one comes."""


def _parameter(value: str) -> str:
    if "\n" in value:
        raise wrong("must be one line")
    return value


class ClusterStorage(Model):
    """A volume of each instance."""

    size: Bytes | None = None
    """Size of the volume. It can grow and never shrink."""
    storage_class: StorageClassName = ""
    """StorageClass of the volume. Empty: the cluster's default one. It holds for new instances only."""


class CreateCluster(Model):
    """A Cluster of the environment's own. Backup is yours: add it by `patches`, and a ScheduledBackup by
    `extraObjects`."""

    instances: Annotated[int, Field(ge=1, le=100)] = 1
    """Instances: one primary, the others are replicas that take over."""
    storage: ClusterStorage = ClusterStorage()
    """Volume of the data. Set its size to have the Cluster made."""
    wal_storage: ClusterStorage = ClusterStorage()
    """Volume of its own for the write-ahead log. Without a size the log is beside the data. It can be added later and
    never removed."""
    image_name: ImageName = ""
    """PostgreSQL image, which fixes the version. Empty: the one that the operator brings."""
    resources: Resources = Resources()
    """Resources of each instance. With requests and limits alike it is evicted last."""
    parameters: dict[ParameterName, Annotated[str, AfterValidator(_parameter)]] = {}
    """Parameters of PostgreSQL. `max_connections` fits the backend's pool by itself."""

    @property
    def wanted(self) -> bool:
        """Whether the Cluster is made."""
        return self.storage.size is not None


class CloudNativePG(Model):
    """A server of the operator CloudNativePG."""

    cluster: OptionalObjectName = ""
    """Name of a Cluster of CloudNativePG in the namespace of the environment. Login, CA and instance name come from the
    Secrets that the operator makes, `NAME-app` and `NAME-ca`. The instance secret is in a Secret of its own."""
    create: CreateCluster = CreateCluster()
    """Make that Cluster, with database and owner named for the instance."""


_RESERVED = re.compile(r"postgres|template[01]|streaming_replica|cnpg_pooler_pgbouncer|pg_.*")


def is_reserved(database: str) -> bool:
    """Whether PostgreSQL or the operator has a database or role of that name already."""
    return _RESERVED.fullmatch(database) is not None
