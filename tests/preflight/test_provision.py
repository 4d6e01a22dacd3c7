"""What administrators run: the text, and that the real servers take it."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pymysql
import pytest

from convexctl.errors import UserError
from convexctl.preflight.provision import (
    aws_commands,
    connection_limit,
    dns_names,
    mc_commands,
    mysql_sql,
    postgres_sql,
    s3_policy,
)
from tests.support.certificates import Authority
from tests.support.servers import (
    MariadbServer,
    PostgresServer,
    S3Server,
    mariadb_server,
    postgres_server,
    s3_server,
)

INSTANCE = "convex-prod"
PASSWORD = "p@ss'word/1"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        server.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB")
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbServer]:
    with mariadb_server(certificate=Authority().issue("127.0.0.1")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(shared_s3: S3Server) -> S3Server:
    shared_s3.reset()
    return shared_s3


def test_the_connection_limit_leaves_room_beside_the_pool() -> None:
    assert connection_limit(30) == 35
    assert connection_limit() == 133


@pytest.mark.parametrize("sql", [postgres_sql, mysql_sql])
def test_an_instance_name_that_makes_no_database_is_refused(sql: Any) -> None:
    with pytest.raises(UserError, match="makes no database: it has quotes"):
        sql('"convex"')


@pytest.mark.parametrize(
    ("administrator", "instance"), [("postgres", "by-superuser"), ("manager", "by-manager"), ("postgres", "MixedCase")]
)
@pytest.mark.process
def test_the_postgres_role_can_log_in_and_make_tables(
    postgres: PostgresServer, administrator: str, instance: str
) -> None:
    done = provision_postgres(postgres, postgres_sql(instance, max_connections=4), administrator)
    assert done == ""
    database = instance.replace("-", "_")
    with connect(postgres, database) as connection:
        connection.execute("CREATE TABLE documents (id BYTEA)")
        connection.execute("CREATE INDEX by_id ON documents (id)")
        assert connection.execute("SELECT current_schema()").fetchone() == ("public",)
        assert connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolconnlimit FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False, False, False, 9)


@pytest.mark.process
def test_the_postgres_role_cannot_open_more_connections_than_its_limit(postgres: PostgresServer) -> None:
    provision_postgres(postgres, postgres_sql("limited", max_connections=1))
    connections = [connect(postgres, "limited") for _ in range(6)]
    with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        connect(postgres, "limited")
    for connection in connections:
        connection.close()


@pytest.mark.process
def test_the_postgres_script_can_run_again_to_change_the_limit(postgres: PostgresServer) -> None:
    provision_postgres(postgres, postgres_sql(INSTANCE, max_connections=10))
    with connect(postgres, "convex_prod") as connection:
        connection.execute("CREATE TABLE documents (id BYTEA)")
    assert provision_postgres(postgres, postgres_sql(INSTANCE, max_connections=20)) == ""
    with connect(postgres, "convex_prod") as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (0,)
        assert connection.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'convex_prod'").fetchone() == (25,)


@pytest.mark.process
def test_the_administrator_of_postgres_keeps_no_membership(postgres: PostgresServer) -> None:
    provision_postgres(postgres, postgres_sql("membership"), "manager")
    done = postgres.psql(
        "--tuples-only",
        "--command",
        "SELECT count(*) FROM pg_auth_members WHERE roleid = 'membership'::regrole AND member = 'manager'::regrole",
    )
    assert done.stdout.strip() == "0"


def provision_postgres(server: PostgresServer, script: str, administrator: str = "postgres") -> str:
    """Run the script as its first lines say, and give what it complains about."""
    path = server.folder / "provision.sql"
    path.write_text(script)
    done = server.psql("--quiet", "--file", str(path), user=administrator, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in done.stdout + done.stderr
    return re.sub(
        r"Enter (new )?password for user .*?: |Enter (it|new password) again: |Enter .*?: ", "", done.stderr
    ).strip()


def connect(server: PostgresServer, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=server.host, port=server.port, user=database, password=PASSWORD, dbname=database, sslmode="disable"
    )


def set_password(script: str) -> str:
    """The statement that the script ends with, with a password in it."""
    (statement,) = re.findall(r"^--   (ALTER USER .*;)$", script, re.MULTILINE)
    return str(statement).replace("<password>", PASSWORD.replace("'", "''"))


def connect_mysql(server: MariadbServer, user: str, *, tls: bool = True) -> Any:
    tls_options: dict[str, Any] = {"ssl_verify_cert": False, "ssl": {"check_hostname": False}} if tls else {}
    return pymysql.connect(
        host=server.host, port=server.port, user=user, password=PASSWORD, ssl_disabled=not tls, **tls_options
    )


@pytest.mark.parametrize("instance", [INSTANCE, "a" * 64])
@pytest.mark.process
def test_the_mysql_user_can_log_in_and_make_tables(mariadb: MariadbServer, instance: str) -> None:
    script = mysql_sql(instance, max_connections=4)
    mariadb.execute(script)
    user, database = instance.replace("-", "_")[:32], instance.replace("-", "_")
    with pytest.raises(pymysql.err.OperationalError, match=r"locked|Access denied"):
        connect_mysql(mariadb, user)
    mariadb.execute(set_password(script))
    with connect_mysql(mariadb, user) as connection, connection.cursor() as cursor:
        connection.select_db(database)
        cursor.execute("CREATE TABLE documents (id VARBINARY(32), INDEX by_id (id))")
        cursor.execute("INSERT INTO documents VALUES ('a')")
        cursor.execute("SELECT 1 FROM documents FOR UPDATE")
        cursor.execute("SELECT @@max_user_connections")
        assert cursor.fetchone() == (9,)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        connect_mysql(mariadb, user, tls=False)


def test_the_mysql_user_has_rights_on_no_other_database(mariadb: MariadbServer) -> None:
    script = mysql_sql("only-mine")
    mariadb.execute(script + set_password(script) + "CREATE DATABASE onlyXmine;")
    with connect_mysql(mariadb, "only_mine") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert {name for (name,) in cursor.fetchall()} == {"information_schema", "only_mine"}
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("CREATE TABLE onlyXmine.t (a INT)")


def test_the_mysql_script_can_run_again_to_change_the_limit_and_leaves_the_password(mariadb: MariadbServer) -> None:
    script = mysql_sql("again", max_connections=10)
    mariadb.execute(script + set_password(script))
    mariadb.execute(mysql_sql("again", max_connections=20, require_ssl=False))
    with connect_mysql(mariadb, "again", tls=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_user_connections")
        assert cursor.fetchone() == (25,)


PREFIX = f"{INSTANCE}-0f8fad5b-d9cb-469f-a165-70867728950e"


def clients(server: S3Server, policy: dict[str, Any]) -> tuple[Any, Any]:
    """An S3 client of the administrator, and one of a user who has nothing but the policy."""
    boto3: Any = importlib.import_module("boto3")
    options: dict[str, Any] = {"endpoint_url": server.endpoint, "region_name": "us-east-1"}
    anybody = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
    iam = boto3.client("iam", **options, **anybody)
    iam.create_user(UserName="convex")
    iam.put_user_policy(UserName="convex", PolicyName="convex", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="convex")["AccessKey"]
    user = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return boto3.client("s3", **options, **anybody), boto3.client("s3", **options, **user)


def what_the_backend_does(client: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": f"{PREFIX}/a"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    part = client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)
    client.abort_multipart_upload(**where, UploadId=client.create_multipart_upload(**where)["UploadId"])
    client.put_object(**where, Body=b"1")
    client.get_object(**where)
    client.head_object(**where)
    client.list_objects_v2(Bucket=bucket)
    client.delete_object(**where)


def test_the_s3_policy_allows_what_the_backend_does_and_nothing_else(s3: S3Server) -> None:
    admin, convex = clients(s3, s3_policy(INSTANCE, ["files", "modules", "files"]))
    for bucket in ("files", "modules", "other"):
        admin.create_bucket(Bucket=bucket)
    foreign = ["files/notes", f"files/{INSTANCE}-2-{PREFIX[-36:]}/a", "files/convex-staging/a", f"other/{PREFIX}/a"]
    with s3.enforce_policies():
        what_the_backend_does(convex, "files")
        what_the_backend_does(convex, "modules")
        for path in foreign:
            bucket, _, key = path.partition("/")
            with pytest.raises(convex.exceptions.ClientError, match="AccessDenied"):
                convex.put_object(Bucket=bucket, Key=key, Body=b"1")
        for call in (convex.delete_bucket, convex.delete_bucket_policy):
            with pytest.raises(convex.exceptions.ClientError, match="AccessDenied"):
                call(Bucket="files")


ACTIONS = [action for statement in s3_policy(INSTANCE, ["files"])["Statement"] for action in statement["Action"]]


@pytest.mark.parametrize("action", ACTIONS)
def test_the_s3_policy_allows_no_action_that_the_backend_does_not_need(s3: S3Server, action: str) -> None:
    policy = s3_policy(INSTANCE, ["files"])
    for statement in policy["Statement"]:
        statement["Action"] = [allowed for allowed in statement["Action"] if allowed != action] or ["s3:Nothing"]
    admin, convex = clients(s3, policy)
    admin.create_bucket(Bucket="files")
    with s3.enforce_policies(), pytest.raises(convex.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
        what_the_backend_does(convex, "files")


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-central-1", "arn:aws:s3:::files"),
        ("cn-north-1", "arn:aws-cn:s3:::files"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:::files"),
    ],
)
def test_the_s3_policy_names_the_partition_of_the_region(region: str, arn: str) -> None:
    assert s3_policy(INSTANCE, ["files"], region=region)["Statement"][0]["Resource"] == [arn]


def test_the_commands_make_each_bucket_once() -> None:
    assert aws_commands(["files", "modules", "files"], region="eu-central-1") == [
        "aws --region eu-central-1 s3 mb s3://files",
        "aws --region eu-central-1 s3 mb s3://modules",
    ]
    assert aws_commands(["files"], endpoint="https://s3.example.com") == [
        "aws --endpoint-url https://s3.example.com s3 mb s3://files"
    ]
    assert mc_commands(["files", "files"], endpoint="http://minio.minio.svc:9000") == [
        "mc alias set convex http://minio.minio.svc:9000",
        "mc mb --ignore-existing convex/files",
    ]


def test_dns_names_are_those_of_the_origins_that_need_one() -> None:
    origins = ["https://api.example.com", "https://api.example.com/http", "https://dash.example.com:8443"]
    assert dns_names([*origins, "http://localhost:3210", "http://10.0.0.1", "http://[::1]", "http://a.localhost"]) == [
        "api.example.com",
        "dash.example.com",
    ]
