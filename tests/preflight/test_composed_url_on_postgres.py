"""The URL that the kubelet puts together opens a real PostgreSQL: one set up as CloudNativePG does, and Debian's."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from convexctl.preflight.check import Status
from convexctl.preflight.postgres import check_postgres
from convexctl.synth.environment import Environment
from tests.support.certificates import Authority
from tests.support.overlay_cases import backend_container, case, config_of, one
from tests.support.servers import PostgresServer, postgres_server

AUTHORITY = Authority()
PASSWORD = "tBZ0" * 16
"""As the operator makes one: 64 letters and digits."""
CREATED, SINGLE = "postgres-cloudnative-pg-created", "postgres-single-keys"


def cluster_of(environment: Environment) -> dict[str, Any]:
    return dict(one(environment, "Cluster")["spec"])


@pytest.fixture
def operated(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """What CloudNativePG makes of the Cluster: role, database, parameters, a certificate of its CA, TLS alone."""
    spec = cluster_of(case(CREATED).environment())
    most = int(spec["postgresql"]["parameters"]["max_connections"])
    names = [f"shop-db-rw{ending}" for ending in ("", ".default", ".default.svc")]
    with postgres_server(certificate=AUTHORITY.issue(*names), max_connections=most) as server:
        (server.folder / "data" / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        made = spec["bootstrap"]["initdb"]
        server.execute(
            "SELECT pg_reload_conf()",
            f"CREATE ROLE \"{made['owner']}\" LOGIN PASSWORD '{PASSWORD}'",
            f'CREATE DATABASE "{made["database"]}" OWNER "{made["owner"]}"',
        )
        resolve(monkeypatch, "shop-db-rw")
        yield server


@pytest.fixture
def debian(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """A server whose administrator made role and database by hand."""
    with postgres_server(certificate=AUTHORITY.issue("db.example.com"), max_connections=200) as server:
        server.execute(f"CREATE ROLE convex LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE shop OWNER convex")
        resolve(monkeypatch, "db.example.com")
        yield server


def resolve(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a name lead to this machine, for Python and for libpq."""
    known = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        return known("127.0.0.1" if host == name else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")


def kubelet(environment: Environment, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The variables of the backend as the kubelet makes them, from a ConfigMap, Secrets and other variables."""
    variables = config_of(environment)
    for entry in backend_container(environment)["env"]:
        if "value" in entry:
            variables[entry["name"]] = re.sub(
                r"\$\((\w+)\)", lambda match: variables.get(match[1], match[0]), entry["value"]
            )
            continue
        reference = entry["valueFrom"].get("secretKeyRef", {})
        value = secrets.get(reference.get("name", ""), {}).get(reference.get("key", ""))
        if value is not None:
            variables[entry["name"]] = value
    return variables


def opens(server: PostgresServer, variables: Mapping[str, str], database: str, ca: Path) -> None:
    """Log in as the backend does, with the database's name behind the URL and TLS verified, and make a table."""
    url = f"{variables['POSTGRES_URL']}/{database}?sslmode=verify-full&sslrootcert={ca}"
    statements = [
        "CREATE TABLE documents (id int)",
        "DROP TABLE documents",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    ]
    commands = [f"--command={statement}" for statement in statements]
    done = subprocess.run(
        [server.client, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", *commands, url],
        env={"PATH": "/usr/bin:/bin", "PGHOSTADDR": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["t"]


def test_the_login_that_cloudnative_pg_makes_opens_the_database(operated: PostgresServer, tmp_path: Path) -> None:
    environment = case(CREATED).environment()
    owner = cluster_of(environment)["bootstrap"]["initdb"]["owner"]
    login = {"username": owner, "password": PASSWORD, "host": "shop-db-rw", "port": str(operated.port)}
    variables = kubelet(environment, {"shop-db-app": {**login, "dbname": owner}})
    assert variables["INSTANCE_NAME"].replace("-", "_") == owner
    assert "DO_NOT_REQUIRE_SSL" not in variables
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.pem)
    opens(operated, variables, owner, tmp_path / "ca.crt")

    # preflight looks for itself, with the whole pool.
    checks = check_postgres(variables["POSTGRES_URL"], variables["INSTANCE_NAME"], ca_pem=AUTHORITY.pem.decode())
    assert [str(check) for check in checks if check.status is Status.FAILED] == []
    assert "off" not in next(check.detail for check in checks if check.name == "postgres tls")


def test_single_keys_open_a_database_of_debians_server(debian: PostgresServer, tmp_path: Path) -> None:
    environment = case(SINGLE).environment()
    keys = environment.overlay.values.postgres.keys
    login = {keys.username: "convex", keys.password: PASSWORD, keys.host: "db.example.com", keys.port: str(debian.port)}
    variables = kubelet(environment, {environment.overlay.values.postgres.existing_secret: login})
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.pem)
    opens(debian, variables, variables["INSTANCE_NAME"].replace("-", "_"), tmp_path / "ca.crt")
    checks = check_postgres(variables["POSTGRES_URL"], variables["INSTANCE_NAME"], ca_pem=AUTHORITY.pem.decode())
    assert [str(check) for check in checks if check.status is Status.FAILED] == []
