"""The ConfigMap: what the backend is told, under the rules by which it reads (presence, parsing, all or nothing)."""

from __future__ import annotations

from typing import Any

import pytest
from convex_k8s.knobs import BOOLEANS, COMPOSE_DEFAULTS, PRESENCE
from convex_k8s.values.checks.backend import OWN_VARIABLES

from tests.support.overlay_cases import CASES, Case, backend_container, case, config_of, environment_of, one


def checksum_of(overlay: str) -> str:
    template = one(environment_of(overlay), "StatefulSet")["spec"]["template"]
    return str(template["metadata"]["annotations"]["checksum/config"])


def test_the_defaults_are_those_of_upstreams_compose_file_with_the_telemetry_left_alone() -> None:
    assert config_of(case("local").environment()) == {
        "APPLICATION_MAX_CONCURRENT_MUTATIONS": "16",
        "APPLICATION_MAX_CONCURRENT_NODE_ACTIONS": "16",
        "APPLICATION_MAX_CONCURRENT_QUERIES": "16",
        "APPLICATION_MAX_CONCURRENT_V8_ACTIONS": "16",
        "CONVEX_CLOUD_ORIGIN": "http://localhost:3210",
        "CONVEX_SITE_ORIGIN": "http://localhost:3211",
        "DISABLE_METRICS_ENDPOINT": "true",
        "DOCUMENT_RETENTION_DELAY": "172800",
        "INSTANCE_NAME": "convex-self-hosted",
        "RUST_LOG": "info",
    }


def test_variables_override_the_defaults_and_are_written_for_the_backend() -> None:
    config = config_of(case("environment").environment())
    expected = {
        "RUST_LOG": "debug",
        "DOCUMENT_RETENTION_DELAY": "1209600",
        "APPLICATION_MAX_CONCURRENT_QUERIES": "32",
        "REUSE_ISOLATES": "false",
        "REDACT_LOGS_TO_CLIENT": "true",
        "MY_FLAG": "true",
        "MY_RATIO": "0.5",
        "MY_TEXT": "yes",
        "MY_EMPTY": "",
    }
    assert {name: config.get(name) for name in expected} == expected
    assert "DISABLE_BEACON" not in config, "set to anything it would be on"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_switches_are_absent_or_true_and_booleans_are_rusts(case: Case) -> None:
    config = config_of(case.environment())
    for name in PRESENCE & config.keys():
        assert config[name] == "true"
    for name in (BOOLEANS | {"DISABLE_METRICS_ENDPOINT"}) & config.keys():
        assert config[name] in ("true", "false")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_value_is_text_and_the_names_are_sorted(case: Case) -> None:
    config = config_of(case.environment())
    assert all(isinstance(value, str) for value in config.values())
    assert list(config) == sorted(config)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_constructs_set_cannot_be_set_behind_their_back(case: Case) -> None:
    environment = case.environment()
    container = backend_container(environment)
    told = {variable["name"] for variable in container.get("env", [])} | config_of(environment).keys()
    defaults = {*COMPOSE_DEFAULTS, "npm_config_cache"}
    assert told <= OWN_VARIABLES.keys() | defaults | case.overlay().values.backend.env.keys()


READ_ONLY = "securityContext: {readOnlyRootFilesystem: true}"
NPM = [
    pytest.param("{}", None, id="its own place by default"),
    pytest.param(f"backend: {{{READ_ONLY}}}", "/convex/data/tmp/npm", id="below the emptyDir where that is read-only"),
    pytest.param(f"backend: {{{READ_ONLY}, env: {{npm_config_cache: /npm}}}}", "/npm", id="where the overlay says"),
]


@pytest.mark.parametrize(("overlay", "folder"), NPM)
def test_npm_has_a_folder_that_it_can_write(overlay: str, folder: str | None) -> None:
    assert one(environment_of(overlay), "ConfigMap")["data"].get("npm_config_cache") == folder


TLS = [
    pytest.param("postgres", False, id="required by default"),
    pytest.param("postgres-without-tls", True, id="not required"),
    pytest.param("chart-example", False, id='"true" as the chart writes it'),
    pytest.param("local", False, id="without an external database"),
]


@pytest.mark.parametrize(("name", "switched_off"), TLS)
def test_tls_to_the_database_is_required_by_absence(name: str, switched_off: bool) -> None:
    assert ("DO_NOT_REQUIRE_SSL" in config_of(case(name).environment())) is switched_off


@pytest.mark.parametrize("value", ["true", "false"])
def test_tls_says_nothing_where_there_is_no_database(value: str) -> None:
    config = one(environment_of(f"convexConfig: {{requireSsl: {value}}}"), "ConfigMap")["data"]
    assert "DO_NOT_REQUIRE_SSL" not in config


DATABASES = [
    pytest.param("local", {"INSTANCE_NAME": "convex-self-hosted"}, id="SQLite: upstream's name, written out"),
    pytest.param("postgres", {}, id="Postgres: the name is in its Secret"),
    pytest.param("instance", {"INSTANCE_NAME": "team-a"}, id="a name of its own"),
    pytest.param("instance-with-postgres", {"INSTANCE_NAME": "team-a"}, id="a name of its own with Postgres"),
    pytest.param(
        "postgres-ca", {"POSTGRES_MAX_CONNECTIONS": "40", "PG_CA_FILE": "/etc/convex/ca/root.pem"}, id="Postgres, tuned"
    ),
    pytest.param("mysql", {"MYSQL_MAX_CONNECTIONS": "30", "MYSQL_CA_FILE": "/etc/convex/ca/ca.crt"}, id="MySQL, tuned"),
]
ABOUT_DATABASES = {
    "INSTANCE_NAME", "PG_CA_FILE", "MYSQL_CA_FILE", "POSTGRES_MAX_CONNECTIONS", "MYSQL_MAX_CONNECTIONS",
    "POSTGRES_URL", "MYSQL_URL", "DATABASE_URL", "INSTANCE_SECRET", "DO_NOT_REQUIRE_SSL",
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), DATABASES)
def test_database(name: str, expected: dict[str, str]) -> None:
    config = config_of(case(name).environment())
    assert {key: config[key] for key in ABOUT_DATABASES & config.keys()} == expected


