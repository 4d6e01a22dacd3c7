"""Checks of a MySQL server, as the backend meets it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from convex_k8s.values.database import DEFAULT_MAX_CONNECTIONS

from convexctl.preflight import tls
from convexctl.preflight.check import Check, client, failed, ok, skipped, skipped_all, unreachable
from convexctl.preflight.convex_tables import TABLES, Query, Storage, first_storage, storage_check, untold
from convexctl.secrets.database_url import DatabaseUrl, database_url_problems, parse_database_url
from convexctl.secrets.value_rules import database_name

URL, TLS, LOGIN, SERVER, DATABASE = "mysql url", "mysql tls", "mysql login", "mysql server", "mysql database"
CONNECTIONS, TABLES_CHECK, STORAGE = "mysql connections", "mysql tables", "mysql storage"
NAMES = (URL, TLS, LOGIN, SERVER, DATABASE, CONNECTIONS, TABLES_CHECK, STORAGE)
"""The checks, in the order in which each rests on the ones before it."""

_NO_TLS = 2026
_UNREACHABLE = 2003
_UNKNOWN_DATABASE = 1049
_COMMAND_DENIED = 1142
_DOCUMENT_COLUMNS = {"id", "ts", "table_id", "json_value", "deleted", "prev_ts"}


def check_mysql(
    url: str,
    instance_name: str,
    *,
    require_tls: bool = True,
    ca_pem: str = "",
    max_connections: int | None = None,
    storage: Storage | None = None,
    timeout_s: int = 10,
) -> list[Check]:
    """Check a MySQL server from here: TLS, login, version, database, connection limit, tables, first storage.

    `require_tls` is False if the overlay says that TLS is not required, `ca_pem` the CA certificate that it gives
    the backend, `max_connections` the size of its pool (None: upstream's 128), `storage` where it keeps files.
    """
    if problems := database_url_problems(url, "mysql"):
        return _stop([failed(URL, "; ".join(problems), "write the URL again in the database's Secret")])
    parsed = parse_database_url(url, "mysql")
    checks = [ok(URL, f"{parsed.user} at {parsed.host}, port {parsed.port}")]
    try:
        trusted_pem = tls.authorities(ca_pem)
        context = tls.context(
            trusted_pem,
            verify=require_tls or parsed.parameters.get("verify_ca") != "false",
            check_host=parsed.parameters.get("verify_identity") != "false",
        )
    except ValueError as error:
        return _stop([*checks, failed(TLS, f"the CA certificate: {error}", tls.CA_REMEDY)])
    encrypted = require_tls or _asked_for(parsed, has_ca=bool(ca_pem))
    connection, check = _connect(parsed, context if encrypted else None, timeout_s)
    if connection is None:
        return _stop([*checks, check] if check.name == TLS else [*checks, _tls(parsed, encrypted), check])
    with connection, connection.cursor() as cursor:

        def query(statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

        problem = tls.certificate_problem(connection._sock.getpeercert(binary_form=True)) if encrypted else None
        if problem:
            return _stop([*checks, failed(TLS, *problem)])
        checks.append(_tls(parsed, encrypted))
        pool = max_connections or DEFAULT_MAX_CONNECTIONS
        try:
            for answer in _answers(connection, query, check, pool, storage, instance_name):
                checks.append(answer)
        except client("pymysql").err.Error as error:
            checks.append(untold(NAMES[len(checks)], "MySQL", _message(error), storage=STORAGE))
    return _stop(checks)


def _stop(checks: list[Check]) -> list[Check]:
    return checks + skipped_all(NAMES[len(checks) :], f"rests on `{checks[-1].name}`")


def _asked_for(url: DatabaseUrl, *, has_ca: bool) -> bool:
    """Whether TLS is used where the overlay does not require it: a CA switches it on, the URL has the last word."""
    return {"true": True, "false": False}.get(url.parameters.get("require_ssl", ""), has_ca)


def _tls(url: DatabaseUrl, encrypted: bool) -> Check:
    if not encrypted:
        return ok(TLS, "off: the overlay does not require it and gives no CA certificate: plain text")
    return ok(TLS, f"verified for {url.host}")


def _connect(url: DatabaseUrl, context: ssl.SSLContext | None, timeout_s: int) -> tuple[Any, Check]:
    """Log in. Gives the connection and the check of the login, or None and the check that failed."""
    pymysql = client("pymysql")
    try:
        connection = pymysql.connect(
            host=url.host,
            port=url.port,
            user=url.user,
            password=url.password,
            database=url.database or None,
            ssl=context,
            ssl_disabled=context is None,
            connect_timeout=timeout_s,
            read_timeout=30,
            program_name="convex-preflight",
        )
    except pymysql.err.Error as error:
        return None, _refusal(url, error)
    return connection, ok(LOGIN, f"as {url.user}")


def _refusal(url: DatabaseUrl, error: Any) -> Check:
    code = error.args[0] if error.args else 0
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return failed(TLS, *tls.refusal(cause, url.host))
    if code == _NO_TLS:
        return failed(
            TLS,
            "the server offers no TLS, and the backend requires it",
            "switch TLS on at the server, or set convexConfig.requireSsl to false",
        )
    if code == _UNREACHABLE and isinstance(cause, OSError):
        return unreachable(TLS, url.host, url.port, cause)
    if code == _UNKNOWN_DATABASE:
        return failed(
            LOGIN,
            "the path of the URL names a database that is not there, which refuses the login",
            "leave the path out: the backend uses the database named after the instance",
        )
    return failed(LOGIN, _message(error), "check user and password of the URL, and from which hosts the user may come")


def _message(error: Any) -> str:
    """The server's own words, in one line."""
    text = str(error.args[1]) if len(error.args) > 1 else "no reason given"
    return text.splitlines()[0] if text else "no reason given"


def _answers(
    connection: Any, query: Query, login: Check, pool: int, storage: Storage | None, instance_name: str
) -> Iterator[Check]:
    """The checks from the login on, up to the first that fails. Raises pymysql's errors."""
    if query("SELECT @@global.read_only OR @@global.innodb_read_only", []) != [(0,)]:
        yield failed(
            LOGIN, "the server takes no writes: it is a replica, or set to read-only", "use the primary's address"
        )
        return
    yield login
    yield _check_version(query)
    database = database_name(instance_name)
    if not query("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [database]):
        yield failed(
            DATABASE,
            f"there is no database {database}, or the user has no rights on it; the backend does not make it",
            "make it: `provision` prints the SQL",
        )
        return
    connection.select_db(database)
    if not _may_create(query):
        yield failed(
            DATABASE,
            f"the user may not make tables in {database}, and the backend makes its own",
            "give it all rights there (a role must be a default role): `provision` prints the SQL",
        )
        return
    yield ok(DATABASE, database)
    yield _check_connections(query, pool)
    tables, present = _check_tables(query)
    yield tables
    if present:
        yield storage_check(STORAGE, lambda: first_storage(query, quote="`"), storage, instance_name)
    else:
        yield skipped(STORAGE, "there are no Convex tables that could say it")


def _may_create(query: Query) -> bool:
    """Whether the user may make tables: to prepare the statement, the server asks for the right, and makes nothing."""
    try:
        query("PREPARE convex_k8s FROM 'CREATE TABLE convex_k8s (id INT)'", [])
    except client("pymysql").err.Error as error:
        return bool(error.args[:1] != (_COMMAND_DENIED,))
    return True


def _check_version(query: Query) -> Check:
    ((version,),) = query("SELECT version()", [])
    remedy = "use MySQL 8.0 or newer, or Postgres"
    if "mariadb" in version.lower():
        return failed(SERVER, f"MariaDB {version} does not know SELECT … FOR SHARE, which the backend needs", remedy)
    if (number := re.match(r"\d+", version)) and int(number[0]) < 8:
        return failed(SERVER, f"MySQL {version} does not know SELECT … FOR SHARE, which the backend needs", remedy)
    return ok(SERVER, f"MySQL {version}")


def _check_connections(query: Query, pool: int) -> Check:
    ((most, user_limit),) = query("SELECT @@max_connections, @@max_user_connections", [])
    where, lowest = min(
        [("the server", most), *([("the user", user_limit)] if user_limit else [])], key=lambda limit: (limit[1], limit)
    )
    if pool > lowest:
        return failed(
            CONNECTIONS,
            f"{where} takes {lowest} connections, and the backend's pool may open {pool}",
            f"set maxConnections of the database to {lowest} or less, or raise the limit of {where}",
        )
    return ok(CONNECTIONS, f"{where} takes {lowest}, the backend's pool has {pool}")


def _check_tables(query: Query) -> tuple[Check, bool]:
    """The second value is whether Convex's tables are there."""
    rows = query("SELECT table_name FROM information_schema.tables WHERE table_schema = database()", [])
    names = {name for (name,) in rows}
    if "documents" not in names:
        others = f", and {len(names)} others" if names else ": the database is empty"
        return ok(TABLES_CHECK, f"none of Convex's{others}"), False
    columns = query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = %s",
        ["documents"],
    )
    if not {name for (name,) in columns} >= _DOCUMENT_COLUMNS:
        other = failed(
            TABLES_CHECK,
            "the database has a table `documents` that is not Convex's",
            "give the instance a database of its own: the one named after it",
        )
        return other, False
    if missing := TABLES - names:
        return ok(TABLES_CHECK, f"Convex's, but for {', '.join(sorted(missing))}: a first start did not end"), False
    return ok(TABLES_CHECK, "Convex's: an instance that has run before"), True
