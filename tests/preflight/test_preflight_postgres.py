"""Preflight against real Postgres servers: with TLS, without, with an authority that nobody knows."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from convexctl.errors import UserError
from convexctl.preflight import postgres as checks
from convexctl.preflight.check import Check, Status
from convexctl.preflight.postgres import check_postgres
from convexctl.preflight.provision import postgres_sql
from tests.support.certificates import Authority, Certificate
from tests.support.convex_database import LOCAL, S3, postgres_script
from tests.support.servers import PostgresServer, postgres_server

PASSWORD = "p@ss/word?#%"
AUTHORITY = Authority()
CA = AUTHORITY.pem.decode()


@pytest.fixture(scope="module")
def plain() -> Iterator[PostgresServer]:
    with postgres_server(max_connections=50) as server:
        yield server


@pytest.fixture(scope="module")
def encrypted() -> Iterator[PostgresServer]:
    with postgres_server(certificate=AUTHORITY.issue("127.0.0.1", "localhost")) as server:
        provision(server, "convex-prod")
        yield server


def provision(server: PostgresServer, instance: str, *, max_connections: int = 20, database: bool = True) -> str:
    """Give an instance its role and database, and return its URL."""
    role = instance.replace("-", "_")
    statements = [f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT {max_connections + 5}"]
    server.execute(*statements, *([f"CREATE DATABASE {role} OWNER {role}"] if database else []))
    return url_of(server, role)


def url_of(server: PostgresServer, role: str, password: str = PASSWORD, query: str = "") -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@{server.host}:{server.port}{query}"


def check(url: str, instance: str = "convex-prod", **options: Any) -> dict[str, Check]:
    """Run all checks, see that none shows the password, and give them by name."""
    results = check_postgres(url, instance, **{"max_connections": 20, **options})
    assert [result.name for result in results] == list(checks.NAMES)
    assert PASSWORD not in repr(results)
    assert quote(PASSWORD, safe="") not in repr(results)
    for result in results:
        assert bool(result.remedy) == (result.status is Status.FAILED), result
    return {result.name: result for result in results}


def failures(results: dict[str, Check]) -> list[str]:
    return [f"{result.name}: {result.detail}" for result in results.values() if result.status is Status.FAILED]


def test_everything_is_fine_where_the_overlay_knows_the_authority(encrypted: PostgresServer) -> None:
    results = check(url_of(encrypted, "convex_prod"), ca_pem=CA)
    assert failures(results) == []
    assert results[checks.TLS].detail == "TLSv1.3, verified for 127.0.0.1"
    assert results[checks.LOGIN].detail.startswith("as convex_prod (Postgres ")
    assert results[checks.TABLES_CHECK].detail == "none of Convex's: the database is empty"
    assert results[checks.STORAGE].status is Status.SKIPPED


@pytest.mark.parametrize("require_tls", [True, False], ids=["required", "preferred"])
@pytest.mark.parametrize("ca_pem", ["", Authority("another").pem.decode()], ids=["no CA", "another CA"])
def test_a_server_with_an_unknown_authority_is_refused_even_where_tls_is_not_required(
    encrypted: PostgresServer, require_tls: bool, ca_pem: str
) -> None:
    results = check(url_of(encrypted, "convex_prod"), require_tls=require_tls, ca_pem=ca_pem)
    assert failures(results) == ["postgres tls: the server's certificate comes from an unknown authority"]
    assert ("sslmode=disable" in results[checks.TLS].remedy) == (not require_tls)
    assert "CA certificate" in results[checks.TLS].remedy
    assert results[checks.LOGIN] == Check(checks.LOGIN, Status.SKIPPED, "rests on `postgres tls`")


def test_sslmode_disable_works_only_where_tls_is_not_required(encrypted: PostgresServer) -> None:
    url = url_of(encrypted, "convex_prod", query="?sslmode=disable")
    results = check(url, require_tls=False)
    assert failures(results) == []
    assert results[checks.TLS].detail.startswith("off:")
    assert failures(check(url)) == ["postgres tls: the server's certificate comes from an unknown authority"]


def test_a_server_without_tls_is_refused_where_it_is_required(plain: PostgresServer) -> None:
    url = provision(plain, "no-tls")
    results = check(url, "no-tls")
    assert failures(results) == ["postgres tls: the server offers no TLS, and the backend requires it"]
    assert "ssl = on" in results[checks.TLS].remedy
    results = check(url, "no-tls", require_tls=False)
    assert failures(results) == []
    assert "plain text" in results[checks.TLS].detail


class TlsFrontOnly:
    """Answers a Postgres client up to the end of the TLS handshake."""

    def __init__(self, folder: Path, certificate: Certificate) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate.write(folder, "front"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()

    def serve_one(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(8)
            connection.sendall(b"S")
            try:
                self.context.wrap_socket(connection, server_side=True).close()
            except OSError:
                return


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        pytest.param(AUTHORITY.issue("db.example.com"), "is not for 127.0.0.1", id="another host"),
        pytest.param(AUTHORITY.issue(), "is not for 127.0.0.1", id="no names"),
        pytest.param(AUTHORITY.issue("127.0.0.1", lifetime=(-2 * DAY, -DAY)), "is not valid now", id="expired"),
        pytest.param(AUTHORITY.issue("127.0.0.1", lifetime=(DAY, 2 * DAY)), "is not valid now", id="of tomorrow"),
        pytest.param(AUTHORITY.issue("127.0.0.1", authority=True), "is one of an authority", id="CA:TRUE"),
    ],
)
def test_a_certificate_that_the_backend_refuses(tmp_path: Path, certificate: Certificate, problem: str) -> None:
    front = TlsFrontOnly(tmp_path, certificate)
    thread = threading.Thread(target=front.serve_one)
    thread.start()
    results = check(f"postgresql://u:x@{front.host}:{front.port}", ca_pem=CA)
    thread.join()
    front.listener.close()
    assert len(failures(results)) == 1
    assert problem in results[checks.TLS].detail


@pytest.mark.parametrize(
    ("ca_pem", "problem"),
    [
        ("no certificate at all", "the CA certificate: it holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "the CA certificate: it holds a certificate",
        ),
    ],
)
def test_a_ca_file_that_is_none(encrypted: PostgresServer, ca_pem: str, problem: str) -> None:
    assert problem in check(url_of(encrypted, "convex_prod"), ca_pem=ca_pem)[checks.TLS].detail


def test_a_wrong_password(encrypted: PostgresServer) -> None:
    results = check(url_of(encrypted, "convex_prod", "wrong"), ca_pem=CA)
    assert failures(results) == ['postgres login: password authentication failed for user "convex_prod"']
    assert results[checks.DATABASE].status is Status.SKIPPED


def test_a_database_that_is_not_there_is_told_from_a_login_that_fails(plain: PostgresServer) -> None:
    results = check(provision(plain, "no-database", database=False), "no-database", require_tls=False)
    assert results[checks.LOGIN].status is Status.OK
    assert failures(results) == [
        "postgres database: there is no database no_database, and the backend does not make it"
    ]
    assert "provision" in results[checks.DATABASE].remedy
    assert results[checks.CONNECTIONS].status is Status.SKIPPED


def test_a_database_that_the_role_may_not_connect_to(plain: PostgresServer) -> None:
    url = provision(plain, "no-entry", database=False)
    plain.execute("CREATE DATABASE no_entry", "REVOKE CONNECT ON DATABASE no_entry FROM PUBLIC")
    results = check(url, "no-entry", require_tls=False)
    (failure,) = failures(results)
    assert failure.startswith('postgres database: no_entry: permission denied for database "no_entry"')


def test_a_read_only_server(plain: PostgresServer) -> None:
    url = provision(plain, "replica")
    plain.execute("ALTER ROLE replica SET default_transaction_read_only = on")
    results = check(url, "replica", require_tls=False)
    assert failures(results) == ["postgres login: the server takes no writes: it is a replica, or set to read-only"]


@pytest.mark.parametrize(
    ("instance", "statements", "pool", "problem"),
    [
        pytest.param(
            "server-limit", ["ALTER ROLE server_limit CONNECTION LIMIT -1"], None, "the server takes 47", id="server"
        ),
        pytest.param("role-limit", [], 26, "the role takes 25", id="role"),
        pytest.param(
            "db-limit", ["ALTER DATABASE db_limit CONNECTION LIMIT 7"], 8, "the database takes 7", id="database"
        ),
    ],
)
def test_a_pool_that_is_larger_than_what_the_server_takes(
    plain: PostgresServer, instance: str, statements: list[str], pool: int | None, problem: str
) -> None:
    url = provision(plain, instance)
    plain.execute(*statements)
    result = check(url, instance, require_tls=False, max_connections=pool)[checks.CONNECTIONS]
    assert result.detail == f"{problem} connections, and the backend's pool may open {pool or 128}"
    assert f"to {problem.rsplit(maxsplit=1)[-1]} or less" in result.remedy


def test_the_limit_that_provision_sets_passes(plain: PostgresServer) -> None:
    script = plain.folder / "limit.sql"
    script.write_text(postgres_sql("provisioned", max_connections=30))
    plain.psql("--file", str(script), stdin=f"{PASSWORD}\n{PASSWORD}\n")
    url = url_of(plain, "provisioned")
    assert failures(check(url, "provisioned", require_tls=False, max_connections=30)) == []


def test_a_role_that_may_make_no_tables(plain: PostgresServer) -> None:
    url = provision(plain, "guest", database=False)
    plain.execute("CREATE DATABASE guest")
    results = check(url, "guest", require_tls=False)
    assert failures(results) == ["postgres tables: the role may make no tables in the schema public"]


@pytest.mark.parametrize(
    ("instance", "script", "status", "detail"),
    [
        ("others", "CREATE TABLE a (b INT); CREATE TABLE b (b INT)", Status.OK, "none of Convex's, and 2 others"),
        ("foreign-documents", "CREATE TABLE documents (title TEXT)", Status.FAILED, "`documents` that is not Convex's"),
        (
            "first-start",
            postgres_script() + "DROP TABLE leases",
            Status.OK,
            "but for leases: a first start did not end",
        ),
        ("existing", postgres_script(), Status.OK, "Convex's: an instance that has run before"),
    ],
)
def test_what_lies_in_the_database(
    plain: PostgresServer, instance: str, script: str, status: Status, detail: str
) -> None:
    url = provision(plain, instance)
    role = instance.replace("-", "_")
    plain.execute(f"SET ROLE {role}; {script}", database=role)
    result = check(url, instance, require_tls=False)[checks.TABLES_CHECK]
    assert (result.status, detail in result.detail) == (status, True), result


def test_convex_tables_of_another_owner(plain: PostgresServer) -> None:
    url = provision(plain, "restored")
    plain.execute(postgres_script(), database="restored")
    results = check(url, "restored", require_tls=False)
    assert failures(results) == ["postgres tables: Convex's tables are there, and the role has no rights on them"]
    plain.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO restored", database="restored")
    assert len(failures(check(url, "restored", require_tls=False))) == 1
    plain.execute("GRANT DELETE ON ALL TABLES IN SCHEMA public TO restored", database="restored")
    assert failures(check(url, "restored", require_tls=False)) == []


@pytest.fixture(scope="module")
def begun(plain: PostgresServer) -> Any:
    """Gives the URL of an instance whose database began with a kind of storage."""

    def begin(storage: object, **changes: Any) -> str:
        plain.execute("DROP DATABASE IF EXISTS convex_prod", "DROP ROLE IF EXISTS convex_prod")
        url = provision(plain, "convex-prod")
        script = f"SET ROLE convex_prod; {postgres_script(storage, **changes)}"
        plain.execute(script, database="convex_prod")
        return url

    return begin


@pytest.mark.parametrize(
    ("storage", "expected", "status", "detail"),
    [
        pytest.param(None, "s3", Status.OK, "not decided yet", id="none yet"),
        pytest.param(LOCAL, "local", Status.OK, "began with local files (/convex/data/storage)", id="local, as said"),
        pytest.param(S3, "s3", Status.OK, f"began with S3 ({S3['s3Prefix']})", id="S3, as said"),
        pytest.param(S3, None, Status.OK, "began with S3", id="S3, nothing said"),
        pytest.param(LOCAL, "s3", Status.FAILED, "and the overlay says S3: the backend refuses", id="local, not S3"),
        pytest.param(S3, "local", Status.FAILED, "and the overlay says local files", id="S3, not local"),
        pytest.param({"tag": "local", "dir": "/data"}, "local", Status.FAILED, "the image uses", id="another folder"),
        pytest.param({"tag": "s3", "s3Prefix": "old-1/"}, "s3", Status.FAILED, "another instance", id="renamed"),
        pytest.param({"tag": "tape"}, "s3", Status.SKIPPED, "unknown: the kind of storage", id="unknown kind"),
    ],
)
def test_the_storage_that_the_database_began_with(
    begun: Any, storage: object, expected: Any, status: Status, detail: str
) -> None:
    result = check(begun(storage), require_tls=False, storage=expected)[checks.STORAGE]
    assert (result.status, detail in result.detail) == (status, True), result


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"tables_id": "short"}, "unknown: the id of the table of tables has another form"),
        ({"tables": "_other"}, "unknown: there is no table `_db`"),
    ],
)
def test_a_layout_that_is_not_known_is_said_to_be_unknown(begun: Any, changes: dict[str, Any], detail: str) -> None:
    result = check(begun(S3, **changes), require_tls=False, storage="s3")[checks.STORAGE]
    assert result == Check(checks.STORAGE, Status.SKIPPED, detail)


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        (
            f"postgres://u:{quote(PASSWORD, safe='')}@127.0.0.1:9",
            Status.FAILED,
            "127.0.0.1:9 cannot be reached from here",
        ),
        ("postgres://u:x@no-such-host.invalid", Status.FAILED, "no such host"),
        ("postgres://u:x@postgres-rw.databases.svc", Status.SKIPPED, "is a name inside the cluster"),
        ("postgres://u:x@postgres-rw", Status.SKIPPED, "is a name inside the cluster"),
        ("postgres://u:x@%2Frun%2Fpostgresql", Status.SKIPPED, "the server's Unix socket is not here"),
    ],
)
def test_a_server_that_does_not_answer(url: str, status: Status, detail: str) -> None:
    result = check(url)[checks.TLS]
    assert (result.status, detail in result.detail) == (status, True), result


def test_a_server_that_does_not_tell_what_it_is_asked(plain: PostgresServer) -> None:
    url = provision(plain, "no-roles")
    plain.execute("REVOKE SELECT ON pg_roles FROM PUBLIC", database="no_roles")
    results = check(url, "no-roles", require_tls=False)
    assert failures(results) == [f"{checks.CONNECTIONS}: the server does not tell: permission denied for view pg_roles"]
    assert results[checks.DATABASE].status is Status.OK
    assert results[checks.TABLES_CHECK].detail == f"rests on `{checks.CONNECTIONS}`"


@pytest.mark.parametrize(
    ("step", "name"), [("_check_connections", checks.CONNECTIONS), ("_check_tables", checks.TABLES_CHECK)]
)
def test_a_connection_that_is_lost_on_the_way(
    plain: PostgresServer, monkeypatch: pytest.MonkeyPatch, step: str, name: str
) -> None:
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    monkeypatch.setattr(checks, step, lambda query, *_: query(end, []))
    instance = f"lost{step}"
    (failure,) = failures(check(provision(plain, instance), instance, require_tls=False))
    assert failure == f"{name}: the server does not tell: terminating connection due to administrator command"


def test_something_else_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example.com")
                connection.recv(64)

        thread = threading.Thread(target=greet)
        thread.start()
        host, port = listener.getsockname()
        result = check(f"postgres://u:x@{host}:{port}")[checks.TLS]
        thread.join()
    assert result.detail == "what answers there is no Postgres server"


def test_a_url_with_a_problem_is_not_tried() -> None:
    results = check("postgres://u:x@db/convex")
    assert "it names a database" in results[checks.URL].detail
    assert results[checks.TLS].status is Status.SKIPPED


def test_a_missing_client_is_one_line_of_advice(monkeypatch: pytest.MonkeyPatch, plain: PostgresServer) -> None:
    url = url_of(plain, "postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"^preflight needs the package psycopg: `make preflight` installs it$"):
        check_postgres(url, "convex-prod", require_tls=False)
