"""Values of the database and of the instance: what the backend keeps its documents in, and under which name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from convex_k8s.values.base import (
    Count,
    Model,
    ObjectName,
    OptionalHost,
    OptionalObjectName,
    OptionalSecretKey,
    Port,
    SecretKey,
    TextLike,
)
from convex_k8s.values.cloud_native_pg import CloudNativePG

InstanceName = Annotated[
    str,
    TextLike(
        r"[a-z][-_a-z0-9]*",
        "a name of lower-case letters, digits, - and _ that begins with a letter and has at most 63 characters: "
        "the database is named after it, and : and | would break the admin keys",
        longest=63,
        optional=True,
    ),
]

DEFAULT_INSTANCE_NAME = "convex-self-hosted"
"""Upstream's own default, written out so that it does not depend on the image."""
DEFAULT_MAX_CONNECTIONS = 128
"""Connections in the backend's pool where nothing else is set (upstream's default)."""

URL_PARTS = {
    "username": "CONVEX_DB_USERNAME",
    "password": "CONVEX_DB_PASSWORD",
    "host": "CONVEX_DB_HOST",
    "port": "CONVEX_DB_PORT",
}
"""The variables of the parts of a composed database URL. The backend itself reads none of them."""


class DatabaseKeys(Model):
    """Keys of the database's Secret."""

    url: SecretKey = "DATABASE_URL"
    """Key of the connection URL, without a database name: `postgresql://user:password@host:5432`, or for MySQL
    `mysql://user:password@host:3306`. Not read when `username` and `password` are set."""
    host: OptionalSecretKey = ""
    """Key of the server's host name, for a Secret without a URL: the kubelet puts the URL together from single keys.
    Empty: `host` beside `keys`."""
    port: OptionalSecretKey = ""
    """Key of the server's port. Empty: `port` beside `keys`."""
    username: OptionalSecretKey = ""
    """Key of the user name. It goes into the URL as it is, without percent-encoding."""
    password: OptionalSecretKey = ""
    """Key of the password. It goes into the URL as it is: letters, digits and `-._~` are safe."""
    instance_name: SecretKey = "INSTANCE_NAME"
    """Key of the instance name, which is the database's name; not read when `instance.name` is set."""
    instance_secret: SecretKey = "INSTANCE_SECRET"
    """Key of the instance secret (64 hex digits); not read when `instance.existingSecret` is set."""


class Database(Model):
    """An external database."""

    enabled: bool = False
    """Use this database. With neither Postgres nor MySQL the backend keeps its data in SQLite, at /convex/data."""
    existing_secret: ObjectName
    """Secret with the connection URL, instance name and instance secret."""
    keys: DatabaseKeys = DatabaseKeys()
    """Keys of that Secret."""
    host: OptionalHost = ""
    """Host name of the server, if the URL is put together from single keys and no key has the host."""
    port: Port | None = None
    """Port of the server, if the URL is put together from single keys and no key has the port. Not set: the usual
    port."""
    ca_secret: OptionalObjectName = ""
    """Secret with the CA certificate of the server, if its certificate is not from a public CA."""
    ca_key: SecretKey = "ca.crt"
    """Key of the CA certificate (PEM) in that Secret."""
    max_connections: Count | None = None
    """Connections in the backend's pool. Not set: 128. A stock Postgres server allows 100 in all, MySQL 151."""

    @property
    def pool(self) -> int:
        """Connections that the backend may open."""
        return self.max_connections or DEFAULT_MAX_CONNECTIONS

    @property
    def composed(self) -> bool:
        """Whether the URL is put together from single keys."""
        keys = self.keys
        return bool(keys.host or keys.port or keys.username or keys.password)


class Postgres(Database):
    """An external PostgreSQL server."""

    cloud_native_pg: Annotated[CloudNativePG, Field(alias="cloudNativePG")] = CloudNativePG()
    """A server of CloudNativePG."""

    existing_secret: ObjectName = "convex-postgres-secret"
    """Secret with the connection URL, instance name and instance secret."""

    @model_validator(mode="before")
    @classmethod
    def _from_cluster(cls, data: Any) -> Any:
        """Fill in the Secrets of CloudNativePG and their keys; what the overlay says itself stays for the checks."""
        operator = data.get("cloudNativePG") if isinstance(data, Mapping) else None
        cluster = operator.get("cluster") if isinstance(operator, Mapping) else None
        if not (isinstance(cluster, str) and cluster):
            return data
        data = {key: value for key, value in data.items() if value is not None}
        keys = {"host": "host", "port": "port", "username": "username", "password": "password"}
        own = data.get("keys", {})
        if isinstance(own, Mapping):
            own = {**keys, "instanceName": "dbname", **own}
        ca = {} if "caSecret" in data else {"caSecret": f"{cluster}-ca", "caKey": "ca.crt"}
        return {**ca, "existingSecret": f"{cluster}-app", **data, "keys": own}


class Mysql(Database):
    """An external MySQL server."""

    existing_secret: ObjectName = "convex-mysql-secret"
    """Secret with the connection URL, instance name and instance secret."""


class InstanceKeys(Model):
    """Keys of the instance's own Secret."""

    instance_secret: SecretKey = "INSTANCE_SECRET"
    """Key of the instance secret (64 hex digits)."""


class Instance(Model):
    """The Convex instance: its name and its secret."""

    name: InstanceName = ""
    """Instance name. Empty: what the database's Secret says or, with SQLite, `convex-self-hosted`. The database is
    named after it and every admin key contains it, so it can never be changed."""
    existing_secret: OptionalObjectName = ""
    """Secret with the instance secret. Empty: the database's Secret or, with SQLite, one that the backend makes at its
    first start and keeps on its volume."""
    keys: InstanceKeys = InstanceKeys()
    """Keys of that Secret."""
