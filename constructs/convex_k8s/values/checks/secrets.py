"""Checks of the Secret provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _secrets(values: Values) -> Iterator[Problem]:
    secrets = values.secrets
    if secrets.provider == "bootstrap" and not values.instance_name:
        yield Problem(
            ("instance", "name"),
            "is missing: with secrets.provider bootstrap the instance secret does not come from the database's Secret, "
            "so set the name here (the database is named after it)",
            (("secrets", "provider"),),
        )
    if secrets.provider != "external-secrets":
        return
    if not secrets.external_secrets.store_name:
        yield Problem(
            ("secrets", "externalSecrets", "storeName"),
            "is missing: name the SecretStore or ClusterSecretStore that holds the values",
            (("secrets", "provider"),),
        )
    s3 = values.s3
    if s3.enabled and s3.credentials == "secret" and s3.provider == "generic" and not s3.endpoint and s3.keys.endpoint:
        yield Problem(
            ("s3", "provider"),
            "must say which service it is (aws, minio, ...), or s3.endpoint be set: External Secrets Operator takes no "
            "optional keys, and without its endpoint the backend would talk to Amazon",
            (("secrets", "provider"), ("s3", "endpoint"), ("s3", "keys", "endpoint")),
        )


ERRORS = (_secrets,)
