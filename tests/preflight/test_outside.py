"""What the checks of database and buckets are asked with: the overlay's settings and the values of the Secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import pytest

from convexctl.errors import UserError
from convexctl.preflight import mysql, outside, postgres, s3
from convexctl.preflight.check import Check, Status, ok
from convexctl.preflight.outside import check_outside, require_clients
from convexctl.preflight.secrets import SecretChecks
from convexctl.tools.kubectl import KubectlError
from tests.support.overlay_cases import overlay_of

ON_THE_VOLUME = "s3: {enabled: false}, backend: {persistence: {enabled: true}}"
URL = "postgresql://app:pw@db.example.com:5432"
LOGIN = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}


class Secrets:
    """The Secrets of a cluster: what they give, and which of them is wrong."""

    def __init__(self, values: Mapping[str, str], wrong: str = "", error: str = "") -> None:
        self._values, self._wrong, self._error = values, wrong, error
        self.asked: list[set[str]] = []

    def given(self, variable: str) -> str | None:
        return self._values.get(variable)

    def wrong(self, variables: Collection[str]) -> str:
        self.asked.append(set(variables))
        if self._error:
            raise KubectlError(self._error)
        return self._wrong


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """What each check was called with."""
    calls: dict[str, tuple[Any, ...]] = {}

    def stub(name: str) -> Any:
        def check(*arguments: Any, **named: Any) -> list[Check]:
            calls[name] = (*arguments, named)
            return [ok(name, "asked")]

        return check

    monkeypatch.setattr(postgres, "check_postgres", stub("postgres"))
    monkeypatch.setattr(mysql, "check_mysql", stub("mysql"))
    monkeypatch.setattr(s3, "check_s3", stub("s3"))
    return calls


def check(overlay: str, secrets: Secrets) -> list[Check]:
    return check_outside(overlay_of(overlay).values, cast(SecretChecks, secrets))


def test_sqlite_and_files_on_the_volume_cannot_be_reached(asked: dict[str, Any]) -> None:
    found = check(f"{{{ON_THE_VOLUME}}}", Secrets({}))
    assert [(one.name, one.status) for one in found] == [
        (outside.DATABASE, Status.SKIPPED),
        (outside.FILES, Status.SKIPPED),
    ]
    assert "SQLite" in found[0].detail
    assert asked == {}


def test_the_database_is_asked_with_the_secrets_and_the_overlay(asked: dict[str, Any]) -> None:
    overlay = f"{{postgres: {{enabled: true, maxConnections: 20, caSecret: ca}}, {ON_THE_VOLUME}}}"
    secrets = Secrets({"POSTGRES_URL": URL, "INSTANCE_NAME": "shop", "PG_CA_FILE": "a certificate"})
    check(overlay, secrets)
    url, name, named = asked["postgres"]
    assert (url, name) == (URL, "shop")
    assert named == {"require_tls": True, "ca_pem": "a certificate", "max_connections": 20, "storage": "local"}
    assert {"POSTGRES_URL", "PG_CA_FILE", "INSTANCE_NAME"} <= secrets.asked[0]


def test_an_instance_that_the_overlay_names_is_not_asked_of_a_secret(asked: dict[str, Any]) -> None:
    secrets = Secrets({"MYSQL_URL": "mysql://a:b@db.example.com", "INSTANCE_NAME": "theirs"})
    overlay = "{mysql: {enabled: true}, instance: {name: ours}, convexConfig: {requireSsl: false}, s3: {bucket: files}}"
    check(overlay, secrets)
    _, name, named = asked["mysql"]
    assert name == "ours"
    assert (named["require_tls"], named["ca_pem"], named["storage"]) == (False, "", "s3")
    assert all("INSTANCE_NAME" not in variables for variables in secrets.asked)
    assert asked["s3"][2] == "ours"


def test_what_the_overlay_says_of_the_buckets_goes_before_the_secret(asked: dict[str, Any]) -> None:
    theirs = {**LOGIN, "AWS_REGION": "of-the-secret", "S3_ENDPOINT_URL": "https://theirs.example.com"}
    check("{postgres: {enabled: true}, s3: {provider: minio, bucket: files}}", Secrets(theirs))
    settings, buckets, _ = asked["s3"][:3]
    assert (settings.region, settings.endpoint) == ("of-the-secret", "https://theirs.example.com")
    assert (settings.access_key_id, settings.secret_access_key) == ("id", "key")
    assert buckets == ["files"], "one bucket for all is looked at once"
    endpoint = "endpoint: 'https://ours.example.com', region: ours"
    check(f"{{postgres: {{enabled: true}}, s3: {{provider: minio, bucket: files, {endpoint}}}}}", Secrets(theirs))
    settings = asked["s3"][0]
    assert (settings.region, settings.endpoint) == ("ours", "https://ours.example.com")


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        (Secrets({}, wrong="secret db"), "rests on `secret db`"),
        (Secrets({}, error="no answer"), "unknown: no answer"),
    ],
    ids=["a wrong Secret", "a cluster that does not answer"],
)
def test_nothing_is_asked_with_values_that_are_not_right(asked: dict[str, Any], secrets: Secrets, reason: str) -> None:
    found = check("{postgres: {enabled: true}, s3: {bucket: files}}", secrets)
    assert asked == {}
    assert {(one.status, one.detail) for one in found} == {(Status.SKIPPED, reason)}
    names = [one.name for one in found]
    assert names == [*postgres.NAMES, s3.SETTINGS, s3.bucket_check("files")]


@pytest.mark.parametrize(
    ("overlay", "needed"),
    [
        (f"{{{ON_THE_VOLUME}}}", []),
        (f"{{postgres: {{enabled: true}}, {ON_THE_VOLUME}}}", ["psycopg", "certifi"]),
        ("{mysql: {enabled: true}, s3: {bucket: files}}", ["pymysql", "certifi", "boto3"]),
    ],
    ids=["nothing outside", "PostgreSQL", "MySQL and buckets"],
)
def test_only_the_clients_that_are_needed_must_be_there(
    monkeypatch: pytest.MonkeyPatch, overlay: str, needed: list[str]
) -> None:
    found: list[str] = []
    monkeypatch.setattr(outside, "client", found.append)
    require_clients(overlay_of(overlay).values)
    assert found == needed


def test_a_client_that_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> None:
        raise ImportError(module)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(UserError, match=r"preflight needs the package psycopg: `.+` installs it"):
        require_clients(overlay_of("{postgres: {enabled: true}, s3: {bucket: files}}").values)