def buckets(*names: str) -> dict[str, str]:
    words = ("EXPORTS", "SNAPSHOT_IMPORTS", "MODULES", "FILES", "SEARCH")
    return {f"S3_STORAGE_{word}_BUCKET": name for word, name in zip(words, names * (5 // len(names)), strict=True)}


PATH_STYLE = {"AWS_S3_FORCE_PATH_STYLE": "true"}
NO_SSE = {"AWS_S3_DISABLE_SSE": "true"}
NO_CHECKSUMS = {"AWS_S3_DISABLE_CHECKSUMS": "true"}
FILES = buckets("convex-files")
STORAGE = [
    pytest.param("s3-off", {}, id="off: not one variable"),
    pytest.param("defaults", buckets("convexpro"), id="generic: the chart's buckets and nothing else"),
    pytest.param(
        "s3-buckets",
        buckets("convex-exports", "convex-imports", "convex-modules", "convex-user-files", "convex-search"),
        id="five buckets",
    ),
    pytest.param(
        "s3-bucket-and-one-more",
        buckets("convex-exports", "convex-all", "convex-all", "convex-all", "convex-all"),
        id="one bucket for the rest",
    ),
    pytest.param(
        "s3-inline",
        {**FILES, "AWS_REGION": "eu-central-1", "S3_ENDPOINT_URL": "https://s3.example.com:9000"},
        id="endpoint and region",
    ),
    pytest.param("s3-ambient", {**FILES, "AWS_REGION": "eu-central-1"}, id="cloud role"),
    pytest.param("s3-provider-aws", FILES, id="aws"),
    pytest.param("s3-provider-minio", {**FILES, **PATH_STYLE, **NO_SSE}, id="minio"),
    pytest.param("s3-provider-hetzner", {**FILES, **NO_CHECKSUMS, **NO_SSE}, id="hetzner"),
    pytest.param("s3-provider-r2", {**FILES, **PATH_STYLE, **NO_CHECKSUMS, **NO_SSE, "AWS_REGION": "auto"}, id="r2"),
    pytest.param("s3-provider-b2", {**FILES, **NO_CHECKSUMS}, id="b2"),
    pytest.param("s3-provider-ceph", {**FILES, **PATH_STYLE, **NO_CHECKSUMS, **NO_SSE}, id="ceph"),
    pytest.param(
        "s3-dialect",
        {
            **buckets("convexpro"),
            **NO_CHECKSUMS,
            "AWS_REGION": "us-east-1",
            "S3_ENDPOINT_URL": "http://minio.storage:9000",
        },
        id="set one by one against the provider",
    ),
]


@pytest.mark.parametrize(("name", "expected"), STORAGE)
def test_storage(name: str, expected: dict[str, str]) -> None:
    config = config_of(case(name).environment())
    assert {key: value for key, value in config.items() if key.startswith(("S3_", "AWS_"))} == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_s3_is_told_whole_or_not_at_all(case: Case) -> None:
    """With one of the six missing, the backend would keep files on its own disk for good."""
    environment = case.environment()
    container = backend_container(environment)
    needed = {"AWS_REGION", *buckets("x")}
    config = config_of(environment)
    required = {
        variable["name"]
        for variable in container.get("env", [])
        if not variable.get("valueFrom", {}).get("secretKeyRef", {}).get("optional")
    }
    told = {name for name in config if config[name]} | required
    assert needed & told == (needed if case.overlay().values.s3.enabled else set())


@pytest.mark.parametrize(("name", "value"), [("local", "true"), ("metrics", "false")])
def test_metrics_are_off_unless_asked_for(name: str, value: str) -> None:
    assert config_of(case(name).environment())["DISABLE_METRICS_ENDPOINT"] == value


CHANGES = [
    pytest.param("backend: {env: {RUST_LOG: debug}}", True, id="a variable"),
    pytest.param("convexConfig: {cloudOrigin: 'https://a.example'}", True, id="an origin"),
    pytest.param("s3: {bucket: other}", True, id="a bucket"),
    pytest.param("backend: {env: {RUST_LOG: info}}", False, id="a variable set to its default"),
    pytest.param("backend: {image: {tag: abc}}", False, id="the image"),
    pytest.param("commonLabels: {team: a}", False, id="a label"),
    pytest.param("dashboard: {replicaCount: 2}", False, id="the dashboard"),
    pytest.param("s3: {existingSecret: other}", False, id="a reference"),
    pytest.param("releaseName: other", False, id="the name"),
]


@pytest.mark.parametrize(("overlay", "changes"), CHANGES)
def test_the_pods_are_rolled_by_a_changed_config_and_by_nothing_else_of_it(overlay: str, changes: bool) -> None:
    assert (checksum_of(overlay) != checksum_of("{}")) is changes


def test_the_dashboard_is_not_rolled_by_the_backends_config() -> None:
    template: dict[str, Any] = one(environment_of("{}"), "Deployment")["spec"]["template"]
    assert "annotations" not in template["metadata"]
