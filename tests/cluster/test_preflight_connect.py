"""`main.py preflight --connect`: real servers, reached with the values of the Secrets in a real API server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from convexctl.preflight.check import Check, Status
from convexctl.preflight.outside import check_outside
from convexctl.preflight.provision import postgres_sql
from convexctl.preflight.secrets import SecretChecks
from tests.support.certificates import Authority
from tests.support.command_line import assert_none_of
from tests.support.control_plane import ControlPlane
from tests.support.convex_database import LOCAL, S3, postgres_script
from tests.support.overlay_cases import environment_of
from tests.support.preflight_setting import (
    ACCESS_KEY_ID,
    HIDDEN,
    INSTANCE_SECRET,
    PASSWORD,
    SECRET_ACCESS_KEY,
    Setting,
    failures,
)
from tests.support.servers import (
    MariadbServer,
    PostgresServer,
    S3Server,
    Server,
    mariadb_server,
    postgres_server,
    s3_server,
)

AUTHORITY = Authority()
POSTGRES_SECRET, MYSQL_SECRET, S3_SECRET = "convex-postgres-secret", "convex-mysql-secret", "convex-s3-credentials"


@pytest.fixture
def setting(
    cluster: ControlPlane,
    namespace: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Setting:
    return Setting(cluster, namespace, tmp_path, capsys, monkeypatch)


@pytest.fixture(scope="module")
def encrypted() -> Iterator[PostgresServer]:
    with postgres_server(certificate=AUTHORITY.issue("127.0.0.1")) as server:
        provision(server, "convex-prod")
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        provision(server, "convex-prod")
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbServer]:
    with mariadb_server(certificate=AUTHORITY.issue("127.0.0.1")) as server:
        server.execute(f"CREATE DATABASE convex_prod; GRANT ALL ON *.* TO convex IDENTIFIED BY '{PASSWORD}'")
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """An empty bucket."""
    import boto3  # type: ignore[import-untyped]

    s3.reset()
    keys = {"aws_access_key_id": ACCESS_KEY_ID, "aws_secret_access_key": SECRET_ACCESS_KEY}
    boto3.client("s3", endpoint_url=s3.endpoint, region_name="us-east-1", **keys).create_bucket(Bucket="files")
    return "files"


def provision(server: PostgresServer, instance: str) -> None:
    """Run what `provision` prints, as an administrator does."""
    script = server.folder / "provision.sql"
    script.write_text(postgres_sql(instance, max_connections=20))
    done = server.psql("--file", str(script), stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.returncode == 0, done.stderr


def database_secret(
    setting: Setting, server: Server, name: str = POSTGRES_SECRET, *, user: str = "convex_prod", instance: str = ""
) -> None:
    scheme = "mysql" if name == MYSQL_SECRET else "postgresql"
    setting.secret(
        name,
        {
            "DATABASE_URL": f"{scheme}://{user}:{quote(PASSWORD)}@{server.host}:{server.port}",
            "INSTANCE_NAME": instance or "convex-prod",
            "INSTANCE_SECRET": INSTANCE_SECRET,
        },
    )


def s3_secret(setting: Setting, server: S3Server) -> None:
    setting.secret(
        S3_SECRET,
        {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": server.endpoint,
        },
    )


def ca_secret(setting: Setting, authority: Authority = AUTHORITY) -> None:
    setting.secret("convex-ca", {"ca.crt": authority.pem.decode()})


WITH_CA = "postgres: {enabled: true, maxConnections: 20, caSecret: convex-ca}"
WITHOUT_CA = "postgres: {enabled: true, maxConnections: 20}"
NO_S3 = "s3: {enabled: false}"
BUCKET = "s3: {bucket: files, provider: minio}"


def outside(setting: Setting, *overlay: str) -> dict[str, Check]:
    """The checks of database and buckets alone."""
    environment = environment_of("\n".join(overlay))
    checks = check_outside(environment.overlay.values, SecretChecks(environment, setting.kubectl))
    assert_none_of(HIDDEN, repr(checks))
    return {check.name: check for check in checks}


def test_everything_is_fine_from_the_first_start_on(
    setting: Setting, encrypted: PostgresServer, s3: S3Server, bucket: str
) -> None:
    database_secret(setting, encrypted)
    ca_secret(setting)
    s3_secret(setting, s3)
    checks = setting.checks(f"{WITH_CA}\n{BUCKET}", "--connect")
    assert failures(checks) == []
    assert checks["postgres tls"].detail == "TLSv1.3, verified for 127.0.0.1"
    assert checks["postgres connections"].detail == "the role takes 25, the backend's pool has 20"
    assert checks["postgres tables"].detail == "none of Convex's: the database is empty"
    assert checks["s3 settings"].detail == f"{s3.endpoint}, region us-east-1, path style"
    assert checks["s3 bucket files"].detail == "wrote, read and deleted an object"
    encrypted.execute(postgres_script(S3), user="convex_prod", database="convex_prod")
    checks = outside(setting, WITH_CA, BUCKET)
    assert failures(checks) == []
    assert checks["postgres storage"].detail.startswith("began with S3 (convex-prod-")
    assert failures(outside(setting, WITH_CA, NO_S3)) == ["postgres storage"]


@pytest.mark.parametrize(
    ("overlay", "ca", "remedy"),
    [
        pytest.param(WITHOUT_CA, None, "caSecret", id="no CA"),
        pytest.param(WITH_CA, Authority("another"), "caSecret", id="another CA"),
        pytest.param(f"{WITHOUT_CA}\nconvexConfig: {{requireSsl: false}}", None, "sslmode=disable", id="not required"),
    ],
)
def test_an_authority_that_the_overlay_does_not_know(
    setting: Setting, encrypted: PostgresServer, overlay: str, ca: Authority | None, remedy: str
) -> None:
    database_secret(setting, encrypted)
    if ca:
        ca_secret(setting, ca)
    checks = setting.checks(f"{overlay}\n{NO_S3}", "--connect")
    assert failures(checks) == ["postgres tls"]
    assert checks["postgres tls"].detail == "the server's certificate comes from an unknown authority"
    assert remedy in checks["postgres tls"].remedy
    assert checks["postgres login"].detail == "rests on `postgres tls`"


def test_a_server_without_tls(setting: Setting, plain: PostgresServer) -> None:
    database_secret(setting, plain)
    checks = outside(setting, WITHOUT_CA, NO_S3)
    assert failures(checks) == ["postgres tls"]
    assert "convexConfig.requireSsl" in checks["postgres tls"].remedy
    assert failures(outside(setting, WITHOUT_CA, NO_S3, "convexConfig: {requireSsl: false}")) == []


PLAIN = "convexConfig: {requireSsl: false}"


def test_a_wrong_password_stands_in_one_line_of_the_table(setting: Setting, plain: PostgresServer) -> None:
    database_secret(setting, plain, user="postgres")
    done = setting.preflight(f"{WITHOUT_CA}\n{NO_S3}\n{PLAIN}", "--connect")
    assert done.code == 1
    assert (
        'failed   postgres login                 password authentication failed for user "postgres" -> '
        "check user and password of the URL, and the server's pg_hba.conf\n"
    ) in done.stdout


def test_the_database_of_the_instance_and_what_provision_makes_of_it(setting: Setting, plain: PostgresServer) -> None:
    overlay = (WITHOUT_CA, NO_S3, PLAIN)
    database_secret(setting, plain, instance="team-a")
    checks = outside(setting, *overlay)
    assert failures(checks) == ["postgres database"]
    assert "there is no database team_a" in checks["postgres database"].detail
    assert "provision" in checks["postgres database"].remedy
    provision(plain, "team-a")
    database_secret(setting, plain, user="team_a", instance="team-a")
    assert failures(outside(setting, *overlay)) == []


def test_a_pool_that_is_larger_than_what_the_server_takes(setting: Setting, plain: PostgresServer) -> None:
    database_secret(setting, plain)
    checks = outside(setting, "postgres: {enabled: true}", NO_S3, PLAIN)
    assert failures(checks) == ["postgres connections"]
    assert "the backend's pool may open 128" in checks["postgres connections"].detail
    assert "maxConnections" in checks["postgres connections"].remedy


def test_a_database_that_began_with_another_storage(
    setting: Setting, plain: PostgresServer, s3: S3Server, bucket: str
) -> None:
    provision(plain, "began-local")
    plain.execute(postgres_script(LOCAL), user="began_local", database="began_local")
    database_secret(setting, plain, user="began_local", instance="began-local")
    s3_secret(setting, s3)
    checks = outside(setting, WITHOUT_CA, BUCKET, PLAIN)
    assert failures(checks) == ["postgres storage"]
    assert "began with local files (/convex/data/storage)" in checks["postgres storage"].detail
    assert checks["postgres storage"].remedy.startswith("set s3.enabled to false")
    assert failures(outside(setting, WITHOUT_CA, NO_S3, PLAIN)) == []


def test_the_name_that_the_overlay_says_counts_before_the_secrets(setting: Setting, plain: PostgresServer) -> None:
    database_secret(setting, plain, instance="from-the-secret")
    checks = outside(setting, WITHOUT_CA, NO_S3, PLAIN, "instance: {name: convex-prod}")
    assert checks["postgres database"].detail == "convex_prod"


MYSQL = "mysql: {enabled: true, maxConnections: 20, caSecret: convex-ca}"


def test_mariadb_is_reached_as_mysql_and_found_out(setting: Setting, mariadb: MariadbServer) -> None:
    database_secret(setting, mariadb, MYSQL_SECRET, user="convex")
    ca_secret(setting)
    checks = setting.checks(f"{MYSQL}\n{NO_S3}", "--connect")
    assert failures(checks) == ["mysql server"]
    assert checks["mysql tls"].detail == "verified for 127.0.0.1"
    assert checks["mysql database"].status is Status.OK
    assert "MySQL 8.0" in checks["mysql server"].remedy


def test_mysql_with_an_authority_that_the_overlay_does_not_know(setting: Setting, mariadb: MariadbServer) -> None:
    database_secret(setting, mariadb, MYSQL_SECRET, user="convex")
    ca_secret(setting, Authority("another"))
    checks = outside(setting, MYSQL, NO_S3)
    assert failures(checks) == ["mysql tls"]
    assert "caSecret" in checks["mysql tls"].remedy


def test_a_bucket_that_is_not_there(setting: Setting, s3: S3Server, bucket: str) -> None:
    s3_secret(setting, s3)
    checks = setting.checks("s3: {bucket: files, buckets: {search: nowhere}, provider: minio}", "--connect")
    assert failures(checks) == ["s3 bucket nowhere"]
    assert "`provision` prints the command" in checks["s3 bucket nowhere"].remedy
    assert checks["s3 bucket files"].status is Status.OK


def test_endpoint_and_region_of_the_overlay_count_before_the_secrets(
    setting: Setting, s3: S3Server, bucket: str
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
    setting.secret(S3_SECRET, {**keys, "AWS_ENDPOINT": "http://nowhere.example.com", "AWS_REGION": "nowhere"})
    checks = outside(
        setting, f"s3: {{bucket: files, forcePathStyle: true, endpoint: '{s3.endpoint}', region: us-east-1}}"
    )
    assert failures(checks) == []
    assert checks["s3 settings"].detail == f"{s3.endpoint}, region us-east-1, path style"


def test_the_keys_of_a_cloud_role_are_not_here(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    checks = outside(setting, "s3: {bucket: files, provider: aws, region: eu-central-1, credentials: ambient}")
    assert checks["s3 bucket files"].status is Status.SKIPPED
    assert "cloud role" in checks["s3 bucket files"].detail


def test_without_a_database_and_buckets_outside_there_is_nothing_to_connect_to(setting: Setting) -> None:
    checks = outside(setting, NO_S3)
    assert {(check.name, check.status) for check in checks.values()} == {
        ("database", Status.SKIPPED),
        ("files", Status.SKIPPED),
    }


def test_what_a_secret_does_not_say_rightly_is_not_tried(setting: Setting, plain: PostgresServer) -> None:
    s3_values = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY, "AWS_REGION": ""}
    setting.secret(S3_SECRET, s3_values)
    database_secret(setting, plain)
    checks = outside(setting, WITH_CA, BUCKET)
    assert {check.status for check in checks.values()} == {Status.SKIPPED}
    assert checks["postgres url"].detail == "rests on `secret convex-ca`"
    assert checks["s3 settings"].detail == "rests on `secret convex-s3-credentials`"


@pytest.mark.parametrize(
    ("module", "overlay"),
    [("psycopg", f"{WITHOUT_CA}\n{NO_S3}"), ("pymysql", f"{MYSQL}\n{NO_S3}"), ("boto3", BUCKET), ("certifi", BUCKET)],
)
def test_a_missing_client_is_one_line_of_advice_before_anything_is_asked(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, module: str, overlay: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    done = setting.preflight(overlay, "--connect")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"preflight needs the package {module}: `make preflight` installs it"
    assert "cluster" in setting.preflight(overlay).stdout
