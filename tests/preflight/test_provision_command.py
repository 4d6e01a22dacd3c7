"""`main.py provision`: what each administrator needs, in a form that can be piped to their tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.command_line import Done, assert_none_of, on_samples, run
from tests.support.kubectl_stub import KubectlStub
from tests.support.overlay_cases import ROOT
from tests.support.servers import mariadb_server, postgres_server

PASSWORD = "hunter2"
POSTGRES = "convex-postgres-secret"

POSTGRES_AND_S3 = "{postgres: {enabled: true, maxConnections: 20}, instance: {name: team-a}}"
MYSQL = "{mysql: {enabled: true}, instance: {name: team-a}, s3: {enabled: false}}"
SQLITE = "s3: {enabled: false}"

Runner = Callable[..., Done]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", f"{stub.programs}{os.pathsep}{os.environ['PATH']}")
    for name in ("INSTANCE_NAME", "AWS_REGION", "S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return stub


@pytest.fixture
def provision(cluster: KubectlStub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Runner:
    """Runs `provision` on an overlay with this content."""
    (tmp_path / "overlays").mkdir()

    def run_provision(overlay: str, *arguments: str) -> Done:
        (tmp_path / "overlays" / "test.yaml").write_text(overlay)
        done = run(capsys, "provision", "test", "--overlays", str(tmp_path / "overlays"), *arguments)
        assert_none_of([PASSWORD], done.stdout + done.stderr)
        return done

    return run_provision


def headings(output: str) -> dict[str, str]:
    lines = [line.removeprefix("# --- ") for line in output.splitlines() if line.startswith("# --- ")]
    return dict(line.split(": ", 1) for line in lines)


def test_all_sections_in_order_each_with_a_heading(provision: Runner) -> None:
    done = provision(POSTGRES_AND_S3)
    assert (done.code, done.stderr) == (0, "")
    assert list(headings(done.stdout)) == ["sql", "policy", "buckets", "dns"]
    assert "CREATE ROLE" in done.stdout
    assert "s3:PutObject" in done.stdout
    assert "s3 mb" in done.stdout


def test_an_environment_that_needs_nothing_outside_says_why(provision: Runner, cluster: KubectlStub) -> None:
    done = provision(SQLITE)
    assert (done.code, done.stderr) == (0, "")
    assert headings(done.stdout) == {
        "sql": "none: the database is SQLite, on the backend's volume",
        "policy": "none: files lie on the backend's volume",
        "buckets": "none: files lie on the backend's volume",
        "dns": "none: every origin is local",
    }
    assert cluster.calls == []


@pytest.mark.parametrize("section", ["sql", "policy", "buckets", "dns"])
def test_a_section_without_content_prints_nothing_that_a_pipe_would_take(provision: Runner, section: str) -> None:
    done = provision(SQLITE, "--only", section)
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.startswith("note: none: ")


def test_the_sql_has_the_name_and_the_limit_of_the_overlay(provision: Runner) -> None:
    sql = provision(POSTGRES_AND_S3, "--only", "sql").stdout
    assert 'CREATE ROLE "team_a" LOGIN;' in sql
    assert 'ALTER ROLE "team_a" CONNECTION LIMIT 25;' in sql


@pytest.mark.parametrize(("require_ssl", "clause"), [("true", "REQUIRE SSL"), ("false", "REQUIRE NONE")])
def test_the_mysql_user_must_use_tls_unless_the_overlay_does_not_require_it(
    provision: Runner, require_ssl: str, clause: str
) -> None:
    overlay = f"{MYSQL[:-1]}, convexConfig: {{requireSsl: {require_ssl}}}}}"
    assert clause in provision(overlay, "--only", "sql").stdout


def test_the_policy_is_json_about_exactly_the_buckets_of_the_overlay(provision: Runner) -> None:
    overlay = (
        "{instance: {name: team-a}, s3: {bucket: all, buckets: {files: users}, provider: aws, region: cn-north-1}}"
    )
    policy = json.loads(provision(overlay, "--only", "policy").stdout)
    resources = {arn for statement in policy["Statement"] for arn in statement["Resource"]}
    prefix = "team-a-????????-????-????-????-????????????/*"
    buckets = ("arn:aws-cn:s3:::all", "arn:aws-cn:s3:::users")
    assert resources == {*buckets, *(f"{bucket}/{prefix}" for bucket in buckets)}


@pytest.mark.parametrize(
    ("s3", "commands"),
    [
        pytest.param(
            "{bucket: files, provider: aws, region: eu-central-1}",
            ["aws --region eu-central-1 s3 mb s3://files"],
            id="aws",
        ),
        pytest.param(
            "{bucket: files, provider: minio, endpoint: 'http://minio:9000'}",
            ["mc alias set convex http://minio:9000", "mc mb --ignore-existing convex/files"],
            id="minio",
        ),
        pytest.param(
            "{bucket: files, provider: r2, endpoint: 'https://account.example.com'}",
            ["aws --region auto --endpoint-url https://account.example.com s3 mb s3://files"],
            id="another service",
        ),
        pytest.param(
            "{bucket: files}",
            [
                "# ENDPOINT: as the Secret convex-s3-credentials says it (AWS_ENDPOINT), without --endpoint-url where "
                "it says none",
                "# REGION: as the Secret convex-s3-credentials says it (AWS_REGION)",
                "aws --region REGION --endpoint-url ENDPOINT s3 mb s3://files",
            ],
            id="endpoint and region only in the Secret",
        ),
        pytest.param(
            "{bucket: files, credentials: ambient, provider: aws, region: eu-central-1}",
            ["aws --region eu-central-1 s3 mb s3://files"],
            id="the pod's own role",
        ),
    ],
)
def test_the_commands_are_those_of_the_provider(provision: Runner, s3: str, commands: list[str]) -> None:
    done = provision(f"s3: {s3}", "--only", "buckets")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == commands


def test_region_and_endpoint_of_the_environment_complete_the_commands(
    provision: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("S3_ENDPOINT_URL", "https://s3.example.com")
    done = provision("s3: {bucket: files}", "--only", "buckets")
    assert done.stdout == "aws --region eu-west-1 --endpoint-url https://s3.example.com s3 mb s3://files\n"


def test_the_dns_names_are_those_of_the_ingress_one_a_line(provision: Runner) -> None:
    overlay = f"""
{POSTGRES_AND_S3[1:-1]}
ingress:
  enabled: true
  dashboard: {{host: dash.example.com}}
  backend: {{host: api.example.com}}
  site: {{host: site.example.com}}
