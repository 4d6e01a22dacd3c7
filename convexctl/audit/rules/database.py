"""The database: TLS, URL, connections, and who shares it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, hit_variable, obstacles, rule
from convexctl.audit.rules.variables import presence_false
from convexctl.behaviour import Backend, Decision
from convexctl.behaviour.database import url_of
from convexctl.behaviour.manifests import same_namespace
from convexctl.behaviour.variables import START_SCRIPT
from convexctl.project import PROGRAM

MOST_COMPARED = 50
"""Backends with which another one is compared."""
SUPERUSERS = 3
"""Connections that Postgres keeps for superusers."""
STOCK_CONNECTIONS = {"postgres": 100 - SUPERUSERS, "mysql": 151}
"""What an unchanged server grants: Postgres 100 less 3 for superusers, MySQL 151."""


@rule(
    "database-tls-not-required",
    Severity.WARNING,
    "TLS to the database is not required",
    reason="With DO_NOT_REQUIRE_SSL the backend asks Postgres for TLS and connects without it if the server has "
    "none. It speaks plain text to MySQL unless MYSQL_CA_FILE is set. Passwords and documents can then be read on "
    "the way.",
    basis="entry point of the backend's image; the server's database clients",
    parameter="convexConfig.requireSsl: true, with postgres.caSecret for a CA of your own",
    change="remove DO_NOT_REQUIRE_SSL; for a CA of your own, mount its certificate and set PG_CA_FILE or MYSQL_CA_FILE",
)
def database_tls(view: View) -> Iterator[Hit]:
    """TLS that is switched off on purpose; by accident is a rule of its own."""
    accidents = {found.source for found in presence_false.check(view)}
    for backend in view.behaviour.backends:
        tls = backend.database_tls
        if tls and tls.value != "required" and tls.source not in accidents and not _in_the_pod(backend):
            yield Hit(backend, tls.source, f"TLS is {tls.text}")
        switch = backend.environment.read("DO_NOT_REQUIRE_SSL")
        if tls is None and switch.filled and backend.engine.unless and switch.source not in accidents:
            condition = backend.engine.unless.replace(" sets ", " has ", 1)
            yield Hit(backend, switch.source, f"TLS to the database is not required if {condition}")


def _in_the_pod(backend: Backend) -> bool:
    """Whether the database is reached through a proxy in the pod itself, which encrypts on its own."""
    readings = map(backend.environment.read, ("POSTGRES_URL", "MYSQL_URL", "DATABASE_URL"))
    first = next((reading.variable for reading in readings if reading.filled), None)
    url = url_of(first.outline) if first else None
    return (
        url is not None
        and not url.torn
        and re.fullmatch(r"(localhost|127\.[0-9.]+|\[::1\])(:\d+)?", url.host) is not None
    )


@rule(
    "database-in-url",
    Severity.ERROR,
    "A database name in the URL",
    reason="The database is named after INSTANCE_NAME, with _ in place of every -. The backend refuses a Postgres URL "
    "with a path other than / at the start.",
    basis="the server's Postgres client",
    parameter="instance.name (or the key INSTANCE_NAME of postgres.existingSecret)",
    change="end the URL after host and port, and name the instance after the database",
)
def database_in_url(view: View) -> Iterator[Hit]:
    """Postgres URLs with a path."""
    yield from obstacles(view, "database in URL")


@rule(
    "database-url-unusable",
    Severity.ERROR,
    "A database URL that the backend cannot use",
    reason="The URL needs the scheme of its database, a user and a host. The backend ends at once if it cannot read "
    "it. A /, ? or # that is not percent-encoded ends the password, and the @ behind it no longer marks the host.",
    basis="the server's database clients",
    parameter=f"postgres.existingSecret, mysql.existingSecret (`{PROGRAM} secrets` checks the value)",
    change="write postgresql://USER:PASSWORD@HOST:5432, special characters percent-encoded",
)
def database_url(view: View) -> Iterator[Hit]:
    """URLs that are none, of another database, or without user or host."""
    yield from obstacles(view, "database URL", "no database user")


@rule(
    "database-url-deprecated",
    Severity.WARNING,
    "The database is given in DATABASE_URL",
    reason="DATABASE_URL is deprecated. It means Postgres whatever its scheme, and counts only if POSTGRES_URL and "
    "MYSQL_URL have no value.",
    basis="entry point of the backend's image",
    parameter="postgres.enabled: true (the Secret's key may be called DATABASE_URL)",
    change="rename the variable to POSTGRES_URL",
)
def database_url_deprecated(view: View) -> Iterator[Hit]:
    """DATABASE_URL in use."""
    for backend in view.behaviour.backends:
        reading = backend.environment.read("DATABASE_URL")
        if backend.database_url and reading.filled and backend.database_url.source == reading.source:
            yield hit_variable(backend, reading, "DATABASE_URL decides the database")


@rule(
    "database-ignored",
    Severity.ERROR,
    "Two databases, of which one is not used",
    reason="The first of POSTGRES_URL, MYSQL_URL and DATABASE_URL that has a value is used; the others are not read.",
    basis="entry point of the backend's image",
    parameter="postgres.enabled or mysql.enabled, not both",
    change="remove the variable that does not count",
)
def database_ignored(view: View) -> Iterator[Hit]:
    """Database URLs after the first."""
    for backend in view.behaviour.backends:
        readings = [backend.environment.read(name) for name in ("POSTGRES_URL", "MYSQL_URL", "DATABASE_URL")]
        filled = [reading for reading in readings if reading.filled]
        for reading in filled[1:]:
            message = f"{reading.name} is not read, because {filled[0].name} has a value"
            conditions = [each.variable.unless for each in (filled[0], reading) if each.variable]
            yield Hit(backend, reading.source, message, unless=" or ".join(filter(None, conditions)))


@rule(
    "database-optional",
    Severity.WARNING,
    "The database depends on an optional reference",
    reason="If an optional key is missing, its variable is not set, and the backend starts with the next database, "
    "in the end with an empty SQLite file. It is healthy and has no documents. A pod that cannot start is better.",
    basis="Kubernetes: optional references; entry point of the backend's image",
    parameter="none: the database's URL is always required there",
    change="remove `optional: true`",
)
def database_optional(view: View) -> Iterator[Hit]:
    """Optional references to the URL that decides."""
    for backend in view.behaviour.backends:
        deciding = next(
            (variable for variable in backend.environment if variable.source == backend.engine.source), None
        )
        if deciding and deciding.unless and backend.engine.value != "sqlite":
            message = f"another database than {backend.engine.text} is opened when {deciding.unless}"
            yield Hit(backend, deciding.source, message)


@rule(
    "database-pool-too-large",
    Severity.WARNING,
    "More connections than a stock server grants",
    reason="The backend opens up to 128 connections unless POSTGRES_MAX_CONNECTIONS or MYSQL_MAX_CONNECTIONS says "
    "less. A stock Postgres grants 100 in all, three of them to superusers only; a stock MySQL 151.",
    basis="the server's connection pools; the defaults of Postgres and MySQL",
    parameter="postgres.maxConnections, mysql.maxConnections",
    change="set the variable below the server's max_connections, or raise max_connections",
)
def database_pool(view: View) -> Iterator[Hit]:
    """Pools that a stock server would refuse."""
    for backend in view.behaviour.backends:
        pool = backend.database_connections
        most, server = STOCK_CONNECTIONS.get(str(backend.engine.value)), "a stock server"
        if (granted := backend.database_grants) and isinstance(granted.value, int):
            most, server = granted.value - SUPERUSERS, "its Cluster"
        if pool and most and isinstance(pool.value, int) and pool.value > most:
            yield hit(backend, pool, f"up to {pool.value} connections, and {server} grants {most}")


@rule(
    "database-ca-missing",
    Severity.ERROR,
    "A CA file that is not there",
    reason="PG_CA_FILE and MYSQL_CA_FILE name a file in the container. A file that cannot be read stops the backend.",
    basis="the server's database clients",
    parameter="postgres.caSecret, mysql.caSecret (mounted and named together)",
    change="mount the Secret or ConfigMap with the certificate where the variable points to",
)
def database_ca(view: View) -> Iterator[Hit]:
    """CA files that nothing provides."""
    yield from obstacles(view, "no CA file")


@rule(
    "database-ca-unknown",
    Severity.ERROR,
    "A database whose CA the pod does not know",
    reason="CloudNativePG offers TLS by a CA of its own, always. The backend verifies any TLS that it is offered, also "
    "with DO_NOT_REQUIRE_SSL, and cannot connect.",
    basis="the server's Postgres client; CloudNativePG's certificates",
    parameter="postgres.caSecret: the Secret <cluster>-ca",
    change="mount the Secret <cluster>-ca and set PG_CA_FILE; or set DO_NOT_REQUIRE_SSL and end the URL in "
    "?sslmode=disable",
)
def database_ca_unknown(view: View) -> Iterator[Hit]:
    """Clusters of CloudNativePG without their CA."""
    yield from obstacles(view, "unknown CA")


@rule(
    "database-not-made",
    Severity.ERROR,
    "A database that nobody makes",
    reason="The database is named after the instance, with _ in place of every -, and the backend does not make it. A "
    "Cluster of CloudNativePG makes the database that spec.bootstrap.initdb names, by default `app`.",
    basis="the server's Postgres client; CloudNativePG's bootstrap",
    parameter="postgres.cloudNativePG.create (names it right), or instance.name",
    change="name the instance after the database, or set spec.bootstrap.initdb before the first start",
)
def database_not_made(view: View) -> Iterator[Hit]:
    """Clusters of CloudNativePG that make another database."""
    yield from obstacles(view, "no database")


@rule(
    "shared-database",
    Severity.ERROR,
    "Two backends in one database",
    reason="The database is named after the instance, with _ in place of every -: `a-b` and `a_b` use the same one. "
    "Two backends in one database fight over its lease: the loser ends with code 0 at its next transaction.",
    basis="the server's lease in Postgres and MySQL",
    parameter="instance.name: another for each environment",
    change="name the instances differently, or use another server",
)
def shared_database(view: View) -> Iterator[Hit]:
    """Backends with the same server and the same database name."""
    same: dict[tuple[str, str], list[tuple[str, Backend]]] = {}
    for backend in view.behaviour.backends:
        if backend.database_url and backend.database_name:
            server, namespace = _server(backend.database_url, backend.namespace)
            # A literal without a host may be any server.
            if server not in ("literal", START_SCRIPT):
                same.setdefault((server, str(backend.database_name.value)), []).append((namespace, backend))
    for backends in same.values():
        for index, (namespace, other) in enumerate(backends[1:], 1):
            one = next(
                (
                    each
                    for its_namespace, each in backends[: min(index, MOST_COMPARED)]
                    if each.place != other.place and same_namespace(its_namespace, namespace)
                ),
                None,
            )
            if one and one.database_name and other.database_name:
                yield hit(other, other.database_name, f"{one} uses the same database, {one.database_name.text}")


def _server(url: Decision, namespace: str) -> tuple[str, str]:
    """A database's server in one spelling, and the namespace in which its name holds; empty if in any.

    A Secret holds in the backend's namespace, a Service in the one that its name says, else in the backend's. The
    scheme of Postgres is always the same, and the port is always there.
    """
    value = str(url.value)
    scheme, colon, address = value.partition("://")
    if not colon:
        return value, namespace
    scheme = scheme.replace("postgresql", "postgres")
    host = re.sub(r":[0-9]{1,5}$", "", address.lower())
    port = address[len(host) :] or (":3306" if scheme == "mysql" else ":5432")
    labels = host.removesuffix(".").removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if host.startswith("[") or len(labels) > 2:
        return f"{scheme}://{'.'.join(labels)}{port}", ""
    return f"{scheme}://{labels[0]}{port}", labels[1] if len(labels) == 2 else namespace
