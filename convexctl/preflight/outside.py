"""Checks of database and buckets with the values of the cluster's Secrets, as the backend will have them."""

from __future__ import annotations

from collections.abc import Sequence

from convex_k8s.values import Values

from convexctl.preflight.check import Check, client, skipped, skipped_all
from convexctl.preflight.convex_tables import Storage
from convexctl.preflight.secrets import SecretChecks
from convexctl.secrets.instance import NAME
from convexctl.secrets.url_parts import put_together, variables_of
from convexctl.tools.kubectl import KubectlError

DATABASE, FILES = "database", "files"
"""The checks if there is nothing outside to connect to."""

_S3_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "S3_ENDPOINT_URL")


def require_clients(values: Values) -> None:
    """Import the clients that the checks need. Raises `UserError`, with how to install it, where one is missing."""
    modules = {
        "psycopg": values.postgres.enabled,
        "pymysql": values.mysql.enabled,
        "certifi": values.external_database or values.s3.enabled,
        "boto3": values.s3.enabled,
    }
    for module, needed in modules.items():
        if needed:
            client(module)


def check_outside(values: Values, secrets: SecretChecks) -> list[Check]:
    """Check the database and the buckets that the backend will use, from here."""
    return [*_database(values, secrets), *_files(values, secrets)]


def _database(values: Values, secrets: SecretChecks) -> list[Check]:
    from convexctl.preflight import mysql, postgres

    engine = values.engine
    if engine is None:
        return [skipped(DATABASE, "SQLite, on the backend's volume: it cannot be reached from here")]
    database = values.postgres if engine == "postgres" else values.mysql
    check, names = {
        "postgres": (postgres.check_postgres, postgres.NAMES),
        "mysql": (mysql.check_mysql, mysql.NAMES),
    }[engine]
    url_variable, ca_variable = {
        "postgres": ("POSTGRES_URL", "PG_CA_FILE"),
        "mysql": ("MYSQL_URL", "MYSQL_CA_FILE"),
    }[engine]
    if reason := _out_of_reach(values, secrets, [*variables_of(values, url_variable), ca_variable]):
        return skipped_all(names, reason)
    storage: Storage = "s3" if values.s3.enabled else "local"
    return check(
        put_together(values, url_variable, secrets.given) or "",
        values.instance_name or secrets.given(NAME) or "",
        require_tls=values.convex_config.require_ssl,
        ca_pem=secrets.given(ca_variable) or "",
        max_connections=database.max_connections,
        storage=storage,
    )


def _files(values: Values, secrets: SecretChecks) -> list[Check]:
    from convexctl.preflight.s3 import SETTINGS, S3Settings, bucket_check, check_s3

    if not values.s3.enabled:
        return [skipped(FILES, "on the backend's volume: they cannot be reached from here")]
    s3, dialect = values.s3, values.s3.dialect
    buckets = list(dict.fromkeys(s3.bucket_names.values()))
    if reason := _out_of_reach(values, secrets, _S3_VARIABLES):
        return skipped_all([SETTINGS, *(bucket_check(name) for name in buckets)], reason)
    settings = S3Settings(
        region=dialect.region or secrets.given("AWS_REGION") or "",
        endpoint=s3.endpoint or secrets.given("S3_ENDPOINT_URL"),
        access_key_id=secrets.given("AWS_ACCESS_KEY_ID"),
        secret_access_key=secrets.given("AWS_SECRET_ACCESS_KEY"),
        path_style=dialect.path_style,
        checksums=dialect.checksums,
        sse=dialect.sse,
    )
    return check_s3(settings, buckets, values.instance_name or secrets.given(NAME) or "")


def _out_of_reach(values: Values, secrets: SecretChecks, variables: Sequence[str]) -> str:
    """Why the checks cannot be made; empty if they can."""
    try:
        wrong = secrets.wrong([*variables, *([] if values.instance_name else [NAME])])
    except KubectlError as error:
        return f"unknown: {error}"
    return f"rests on `{wrong}`" if wrong else ""
