"""Checks of a Postgres server, as the backend meets it."""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convex_k8s.values.database import DEFAULT_MAX_CONNECTIONS

from convexctl.preflight import tls
from convexctl.preflight.check import Check, Status, client, failed, ok, skipped, skipped_all, unreachable
from convexctl.preflight.convex_tables import TABLES, Query, Storage, first_storage, storage_check, untold
from convexctl.secrets.database_url import DatabaseUrl, database_url_problems, parse_database_url
from convexctl.secrets.value_rules import database_name

URL, TLS, LOGIN, DATABASE = "postgres url", "postgres tls", "postgres login", "postgres database"
CONNECTIONS, TABLES_CHECK, STORAGE = "postgres connections", "postgres tables", "postgres storage"
NAMES = (URL, TLS, LOGIN, DATABASE, CONNECTIONS, TABLES_CHECK, STORAGE)
"""The checks, in the order in which each rests on the ones before it."""

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_PASSED_ON = ("options", "channel_binding")
_DOCUMENT_COLUMNS = {"id", "ts", "table_id", "json_value", "deleted", "prev_ts"}


@dataclass(frozen=True)
class _Session:
    """How to log in, once TLS is settled."""

    url: DatabaseUrl
    tls: bool
    trusted_pem: str
    timeout_s: int
    """How long to wait for the server to take a connection, in seconds."""

    def connect(self, database: str) -> Any:
        psycopg = client("psycopg")
        options = {name: value for name, value in self.url.parameters.items() if name in _PASSED_ON}
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as authorities:
            authorities.write(self.trusted_pem)
            authorities.flush()
            return psycopg.connect(
                host=self.url.host,
                port=self.url.port,
                user=self.url.user,
                password=self.url.password,
                passfile=os.devnull,
                dbname=database,
                sslmode="verify-full" if self.tls else "disable",
                sslrootcert=authorities.name,
                gssencmode="disable",
                connect_timeout=self.timeout_s,
                application_name="convex-preflight",
                autocommit=True,
                **options,
            )


def check_postgres(
    url: str,
    instance_name: str,
    *,
    require_tls: bool = True,
    ca_pem: str = "",
    max_connections: int | None = None,
    storage: Storage | None = None,
    timeout_s: int = 10,
) -> list[Check]:
    """Check a Postgres server from here: TLS, login, database, connection limit, tables, first storage.

    `require_tls` is False if the overlay says that TLS is not required, `ca_pem` the CA certificate that it gives
    the backend, `max_connections` the size of its pool (None: upstream's 128), `storage` where it keeps files.
    """
    if problems := database_url_problems(url, "postgres"):
        return _stop([failed(URL, "; ".join(problems), "write the URL again in the database's Secret")])
    parsed = parse_database_url(url, "postgres")
    checks = [ok(URL, f"{parsed.user} at {parsed.host}, port {parsed.port}")]
    if parsed.host.startswith("/"):
        return _stop(checks, "the server's Unix socket is not here")
    mode = "require" if require_tls else parsed.parameters.get("sslmode", "prefer")
    try:
        trusted_pem = tls.authorities(ca_pem)
        context = tls.context(trusted_pem)
    except ValueError as error:
        return _stop([*checks, failed(TLS, f"the CA certificate: {error}", tls.CA_REMEDY)])
    check, encrypted = _check_tls(parsed, mode, context, timeout_s)
    checks.append(check)
    if check.status is not Status.OK:
        return _stop(checks)
    session = _Session(parsed, encrypted, trusted_pem, timeout_s)
    return _check_server(checks, session, instance_name, max_connections or DEFAULT_MAX_CONNECTIONS, storage)


def _stop(checks: list[Check], reason: str = "") -> list[Check]:
    """Say of the checks that were not reached that they were not made."""
    reason = reason or f"rests on `{checks[-1].name}`"
    return checks + skipped_all(NAMES[len(checks) :], reason)


def _check_tls(url: DatabaseUrl, mode: str, context: ssl.SSLContext, timeout_s: int) -> tuple[Check, bool]:
    """Negotiate TLS up to the login. The second value is whether the connection is encrypted."""
    try:
        with socket.create_connection((url.host, url.port), timeout=timeout_s) as connection:
            if mode == "disable":
                return ok(TLS, "off: the URL says sslmode=disable, and the overlay does not require it"), False
            connection.sendall(_SSL_REQUEST)
            answer = connection.recv(1)
            if answer == b"N" and mode == "prefer":
                return ok(TLS, "the server offers none and the overlay does not require it: plain text"), False
            if answer == b"N":
                return (
                    failed(
                        TLS,
                        "the server offers no TLS, and the backend requires it",
                        "switch TLS on at the server (ssl = on), or set convexConfig.requireSsl to false",
                    ),
                    False,
                )
            if answer != b"S":
                return failed(TLS, "what answers there is no Postgres server", "check host and port of the URL"), False
            with context.wrap_socket(connection, server_hostname=url.host) as encrypted:
                problem = tls.certificate_problem(encrypted.getpeercert(binary_form=True) or b"")
                version = encrypted.version()
    except ssl.SSLError as error:
        problem = tls.refusal(error, url.host)
    except OSError as error:
        return unreachable(TLS, url.host, url.port, error), False
    if problem:
        detail, remedy = problem
        if mode == "prefer":
            remedy += "; or, for plain text, add ?sslmode=disable to the URL"
        return failed(TLS, detail, remedy), False
    return ok(TLS, f"{version}, verified for {url.host}"), True


