"""References to Secrets that exist elsewhere: which variable comes from which key, and whether the pod needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from convex_k8s.values.database import URL_PARTS
from convex_k8s.values.secrets import ADMIN_KEY

if TYPE_CHECKING:
    from cdk8s_plus_27 import k8s

    from convex_k8s.values import Values
    from convex_k8s.values.database import Database

_ENGINES = {"postgres": ("POSTGRES_URL", "postgresql", 5432), "mysql": ("MYSQL_URL", "mysql", 3306)}


@dataclass(frozen=True)
class SecretReference:
    """One key of a Secret as an environment variable. The value itself is never seen.

    A pod does not start without a key that is not `optional`.
    """

    variable: str
    secret: str
    key: str
    optional: bool = False

    def env_var(self) -> k8s.EnvVar:
        """The reference as a container has it."""
        from cdk8s_plus_27 import k8s

        return k8s.EnvVar(
            name=self.variable,
            value_from=k8s.EnvVarSource(
                secret_key_ref=k8s.SecretKeySelector(
                    name=self.secret, key=self.key, optional=True if self.optional else None
                )
            ),
        )


def backend_secrets(values: Values) -> list[SecretReference]:
    """Every variable of the backend that comes from a Secret, in a fixed order."""
    references: list[SecretReference] = []
    for database, variable in ((values.postgres, "POSTGRES_URL"), (values.mysql, "MYSQL_URL")):
        if database.enabled:
            references += _url(database, variable)
            if not values.instance_name:
                references.append(
                    SecretReference("INSTANCE_NAME", database.existing_secret, database.keys.instance_name)
                )
    if values.instance_secret_name:
        references.append(SecretReference("INSTANCE_SECRET", values.instance_secret_name, values.instance_secret_key))
    references += _s3(values)
    if values.admin_key_secret_name:
        references.append(SecretReference(ADMIN_KEY, values.admin_key_secret_name, ADMIN_KEY, optional=True))
    return references


def composed_url(values: Values) -> tuple[str, str] | None:
    """Variable and text of a database URL that the kubelet puts together; None if a Secret has the whole URL.

    The text refers to other variables as `$(NAME)`.
    """
    if values.engine is None:
        return None
    database = values.postgres if values.engine == "postgres" else values.mysql
    if not database.composed:
        return None
    variable, scheme, port = _ENGINES[values.engine]
    own = {"host": database.host, "port": str(database.port or port)}
    parts = {
        part: f"$({name})" if getattr(database.keys, part) else own.get(part, "") for part, name in URL_PARTS.items()
    }
    text = "{scheme}://{username}:{password}@{host}:{port}".format(scheme=scheme, **parts)
    plain = values.engine == "postgres" and not values.convex_config.require_ssl and not database.ca_secret
    # Without a CA, the certificate of a server that offers TLS would still be verified.
    return variable, f"{text}?sslmode=disable" if plain else text


def backend_variables_from_secrets(values: Values) -> list[k8s.EnvVar]:
    """The backend's variables that come from Secrets. What a URL refers to is before it, as the kubelet needs it."""
    from cdk8s_plus_27 import k8s

    variables = [reference.env_var() for reference in backend_secrets(values)]
    if url := composed_url(values):
        variables.append(k8s.EnvVar(name=url[0], value=url[1]))
    return variables


def _url(database: Database, variable: str) -> list[SecretReference]:
    secret, keys = database.existing_secret, database.keys
    if not database.composed:
        return [SecretReference(variable, secret, keys.url)]
    named = {name: getattr(keys, part) for part, name in URL_PARTS.items()}
    return [SecretReference(name, secret, key) for name, key in named.items() if key]


def admin_key_of(values: Values, secret: str) -> SecretReference:
    """The admin key of a Job. Optional, so that the Job's own log says what is missing, and how it is made."""
    key = values.secrets.provider == "bootstrap" and secret == values.instance_secret_name
    return SecretReference(ADMIN_KEY, secret, ADMIN_KEY, optional=not key)


def backup_bucket_secrets(values: Values) -> list[SecretReference]:
    """The keys of the bucket of the backups: its own, else the keys of the files."""
    secret = values.backup.s3.existing_secret
    if not secret:
        return _s3(values)
    return [
        SecretReference("BACKUP_AWS_ACCESS_KEY_ID", secret, "AWS_ACCESS_KEY_ID"),
        SecretReference("BACKUP_AWS_SECRET_ACCESS_KEY", secret, "AWS_SECRET_ACCESS_KEY"),
    ]


def database_ca(values: Values) -> tuple[str, str] | None:
    """Secret and key of the database's CA certificate, where one is mounted."""
    for database in (values.postgres, values.mysql):
        if database.enabled and database.ca_secret:
            return database.ca_secret, database.ca_key
    return None


def extra_ca(values: Values) -> tuple[str, str] | None:
    """Secret and key of the CA certificates for Node.js, where some are mounted."""
    backend = values.backend
    return (backend.extra_ca_secret, backend.extra_ca_key) if backend.extra_ca_secret else None


def needed_keys(values: Values) -> dict[str, list[str]]:
    """The Secrets that the backend does not start without, each with its keys; not those that an operator makes."""
    keys: dict[str, list[str]] = {}
    for reference in backend_secrets(values):
        if not reference.optional:
            keys.setdefault(reference.secret, []).append(reference.key)
    for ca in (database_ca(values), extra_ca(values)):
        if ca and ca[1] not in keys.setdefault(ca[0], []):
            keys[ca[0]].append(ca[1])
    return {name: named for name, named in keys.items() if name not in operator_secrets(values)}


def operator_secrets(values: Values) -> tuple[str, ...]:
    """The Secrets that CloudNativePG makes: nobody else writes them."""
    cluster = values.postgres.cloud_native_pg.cluster
    return (f"{cluster}-app", f"{cluster}-ca") if cluster else ()


def _s3(values: Values) -> list[SecretReference]:
    s3 = values.s3
    if not s3.enabled or s3.credentials == "ambient":
        return []
    secret, keys = s3.existing_secret, s3.keys
    references = [
        SecretReference("AWS_ACCESS_KEY_ID", secret, keys.access_key_id),
        SecretReference("AWS_SECRET_ACCESS_KEY", secret, keys.secret_access_key),
    ]
    if not s3.dialect.region:
        references.append(SecretReference("AWS_REGION", secret, keys.region))
    if not s3.endpoint and keys.endpoint and s3.provider != "aws":
        optional = s3.provider == "generic"
        references.append(SecretReference("S3_ENDPOINT_URL", secret, keys.endpoint, optional=optional))
    return references
