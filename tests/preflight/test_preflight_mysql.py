"""Preflight against real MariaDB servers, which speak MySQL's protocol: with TLS, without, with an unknown CA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from convexctl.preflight import mysql as checks
from convexctl.preflight.check import Check, Status
from convexctl.preflight.mysql import check_mysql
from convexctl.preflight.provision import mysql_sql
from tests.support.certificates import Authority
from tests.support.convex_database import LOCAL, S3, mysql_script
from tests.support.servers import MariadbServer, mariadb_server

PASSWORD = "p@ss/word?#%"
AUTHORITY = Authority()
CA = AUTHORITY.pem.decode()
MARIADB = f"{checks.SERVER}: MariaDB"


@pytest.fixture(scope="module")
def plain() -> Iterator[MariadbServer]:
    with mariadb_server(max_connections=50) as server:
        yield server


@pytest.fixture(scope="module")
def encrypted() -> Iterator[MariadbServer]:
    with mariadb_server(certificate=AUTHORITY.issue("127.0.0.1")) as server:
        provision(server, "convex-prod")
        yield server


@pytest.fixture(scope="module")
def of_another_host() -> Iterator[MariadbServer]:
    with mariadb_server(certificate=AUTHORITY.issue("db.example.com")) as server:
        provision(server, "convex-prod")
        yield server


def provision(server: MariadbServer, instance: str, *, max_connections: int = 20) -> str:
    """Give an instance its user and database, and return its URL."""
    user = instance.replace("-", "_")
    script = mysql_sql(instance, max_connections=max_connections, require_ssl=False)
    server.execute(f"{script} ALTER USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}' ACCOUNT UNLOCK;")
    return url_of(server, user)


def url_of(server: MariadbServer, user: str, password: str = PASSWORD, rest: str = "") -> str:
    return f"mysql://{user}:{quote(password, safe='')}@{server.host}:{server.port}{rest}"


def check(url: str, instance: str = "convex-prod", **options: Any) -> dict[str, Check]:
    """Run all checks, see that none shows the password, and give them by name."""
    results = check_mysql(url, instance, **{"max_connections": 20, **options})
    assert [result.name for result in results] == list(checks.NAMES)
    assert PASSWORD not in repr(results)
    assert quote(PASSWORD, safe="") not in repr(results)
    for result in results:
        assert bool(result.remedy) == (result.status is Status.FAILED), result
    return {result.name: result for result in results}


def failures(results: dict[str, Check]) -> list[str]:
    """What failed, but for that the server is MariaDB, which every test meets."""
    failed = [f"{result.name}: {result.detail}" for result in results.values() if result.status is Status.FAILED]
    return [failure for failure in failed if not failure.startswith(MARIADB)]


def test_all_but_the_server_is_fine_where_the_overlay_knows_the_authority(encrypted: MariadbServer) -> None:
    results = check(url_of(encrypted, "convex_prod"), ca_pem=CA)
    assert failures(results) == []
    assert results[checks.TLS].detail == "verified for 127.0.0.1"
    assert results[checks.LOGIN].detail == "as convex_prod"
    assert results[checks.TABLES_CHECK].detail == "none of Convex's: the database is empty"


def test_mariadb_is_refused_because_it_does_not_know_what_the_backend_says(plain: MariadbServer) -> None:
    result = check(provision(plain, "share"), "share", require_tls=False)[checks.SERVER]
    assert result.status is Status.FAILED
    assert "does not know SELECT … FOR SHARE" in result.detail
    assert "MySQL 8.0" in result.remedy
    done = plain.run("SELECT 1 FROM mysql.user FOR SHARE")
    assert "error in your SQL syntax" in done.stderr


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("8.0.44", Status.OK),
        ("9.5.0-cloud", Status.OK),
        ("5.7.44-log", Status.FAILED),
        ("11.8.3-MariaDB-deb13", Status.FAILED),
    ],
)
def test_the_version_of_the_server(version: str, status: Status) -> None:
    assert checks._check_version(lambda *_: [(version,)]).status is status


@pytest.mark.parametrize("ca_pem", ["", Authority("another").pem.decode()], ids=["no CA", "another CA"])
def test_a_server_with_an_unknown_authority_is_refused(encrypted: MariadbServer, ca_pem: str) -> None:
    results = check(url_of(encrypted, "convex_prod"), ca_pem=ca_pem)
    assert failures(results) == ["mysql tls: the server's certificate comes from an unknown authority"]
    assert results[checks.LOGIN] == Check(checks.LOGIN, Status.SKIPPED, "rests on `mysql tls`")


def test_a_certificate_of_another_host_is_refused_unless_the_url_says_that_the_host_does_not_matter(
    of_another_host: MariadbServer,
) -> None:
    results = check(url_of(of_another_host, "convex_prod"), ca_pem=CA)
    assert failures(results) == ["mysql tls: the server's certificate is not for 127.0.0.1"]
    assert failures(check(url_of(of_another_host, "convex_prod", rest="?verify_identity=false"), ca_pem=CA)) == []


def test_a_server_without_tls_is_refused_where_it_is_required(plain: MariadbServer) -> None:
    results = check(provision(plain, "no-tls"), "no-tls")
    assert failures(results) == ["mysql tls: the server offers no TLS, and the backend requires it"]


@pytest.mark.parametrize(
    ("rest", "ca_pem", "detail"),
    [
        pytest.param("", "", "off: the overlay does not require it", id="nothing said: plain text"),
        pytest.param("", CA, "verified for 127.0.0.1", id="a CA switches it on"),
        pytest.param("?require_ssl=false", CA, "off:", id="the URL switches it off again"),
        pytest.param("?require_ssl=true", CA, "verified for 127.0.0.1", id="the URL asks for it"),
        pytest.param("?require_ssl=true", "", "comes from an unknown authority", id="the URL asks for it, no CA"),
        pytest.param("?require_ssl=true&verify_ca=false", "", "verified for", id="any certificate will do"),
    ],
)
def test_where_tls_is_not_required_the_url_and_the_ca_decide(
    encrypted: MariadbServer, rest: str, ca_pem: str, detail: str
) -> None:
    results = check(url_of(encrypted, "convex_prod", rest=rest), require_tls=False, ca_pem=ca_pem)
    assert detail in results[checks.TLS].detail


def test_a_certificate_of_an_authority_is_refused_as_the_backend_does() -> None:
    with mariadb_server(certificate=AUTHORITY.issue("127.0.0.1", authority=True)) as server:
        results = check(provision(server, "convex-prod"), ca_pem=CA)
    assert len(failures(results)) == 1
    assert "is one of an authority" in results[checks.TLS].detail


def test_a_wrong_password(plain: MariadbServer) -> None:
    provision(plain, "mistyped")
    results = check(url_of(plain, "mistyped", "wrong"), "mistyped", require_tls=False)
    assert failures(results) == ["mysql login: Access denied for user 'mistyped'@'127.0.0.1' (using password: YES)"]


def test_a_database_that_is_not_there(plain: MariadbServer) -> None:
    url = provision(plain, "dropped")
    plain.execute("DROP DATABASE dropped")
    results = check(url, "dropped", require_tls=False)
    assert results[checks.LOGIN].status is Status.OK
    assert failures(results)[0].startswith("mysql database: there is no database dropped, or the user has no rights")


def test_a_path_of_the_url_does_not_decide_which_database_is_used_but_it_must_be_there(plain: MariadbServer) -> None:
    provision(plain, "with-path")
    results = check(url_of(plain, "with_path", rest="/information_schema"), "with-path", require_tls=False)
    assert failures(results) == []
    assert results[checks.DATABASE].detail == "with_path"
    plain.execute("GRANT CREATE ON nowhere.* TO 'with_path'@'%'")
    results = check(url_of(plain, "with_path", rest="/nowhere"), "with-path", require_tls=False)
    assert "the path of the URL names a database that is not there" in failures(results)[0]


def test_a_read_only_server() -> None:
    with mariadb_server() as server:
        url = provision(server, "convex-prod")
        server.execute("SET GLOBAL read_only = 1")
        results = check(url, require_tls=False)
    assert failures(results) == ["mysql login: the server takes no writes: it is a replica, or set to read-only"]


@pytest.mark.parametrize(
    ("max_connections", "pool", "problem"),
    [(100, 60, "the server takes 50"), (20, 26, "the user takes 25")],
    ids=["server", "user"],
)
def test_a_pool_that_is_larger_than_what_the_server_takes(
    plain: MariadbServer, max_connections: int, pool: int, problem: str
) -> None:
    url = provision(plain, "pool", max_connections=max_connections)
    result = check(url, "pool", require_tls=False, max_connections=pool)[checks.CONNECTIONS]
    assert result.detail == f"{problem} connections, and the backend's pool may open {pool}"


@pytest.mark.parametrize(
    ("instance", "script", "status", "detail"),
    [
        ("others", "CREATE TABLE a (b INT);", Status.OK, "none of Convex's, and 1 others"),
        ("foreign-documents", "CREATE TABLE documents (t INT);", Status.FAILED, "`documents` that is not Convex's"),
        ("first-start", mysql_script() + "DROP TABLE leases;", Status.OK, "but for leases: a first start did not end"),
        ("existing", mysql_script(), Status.OK, "Convex's: an instance that has run before"),
    ],
)
def test_what_lies_in_the_database(
    plain: MariadbServer, instance: str, script: str, status: Status, detail: str
) -> None:
    url = provision(plain, instance)
    plain.execute(f"USE {instance.replace('-', '_')}; {script}")
    result = check(url, instance, require_tls=False)[checks.TABLES_CHECK]
    assert (result.status, detail in result.detail) == (status, True), result


@pytest.mark.parametrize(
    ("storage", "expected", "status", "detail"),
    [
        pytest.param(None, "s3", Status.OK, "not decided yet", id="none yet"),
        pytest.param(S3, "s3", Status.OK, f"began with S3 ({S3['s3Prefix']})", id="S3, as said"),
        pytest.param(LOCAL, "s3", Status.FAILED, "and the overlay says S3: the backend refuses", id="local, not S3"),
        pytest.param({"tag": "tape"}, "s3", Status.SKIPPED, "unknown: the kind of storage", id="unknown kind"),
    ],
)
def test_the_storage_that_the_database_began_with(
    plain: MariadbServer, storage: object, expected: Any, status: Status, detail: str
) -> None:
    plain.execute("DROP DATABASE IF EXISTS convex_prod")
    url = provision(plain, "convex-prod")
    plain.execute(f"USE convex_prod; {mysql_script(storage)}")
    result = check(url, require_tls=False, storage=expected)[checks.STORAGE]
    assert (result.status, detail in result.detail) == (status, True), result


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        ("mysql://u:x@127.0.0.1:9", Status.FAILED, "127.0.0.1:9 cannot be reached from here"),
        ("mysql://u:x@no-such-host.invalid", Status.FAILED, "no such host"),
        ("mysql://u:x@mysql.databases.svc.cluster.local", Status.SKIPPED, "is a name inside the cluster"),
    ],
)
def test_a_server_that_does_not_answer(url: str, status: Status, detail: str) -> None:
    result = check(url)[checks.TLS]
    assert (result.status, detail in result.detail) == (status, True), result


@pytest.mark.parametrize(
    ("step", "statement", "failure"),
    [
        pytest.param(
            "_check_version",
            "SELECT @@no_such_variable",
            f"{checks.SERVER}: the server does not tell: Unknown system variable 'no_such_variable'",
            id="unknown variable",
        ),
        pytest.param(
            "_check_connections",
            "KILL CONNECTION_ID()",
            f"{checks.CONNECTIONS}: the server does not tell: Connection was killed",
            id="lost connection",
        ),
    ],
)
def test_a_server_that_does_not_tell_what_it_is_asked(
    plain: MariadbServer, monkeypatch: pytest.MonkeyPatch, step: str, statement: str, failure: str
) -> None:
    url = provision(plain, "silent")
    monkeypatch.setattr(checks, step, lambda query, *_: query(statement, []))
    results = check(url, "silent", require_tls=False)
    assert failure in failures(results)
    assert [result.status for result in results.values()][-1] is Status.SKIPPED


def test_a_url_with_a_problem_is_not_tried() -> None:
    results = check("postgres://u:x@db")
    assert "it is a URL of Postgres" in results[checks.URL].detail
    assert results[checks.TLS].status is Status.SKIPPED
