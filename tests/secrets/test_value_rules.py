"""What the backend takes in its Secrets: a row for each value that is right, and each that is wrong in its own way."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexctl.secrets.database_url import DatabaseUrl, database_url_problems, parse_database_url
from convexctl.secrets.value_rules import (
    Engine,
    database_name,
    generate_instance_secret,
    instance_name_problems,
    instance_secret_problems,
    s3_access_key_id_problems,
    s3_endpoint_problems,
    s3_region_problems,
    s3_secret_access_key_problems,
)

HIDDEN = "hunter2"
"""Stands for what must never be shown."""


def only(problems: list[str]) -> str:
    assert len(problems) == 1, problems
    assert HIDDEN not in problems[0]
    return problems[0]


@pytest.mark.parametrize(
    ("engine", "url"),
    [
        pytest.param("postgres", f"postgresql://convex:{HIDDEN}@db.example.com:5432", id="postgresql"),
        pytest.param("postgres", f"postgres://convex:{HIDDEN}@db.example.com", id="postgres, no port"),
        pytest.param("postgres", f"postgres://convex:{HIDDEN}@db.example.com:5432/", id="a slash at the end"),
        pytest.param("postgres", f"POSTGRES://convex:{HIDDEN}@db:5432", id="upper-case scheme"),
        pytest.param("postgres", "postgres://convex@db:5432", id="no password"),
        pytest.param("postgres", "postgres://convex:a%40b%2Fc%3Fd%23e%25f@db:5432", id="escaped password"),
        pytest.param("postgres", f"postgres://convex:{HIDDEN}:colon@db:5432", id="colon in the password"),
        pytest.param("postgres", f"postgres://convex:{HIDDEN}@[fd00::1]:5432", id="IPv6"),
        pytest.param("postgres", f"postgres://convex:{HIDDEN}@10.0.0.1:5432?sslmode=disable", id="sslmode"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db/?application_name=a@b&connect_timeout=5", id="parameters"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@%2Frun%2Fpostgresql", id="Unix socket"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@%2Frun%2F..%2Ftmp", id="Unix socket with dots"),
        pytest.param("mysql", f"mysql://convex:{HIDDEN}@db.example.com:3306", id="mysql"),
        pytest.param("mysql", f"mysql://convex:{HIDDEN}@db:3306/other", id="mysql: a path is ignored"),
        pytest.param("mysql", f"mysql://convex:{HIDDEN}@db?require_ssl=true&verify_ca=false", id="mysql: parameters"),
    ],
)
def test_a_database_url_that_the_backend_takes(engine: Engine, url: str) -> None:
    assert database_url_problems(url, engine) == []


@pytest.mark.parametrize(
    ("engine", "url", "problem"),
    [
        pytest.param("postgres", "", "it is empty", id="empty"),
        pytest.param("postgres", " \n", "only white space", id="blank"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db\n", "a line break at its end", id="line break"),
        pytest.param("postgres", f" postgres://u:{HIDDEN}@db", "white space before or after", id="space before"),
        pytest.param(
            "postgres", f"postgres://u:{HIDDEN} x@db", "white space or a control character", id="space inside"
        ),
        pytest.param("postgres", f'"postgres://u:{HIDDEN}@db"', "quotes around it", id="quotes"),
        pytest.param("postgres", f"host=db user=u password={HIDDEN}".replace(" ", ";"), "it is not a URL", id="no URL"),
        pytest.param("postgres", f"u:{HIDDEN}@db:5432", "it must read postgresql://user", id="no scheme"),
        pytest.param(
            "postgres", f"mysql://u:{HIDDEN}@db", "a URL of MySQL, and this is the one of Postgres", id="other"
        ),
        pytest.param("mysql", f"postgres://u:{HIDDEN}@db", "must begin with mysql://", id="mysql: other"),
        pytest.param("postgres", f"postgresql+asyncpg://u:{HIDDEN}@db", "without a driver's name", id="driver"),
        pytest.param("mysql", f"mysql2://u:{HIDDEN}@db", "its scheme is wrong", id="mysql: driver"),
        pytest.param("mysql", f"mariadb://u:{HIDDEN}@db", "begins with mysql://", id="mysql: mariadb"),
        pytest.param("postgres", f"jdbc:postgresql://db/x?user=u&password={HIDDEN}", "its scheme is wrong", id="jdbc"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@x@db:5432", "unescaped `@` in it: write %40", id="@"),
        pytest.param("postgres", f"postgres://u:x/{HIDDEN}@db:5432", "unescaped `/` in it", id="/"),
        pytest.param("mysql", f"mysql://u:x/{HIDDEN}@db:3306", "write %2F", id="mysql: /"),
        pytest.param("postgres", f"postgres://u:x?{HIDDEN}@db:5432", "unescaped `?` in it", id="?"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@x?@db", "unescaped `?` in it", id="? before the last @"),
        pytest.param("postgres", f"postgres://u:x#{HIDDEN}@db:5432", "unescaped `#` in it", id="#"),
        pytest.param("postgres", f"postgres://u:x@y/{HIDDEN}@db:5432", "unescaped `/` in it", id="@ and /"),
        pytest.param("postgres", f"postgres://u:x@y?{HIDDEN}@db:5432", "unescaped `?` in it", id="@ and ?"),
        pytest.param("postgres", f"postgres://u:x@y#{HIDDEN}@db:5432", "unescaped `#` in it", id="@ and #"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}%zz@db:5432", "unescaped `%` in it: write %25", id="%"),
        pytest.param("postgres", "postgres://db.example.com:5432", "it has no user", id="no user"),
        pytest.param("mysql", "mysql://db.example.com", "it has no user", id="mysql: no user"),
        pytest.param("postgres", f"postgres://:{HIDDEN}@db:5432", "it has no user", id="empty user"),
        pytest.param("postgres", "postgres://@db:5432", "it has no user", id="nothing before the @"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@", "it has no host", id="no host"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@:5432", "it has no host", id="port only"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db^x", "no host name has", id="odd host"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db:port", "its port is not a number", id="port"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db:65536", "from 1 to 65535", id="port too large"),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db:5432/convex", "it names a database", id="database"),
        pytest.param(
            "postgres", f"postgres://u:{HIDDEN}@db/convex?sslmode=require", "it names a database", id="and more"
        ),
        pytest.param(
            "postgres", f"postgres://u:{HIDDEN}@db?dbname=convex", "it names a database (`dbname`)", id="dbname"
        ),
        pytest.param(
            "postgres",
            f"postgres://u:{HIDDEN}@a..b",
            "its host is not a host name: each part",
            id="nothing between dots",
        ),
        pytest.param(
            "mysql", f"mysql://u:{HIDDEN}@.b:3306", "its host is not a host name: each part", id="dot in front"
        ),
        pytest.param(
            "mysql",
            f"mysql://u:{HIDDEN}@{'a' * 64}.example.com",
            "its host is not a host name: each part",
            id="long label",
        ),
        pytest.param(
            "postgres", f"postgres://u:{HIDDEN}@a%2e%2eb", "its host is not a host name: each part", id="encoded dots"
        ),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db#x", "it has a `#` after the host", id="fragment"),
        pytest.param(
            "postgres", f"postgres://u:{HIDDEN}@db?sslmode=verify-full", "require, prefer or disable", id="mode"
        ),
        pytest.param("postgres", f"postgres://u:{HIDDEN}@db?sslrootcert=x", "its parameter `sslrootcert`", id="CA"),
        pytest.param("postgres", f"postgres://u:x@y?{HIDDEN}=1", "its query is unknown", id="never shown"),
        pytest.param("mysql", f"mysql://u:{HIDDEN}@db?ssl-mode=REQUIRED", "its parameter `ssl-mode`", id="mysql: mode"),
        pytest.param("mysql", f"mysql://u:{HIDDEN}@db?require_ssl=1", "must be true or false", id="mysql: boolean"),
    ],
)
def test_a_database_url_that_the_backend_refuses(engine: Engine, url: str, problem: str) -> None:
    assert problem in only(database_url_problems(url, engine))
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        parse_database_url(url, engine)
    assert HIDDEN not in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    problems = database_url_problems(f"postgres://:{HIDDEN}@db:x/convex", "postgres")
    assert [problem.split(":")[0] for problem in problems] == [
        "it has no user",
        "its port is not a number from 1 to 65535",
        "it names a database (the path after the host), which the backend refuses",
    ]


def test_a_database_url_is_taken_apart_as_its_client_does() -> None:
    url = parse_database_url("postgres://a%40b:p%2Fw%25@[fd00::1]:6432/?sslmode=prefer&sslmode=disable", "postgres")
    assert url == DatabaseUrl("postgres", "a@b", "p/w%", "fd00::1", 6432, "", {"sslmode": "disable"})
    assert "p/w%" not in repr(url)
    assert parse_database_url("mysql://u@db/other/x?tcp_nodelay=true", "mysql").database == "other"


@pytest.mark.parametrize(("engine", "port"), [("postgres", 5432), ("mysql", 3306)])
def test_a_database_url_without_a_port_means_the_usual_one(engine: Engine, port: int) -> None:
    scheme = {"postgres": "postgres", "mysql": "mysql"}[engine]
    assert parse_database_url(f"{scheme}://u@db", engine).port == port


@given(user=st.text(min_size=1), password=st.text(min_size=1))
def test_any_user_and_password_is_right_once_it_is_escaped(user: str, password: str) -> None:
    url = f"postgres://{quote(user, safe='')}:{quote(password, safe='')}@db:5432"
    parsed = parse_database_url(url, "postgres")
    assert (parsed.user, parsed.password, parsed.host) == (user, password, "db")


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_an_unescaped_password_is_refused_or_read_as_it_stands(password: str) -> None:
    url = f"postgres://convex:{password}@db:5432"
    if not database_url_problems(url, "postgres") and not re.search(r"%[0-9a-fA-F]{2}", password):
        assert parse_database_url(url, "postgres").password == password


@pytest.mark.parametrize("value", ["0123456789abcdef" * 4, "0123456789ABCDEF" * 4])
def test_an_instance_secret_that_the_backend_takes(value: str) -> None:
    assert instance_secret_problems(value) == []


BYTES = bytes(range(200, 232))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param("ab" * 32 + "\n", "a line break at its end", id="line break"),
        pytest.param(f"'{'ab' * 32}'", "quotes around it", id="quotes"),
        pytest.param("ab" * 31, "it has 62 hex digits, and must have 64", id="too short"),
        pytest.param("ab" * 33, "it has 66 hex digits, and must have 64", id="too long"),
        pytest.param(base64.b64encode(BYTES).decode(), "it is base64, and the backend reads hex only", id="base64"),
        pytest.param(base64.urlsafe_b64encode(BYTES).decode().rstrip("="), "it is base64", id="base64 for URLs"),
        pytest.param("0x" + "ab" * 31, "it must be 64 hex digits", id="0x"),
        pytest.param(HIDDEN * 9 + "x", "`openssl rand -hex 32`", id="other text"),
    ],
)
def test_an_instance_secret_that_the_backend_refuses(value: str, problem: str) -> None:
    assert problem in only(instance_secret_problems(value))


def test_a_generated_instance_secret_is_right_and_new_each_time() -> None:
    made = {generate_instance_secret() for _ in range(20)}
    assert len(made) == 20
    assert not any(instance_secret_problems(secret) for secret in made)


@pytest.mark.parametrize(
    ("name", "database"),
    [("convex", "convex"), ("convex-self-hosted", "convex_self_hosted"), ("a-b_c", "a_b_c"), ("MyApp", "MyApp")],
)
def test_the_database_is_named_after_the_instance(name: str, database: str) -> None:
    assert database_name(name) == database
    for engine in (None, "postgres", "mysql"):
        assert instance_name_problems(name, engine) == []


@pytest.mark.parametrize(
    ("name", "engine", "problem"),
    [
        pytest.param("", None, "it is empty", id="empty"),
        pytest.param("convex\n", None, "a line break at its end", id="line break"),
        pytest.param("a:b", None, "must not have `:` or `|`", id="colon"),
        pytest.param("a|b", "postgres", "an admin key reads", id="bar"),
        pytest.param("-convex", None, "must begin with a letter", id="dash first"),
        pytest.param("1convex", "mysql", "must begin with a letter", id="digit first"),
        pytest.param("convex.app", "postgres", "only letters, digits, `-` and `_`", id="dot"),
        pytest.param("convéx", "postgres", "only letters, digits", id="other letters"),
        pytest.param("a" * 64, "postgres", "it has 64 bytes, and the database is named after it: Postgres", id="64"),
        pytest.param("a" * 65, "mysql", "MySQL takes names of at most 64", id="65"),
        pytest.param("template1", "postgres", "named template1, which is Postgres's own", id="template1"),
        pytest.param("information-schema", "mysql", "named information_schema, which is MySQL's own", id="own"),
    ],
)
def test_an_instance_name_that_makes_no_database(name: str, engine: Engine | None, problem: str) -> None:
    assert problem in only(instance_name_problems(name, engine))


def test_the_longest_instance_names() -> None:
    assert instance_name_problems("a" * 63, "postgres") == []
    assert instance_name_problems("a" * 64, "mysql") == []


@pytest.mark.parametrize(
    "value",
    [
        "https://s3.eu-central-1.amazonaws.com",
        "http://minio.minio.svc:9000",
        "https://fsn1.your-objectstorage.com/",
        "https://[fd00::1]:9000",
        "https://s3.example.com:65535",
        "https://ref.supabase.co/storage/v1/s3",
    ],
)
def test_an_s3_endpoint_that_the_backend_takes(value: str) -> None:
    assert s3_endpoint_problems(value) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "takes even an empty endpoint for one: leave the key out", id="empty"),
        pytest.param("https://s3.example.com\n", "a line break at its end", id="line break"),
        pytest.param("s3.example.com", "it has no scheme", id="no scheme"),
        pytest.param("minio:9000", "such as https://", id="host and port"),
        pytest.param("s3://bucket", "must be https or http", id="s3 scheme"),
        pytest.param("https://", "it has no host", id="no host"),
        pytest.param("https://s3.example.com:x", "its port is not a number", id="port"),
        pytest.param("https://s3.example.com:0", "its port is not a number from 1", id="port 0"),
        pytest.param("https://s3.example.com:65536", "its port is not a number from 1", id="a port that is too large"),
        pytest.param("https://s3.example.com/bucket", "a bucket?", id="bucket"),
        pytest.param("https://s3.example.com/bucket/", "it must end there", id="bucket and slash"),
        pytest.param("https://s3.example.com?x=1", "something after the host", id="query"),
        pytest.param(f"https://key:{HIDDEN}@s3.example.com", "a user or password in it", id="credentials"),
    ],
)
def test_an_s3_endpoint_that_leads_nowhere(value: str, problem: str) -> None:
    assert problem in only(s3_endpoint_problems(value))


@pytest.mark.parametrize("value", ["eu-central-1", "us-east-1", "auto", "fsn1", "garage"])
def test_a_region_that_the_backend_takes(value: str) -> None:
    assert s3_region_problems(value) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "ignores S3 and pins its database to local files", id="empty"),
        pytest.param("eu-central-1 ", "white space before or after", id="space"),
        pytest.param("https://s3.example.com", "must be the name of a region", id="endpoint"),
        pytest.param("EU (Frankfurt)", "white space", id="title"),
    ],
)
def test_a_region_that_is_none(value: str, problem: str) -> None:
    assert problem in only(s3_region_problems(value))


ID = "AKIA" + "Q" * 16
KEY = "wJalr/XUt+nFEMI" + "x" * 25


def test_access_keys_that_the_backend_takes() -> None:
    assert s3_access_key_id_problems(ID) == s3_access_key_id_problems("minio-user") == []
    assert s3_secret_access_key_problems(KEY) == s3_secret_access_key_problems("a!$%&=,;") == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param(ID + "\n", "a line break at its end", id="line break"),
        pytest.param(ID + "\r", "a line break at its end", id="carriage return"),
        pytest.param("\t" + ID, "white space before or after", id="tab"),
        pytest.param(f"“{ID}”", "printable ASCII", id="typographic quotes"),
        pytest.param(f'"{ID}"', "quotes around it", id="quotes"),
        pytest.param("\u200b" + ID, "a control character in it", id="zero-width space"),
        pytest.param(KEY, "is it the secret key?", id="the other one"),
    ],
)
def test_an_access_key_id_with_a_copying_fault(value: str, problem: str) -> None:
    assert problem in only(s3_access_key_id_problems(value))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param(KEY + "\n", "a line break at its end", id="line break"),
        pytest.param(f"{KEY[:10]} {KEY[10:]}", "white space or a control character", id="space inside"),
        pytest.param(f"'{KEY}'", "quotes around it", id="quotes"),
        pytest.param("schlüssel", "printable ASCII", id="other letters"),
        pytest.param(ID, "looks like an access key id", id="the other one"),
    ],
)
def test_a_secret_access_key_with_a_copying_fault(value: str, problem: str) -> None:
    assert problem in only(s3_secret_access_key_problems(value))