def _check_server(
    checks: list[Check], session: _Session, instance_name: str, pool: int, storage: Storage | None
) -> list[Check]:
    psycopg = client("psycopg")
    database = database_name(instance_name)
    try:
        connection = session.connect(database)
    except psycopg.Error as error:
        return _stop(checks + _login_failures(session, database, _message(error)))
    with connection:

        def query(statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
            return list(connection.execute(statement, parameters).fetchall())

        checks = list(checks)
        try:
            connection.execute("SET statement_timeout = '30s'")
            for check in _answers(query, session.url.user, database, pool, storage, instance_name):
                checks.append(check)
        except psycopg.Error as error:
            checks.append(untold(NAMES[len(checks)], "Postgres", _message(error), storage=STORAGE))
    return _stop(checks)


def _answers(
    query: Query, user: str, database: str, pool: int, storage: Storage | None, instance_name: str
) -> Iterator[Check]:
    """The checks from the login on, up to the first that fails. Raises psycopg's errors."""
    if query("SHOW transaction_read_only", []) != [("off",)]:
        yield failed(
            LOGIN,
            "the server takes no writes: it is a replica, or set to read-only",
            "use the address of the primary",
        )
        return
    ((version,),) = query("SHOW server_version", [])
    yield ok(LOGIN, f"as {user} (Postgres {version})")
    yield ok(DATABASE, database)
    yield _check_connections(query, pool)
    tables, present = _check_tables(query)
    yield tables
    if present:
        yield storage_check(STORAGE, lambda: first_storage(query, quote='"'), storage, instance_name)
    else:
        yield skipped(STORAGE, "there are no Convex tables that could say it")


def _login_failures(session: _Session, database: str, message: str) -> list[Check]:
    """Tell a login that fails from a database that is not there: the server says so in words of any language."""
    psycopg = client("psycopg")
    missing = failed(
        DATABASE,
        f"there is no database {database}, and the backend does not make it",
        "make it: `provision` prints the SQL",
    )
    try:
        with session.connect("postgres") as connection:
            exists = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchall()
    except psycopg.Error:
        if re.search(r'database ".*" does not exist', message):
            return [ok(LOGIN, f"as {session.url.user}"), missing]
        return [failed(LOGIN, message, "check user and password of the URL, and the server's pg_hba.conf")]
    login = ok(LOGIN, f"as {session.url.user}")
    if not exists:
        return [login, missing]
    return [login, failed(DATABASE, f"{database}: {message}", "let the role connect to it: `provision` prints the SQL")]


def _message(error: Exception) -> str:
    """The server's or libpq's own words, in one line, without the address that all of them contain."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^.*?port \d+ failed: ", "", lines[0] if lines else "no reason given").removeprefix("FATAL:").strip()


def _check_connections(query: Query, pool: int) -> Check:
    ((most, for_superusers, reserved, role_limit, database_limit),) = query(
        """
        SELECT current_setting('max_connections')::int,
               current_setting('superuser_reserved_connections')::int,
               coalesce(current_setting('reserved_connections', true), '0')::int,
               (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
               (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
        """,
        [],
    )
    limits = {"the server": most - for_superusers - reserved, "the role": role_limit, "the database": database_limit}
    where, lowest = min(
        ((where, limit) for where, limit in limits.items() if limit >= 0), key=lambda limit: (limit[1], limit[0])
    )
    if pool > lowest:
        return failed(
            CONNECTIONS,
            f"{where} takes {lowest} connections, and the backend's pool may open {pool}",
            f"set maxConnections of the database to {lowest} or less, or raise the limit of {where}",
        )
    return ok(CONNECTIONS, f"{where} takes {lowest}, the backend's pool has {pool}")


def _check_tables(query: Query) -> tuple[Check, bool]:
    """The second value is whether Convex's tables are there and can be read."""
    ((schema, may_create),) = query(
        "SELECT current_schema(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)", []
    )
    if not schema or not may_create:
        return (
            failed(
                TABLES_CHECK,
                f"the role may make no tables in the schema {schema or 'public'}",
                "make the role the owner of the database: `provision` prints the SQL",
            ),
            False,
        )
    names = {name for (name,) in query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", [])}
    if "documents" not in names:
        others = len(names)
        return ok(
            TABLES_CHECK, f"none of Convex's{f', and {others} others' if others else ': the database is empty'}"
        ), False
    columns = query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attnum > 0 AND NOT attisdropped",
        [],
    )
    if not {name for (name,) in columns} >= _DOCUMENT_COLUMNS:
        return (
            failed(
                TABLES_CHECK,
                "the database has a table `documents` that is not Convex's",
                "give the instance a database of its own: the one named after it",
            ),
            False,
        )
    usable = query(
        "SELECT bool_and(has_table_privilege(pg_class.oid, privilege)) "
        "FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY(%s)",
        [sorted(TABLES)],
    )
    if usable != [(True,)]:
        return (
            failed(
                TABLES_CHECK,
                "Convex's tables are there, and the role has no rights on them",
                "make the role the owner of the tables (REASSIGN OWNED BY … TO …)",
            ),
            False,
        )
    missing = TABLES - names
    if missing:
        return ok(TABLES_CHECK, f"Convex's, but for {', '.join(sorted(missing))}: a first start did not end"), False
    return ok(TABLES_CHECK, "Convex's: an instance that has run before"), True