"""
    overlay = overlay.replace(", instance", "\ninstance")
    assert provision(overlay, "--only", "dns").stdout.splitlines() == [
        "dash.example.com",
        "api.example.com",
        "site.example.com",
    ]


IN_THE_SECRET = "{postgres: {enabled: true}, s3: {enabled: false}}"


def test_the_instance_name_comes_from_the_clusters_secret(
    provision: Runner, cluster: KubectlStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTANCE_NAME", "another")
    url = f"postgresql://convex:{PASSWORD}@db:5432"
    cluster.secret(POSTGRES, {"INSTANCE_NAME": "from-cluster", "DATABASE_URL": url})
    done = provision(IN_THE_SECRET, "--only", "sql")
    assert '"from_cluster"' in done.stdout
    assert done.stderr == (
        f"note: the instance is named from-cluster (the Secret {POSTGRES}, namespace here, context test)\n"
    )


def test_without_the_secret_it_comes_from_the_environment(provision: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTANCE_NAME", "from-environment")
    done = provision(IN_THE_SECRET, "--only", "sql")
    assert '"from_environment"' in done.stdout
    assert done.stderr == "note: the instance is named from-environment (INSTANCE_NAME of the environment)\n"


def test_it_may_be_given_and_then_nobody_is_asked(
    provision: Runner, cluster: KubectlStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTANCE_NAME", "another")
    assert '"given"' in provision(IN_THE_SECRET, "--only", "sql", "--instance-name", "given").stdout
    assert cluster.calls == []


def test_no_cluster_is_asked_offline(provision: Runner, cluster: KubectlStub) -> None:
    done = provision(IN_THE_SECRET, "--offline")
    assert (done.code, done.stdout) == (1, "")
    assert "the cluster was not asked; INSTANCE_NAME is not set in the environment" in done.stderr
    assert cluster.calls == []


@pytest.mark.parametrize("section", ["sql", None])
def test_a_name_that_is_nowhere_is_a_failure_that_says_where_to_give_it(
    provision: Runner, cluster: KubectlStub, section: str | None
) -> None:
    cluster.fail("Unable to connect to the server")
    done = provision(IN_THE_SECRET, *(["--only", section] if section else []))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == (
        "no instance name was found: the cluster cannot be asked: Unable to connect to the server; INSTANCE_NAME is "
        "not set in the environment. Give it with --instance-name, or set instance.name in the overlay\n"
    )


def test_sections_without_the_name_in_them_do_not_ask_for_it(provision: Runner, cluster: KubectlStub) -> None:
    assert provision(IN_THE_SECRET, "--only", "dns").code == 0
    assert provision(IN_THE_SECRET, "--only", "buckets").code == 0
    assert cluster.calls == []


@pytest.mark.parametrize(
    ("overlay", "name", "code", "message"),
    [
        pytest.param(POSTGRES_AND_S3, "team-b", 2, "the overlay says instance name team-a", id="contradiction"),
        pytest.param(IN_THE_SECRET, "a|b", 1, "must not have `:` or `|` in it", id="no admin key"),
        pytest.param(IN_THE_SECRET, "template1", 1, "which is Postgres's own", id="no database"),
    ],
)
def test_a_wrong_instance_name_is_refused(provision: Runner, overlay: str, name: str, code: int, message: str) -> None:
    done = provision(overlay, "--instance-name", name)
    assert (done.code, done.stdout) == (code, "")
    assert message in done.stderr


def piped(*arguments: str) -> str:
    """What the program writes into a pipe, as a process of its own."""
    command = [sys.executable, "main.py", *on_samples(["provision", "production", *arguments])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_sql_can_be_piped_to_psql() -> None:
    script = piped("--only", "sql", "--instance-name", "by-pipe")
    with postgres_server() as server:
        done = server.psql("--set", "ON_ERROR_STOP=1", stdin=f"{script}{PASSWORD}\n{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        options: dict[str, Any] = {"user": "by_pipe", "password": PASSWORD, "dbname": "by_pipe", "sslmode": "disable"}
        with psycopg.connect(host=server.host, port=server.port, **options) as connection:
            connection.execute("CREATE TABLE documents (id BYTEA)")
            limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(limit).fetchone() == (69,)


def test_the_sql_can_be_piped_to_mysql(provision: Runner) -> None:
    script = provision(MYSQL, "--only", "sql").stdout
    with mariadb_server() as server:
        server.execute(script)
        assert server.run("SHOW DATABASES LIKE 'team_a'", "--skip-column-names").stdout == "team_a\n"
