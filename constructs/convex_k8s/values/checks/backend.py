"""Checks of the backend: its variables and its volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s import knobs
from convex_k8s.problems import Path, Problem
from convex_k8s.secrecy import named_like_a_secret, secret_in
from convex_k8s.values.quantities import amount

if TYPE_CHECKING:
    from convex_k8s.values import Values


OWN_VARIABLES = {
    "POSTGRES_URL": "postgres.existingSecret",
    "MYSQL_URL": "mysql.existingSecret",
    "DATABASE_URL": "postgres.existingSecret",
    "CONVEX_DB_USERNAME": "postgres.keys.username or mysql.keys.username",
    "CONVEX_DB_PASSWORD": "postgres.keys.password or mysql.keys.password",
    "CONVEX_DB_HOST": "postgres.keys.host or mysql.keys.host",
    "CONVEX_DB_PORT": "postgres.keys.port or mysql.keys.port",
    "PG_CA_FILE": "postgres.caSecret",
    "MYSQL_CA_FILE": "mysql.caSecret",
    "POSTGRES_MAX_CONNECTIONS": "postgres.maxConnections",
    "MYSQL_MAX_CONNECTIONS": "mysql.maxConnections",
    "NODE_EXTRA_CA_CERTS": "backend.extraCaSecret",
    "DO_NOT_REQUIRE_SSL": "convexConfig.requireSsl",
    "INSTANCE_NAME": "instance.name",
    "INSTANCE_SECRET": "instance.existingSecret",
    "CONVEX_CLOUD_ORIGIN": "convexConfig.cloudOrigin, or ingress.backend.host with Ingress on",
    "CONVEX_SITE_ORIGIN": "convexConfig.siteOrigin, or ingress.site.host with Ingress on",
    "CONVEX_SELF_HOSTED_ADMIN_KEY": "backend.secretsName",
    "DISABLE_METRICS_ENDPOINT": "backend.metrics.enabled",
    "AWS_REGION": "s3.region",
    "AWS_ACCESS_KEY_ID": "s3.existingSecret",
    "AWS_SECRET_ACCESS_KEY": "s3.existingSecret",
    "S3_ENDPOINT_URL": "s3.endpoint",
    "AWS_ENDPOINT_URL_S3": "s3.endpoint",
    "AWS_ENDPOINT_URL": "s3.endpoint",
    "S3_STORAGE_EXPORTS_BUCKET": "s3.buckets.exports",
    "S3_STORAGE_SNAPSHOT_IMPORTS_BUCKET": "s3.buckets.snapshotImports",
    "S3_STORAGE_MODULES_BUCKET": "s3.buckets.modules",
    "S3_STORAGE_FILES_BUCKET": "s3.buckets.files",
    "S3_STORAGE_SEARCH_BUCKET": "s3.buckets.search",
    "AWS_S3_FORCE_PATH_STYLE": "s3.forcePathStyle",
    "AWS_S3_DISABLE_SSE": "s3.disableSse",
    "AWS_S3_DISABLE_CHECKSUMS": "s3.disableChecksums",
}
"""Variables that the constructs set from a parameter."""


ON_THE_VOLUME = frozenset({"DATA_DIR", "TMPDIR", "STORAGE_DIR", "SQLITE_DB", "CREDENTIALS_DIR"})
"""Variables that would move data, or the instance secret that the backend makes, off the volume."""


def _volume(values: Values) -> Iterator[Problem]:
    persistence = values.backend.persistence
    if amount(persistence.size) < 1:
        yield Problem(("backend", "persistence", "size"), "must be at least one byte: write 5Gi, say")


def _environment(values: Values) -> Iterator[Problem]:
    for name, value in values.backend.env.items():
        path: Path = ("backend", "env", name)
        if name in OWN_VARIABLES:
            yield Problem(path, f"is set by the overlay itself: use {OWN_VARIABLES[name]} instead")
        elif name in ON_THE_VOLUME:
            yield Problem(path, "would move data off the volume, which is mounted at /convex/data: leave it out")
        elif kind := secret_in(str(value)):
            yield Problem(path, f"looks like {kind}, and an overlay must not hold one: {_TO_A_SECRET}")
        elif isinstance(value, str) and value and name not in knobs.knobs() and named_like_a_secret(name):
            yield Problem(path, f"looks like a secret by its name, and an overlay must not hold one: {_TO_A_SECRET}")
        else:
            try:
                knobs.written(name, value)
            except ValueError as error:
                yield Problem(path, str(error))


_TO_A_SECRET = "put it into a Secret and name that under backend.envFrom"


def _lost(values: Values) -> Iterator[Problem]:
    persistence = values.backend.persistence
    if persistence.enabled:
        return
    path: Path = ("backend", "persistence", "enabled")
    if not values.external_database:
        yield Problem(
            path,
            "is false, so the database (SQLite) is lost with the pod: set it to true, or enable postgres or mysql",
            (("postgres", "enabled"), ("mysql", "enabled")),
            rule="data-lost-with-pod",
        )
    if not values.s3.enabled:
        yield Problem(
            path,
            "is false, so files and deployed functions are lost with the pod: set it to true, or enable s3",
            (("s3", "enabled"),),
            rule="data-lost-with-pod",
        )


def _lost_behind_ingress(values: Values) -> Iterator[Problem]:
    if values.public_hosts is not None and not values.backend.persistence.allow_ephemeral_data:
        for problem in _lost(values):
            yield Problem(
                problem.path,
                f"{problem.message}. If that is wanted, set backend.persistence.allowEphemeralData to true",
                (
                    *problem.depends_on,
                    ("ingress", "enabled"),
                    ("gateway", "enabled"),
                    ("backend", "persistence", "allowEphemeralData"),
                ),
            )


def _lost_data(values: Values) -> Iterator[Problem]:
    if values.public_hosts is None or values.backend.persistence.allow_ephemeral_data:
        yield from _lost(values)


def _admin_keys_die(values: Values) -> Iterator[Problem]:
    if not values.backend.persistence.enabled and not values.instance_secret_name:
        yield Problem(
            ("instance", "existingSecret"),
            "is empty and there is no volume, so every new pod makes a new instance secret and all admin keys die: "
            "set it, or backend.persistence.enabled to true",
            rule="instance-secret-unstable",
        )


def _doubtful_variables(values: Values) -> Iterator[Problem]:
    for name in values.backend.env:
        path: Path = ("backend", "env", name)
        if name in knobs.DEAD:
            said = f"is no longer read by the backend: use {knobs.DEAD[name]}"
            yield Problem(path, said, rule="dead-variable")
        elif meant := knobs.meant(name):
            own = f" That is set by {OWN_VARIABLES[meant]}" if meant in OWN_VARIABLES else ""
            said = f"is not a variable that the backend knows: did you mean {meant}?{own}"
            yield Problem(path, said, rule="unread-variable")


ERRORS = (_volume, _environment, _lost_behind_ingress)
WARNINGS = (_lost_data, _doubtful_variables, _admin_keys_die)
