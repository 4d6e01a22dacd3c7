"""References to Secrets that exist elsewhere: which variable comes from which key, and whether the pod needs it."""

from __future__ import annotations

from dataclasses import dataclass

from cdk8s_plus_27 import k8s

from convex_k8s.values import Values
from convex_k8s.values.database import Database


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
    instance = values.instance
    for database, variable in ((values.postgres, "POSTGRES_URL"), (values.mysql, "MYSQL_URL")):
        if database.enabled:
            references += _database(database, variable, values)
    if instance.existing_secret:
        references.append(SecretReference("INSTANCE_SECRET", instance.existing_secret, instance.keys.instance_secret))
    references += _s3(values)
    if values.backend.secrets_name:
        references.append(SecretReference(ADMIN_KEY, values.backend.secrets_name, ADMIN_KEY, optional=True))
    return references


ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
"""Variable and key of the admin key. The backend does not read it; `npx convex` in a shell of the pod does."""


def _database(database: Database, variable: str, values: Values) -> list[SecretReference]:
    keys, secret = database.keys, database.existing_secret
    references = [SecretReference(variable, secret, keys.url)]
    if not values.instance.name:
        references.append(SecretReference("INSTANCE_NAME", secret, keys.instance_name))
    if not values.instance.existing_secret:
        references.append(SecretReference("INSTANCE_SECRET", secret, keys.instance_secret))
    return references


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
