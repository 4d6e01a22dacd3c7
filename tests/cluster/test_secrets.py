"""`secrets` and `admin-key` on a real API server: what a new user does, and what must not happen to one who is back."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from convexctl.secrets.admin_key import open_admin_key
from convexctl.secrets.needed import VARIABLES, needed_secrets
from convexctl.secrets.value_rules import generate_instance_secret
from tests.support.api_client import Object
from tests.support.command_line import Done, assert_none_of, on_samples, run
from tests.support.control_plane import ControlPlane
from tests.support.deployment import write_files
from tests.support.overlay_cases import ROOT, case

HIDDEN = "hunter2"
VALUES = {
    "POSTGRES_URL": f"postgresql://convex:{HIDDEN}@db.example.com:5432",
    "INSTANCE_NAME": "convex-prod",
    "AWS_ACCESS_KEY_ID": "AKID-hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2/secret+key",
    "AWS_REGION": "eu-central-1",
}
POSTGRES, S3, ADMIN = "convex-postgres-secret", "convex-s3-credentials", "convex-secrets"
ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Runner = Callable[..., Done]


@pytest.fixture
def environment(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a user with this cluster as the current one, and without values."""
    for name in [*VARIABLES, "DATABASE_URL", "AWS_ENDPOINT"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def main(
    environment: None, namespace: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Runner:
    """Runs a command in the test's namespace."""

    def run_main(command: str, overlay: str, *arguments: str, **values: str) -> Done:
        where = () if "--namespace" in arguments else ("--namespace", namespace)
        with monkeypatch.context() as context:
            for name, value in values.items():
                context.setenv(name, value)
            done = run(capsys, command, overlay, *where, *on_samples(arguments))
        assert_none_of([HIDDEN, *(values[name] for name in values if "SECRET" in name)], done.stderr)
        return done

    return run_main


def secrets_of(cluster: ControlPlane, namespace: str) -> dict[str, Object]:
    return {secret["metadata"]["name"]: secret for secret in cluster.objects(namespace, "secrets")}


def values_of(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_production_needs_two_commands(cluster: ControlPlane, namespace: str, main: Runner) -> None:
    applied = main("secrets", "production", "--apply", "--yes", **VALUES)
    assert applied.code == 0, applied.stderr
    assert applied.stdout.splitlines() == [f"secret/{name} serverside-applied" for name in (POSTGRES, S3, ADMIN)]
    made = secrets_of(cluster, namespace)
    secret = values_of(made[POSTGRES])["INSTANCE_SECRET"]
    for key in (main("admin-key", "production").stdout.strip(), values_of(made[ADMIN])[ADMIN_KEY]):
        open_admin_key(key, "convex-prod", secret)
    for needed in needed_secrets(case("production").environment().manifests):
        required = {reference.key for reference in needed.references if not reference.optional}
        assert required <= (made[needed.name]["data"].keys() if needed.name in made else set())


def test_a_stream_can_be_applied(cluster: ControlPlane, namespace: str, environment: None) -> None:
    stream = shlex.join([sys.executable, "main.py", *on_samples(["secrets", "production", "-n", namespace])])
    command = f"{stream} | kubectl apply -n {namespace} -f -"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        env={**os.environ, **VALUES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"secret/{name} created" for name in (POSTGRES, S3, ADMIN)]
    assert values_of(secrets_of(cluster, namespace)[S3])["AWS_REGION"] == "eu-central-1"


def test_no_value_is_left_in_an_annotation(cluster: ControlPlane, namespace: str, main: Runner) -> None:
    stream = main("secrets", "production", **VALUES).stdout
    cluster.kubectl("apply", "--namespace", namespace, "--filename=-", input=stream)
    assert LAST_APPLIED in secrets_of(cluster, namespace)[POSTGRES]["metadata"]["annotations"]
    main("secrets", "production", "--apply", "--yes")
    for secret in secrets_of(cluster, namespace).values():
        assert "annotations" not in secret["metadata"]


def test_applying_again_changes_nothing(cluster: ControlPlane, namespace: str, main: Runner) -> None:
    main("secrets", "production", "--apply", "--yes", **VALUES)
    before = secrets_of(cluster, namespace)
    again = main("secrets", "production", "--apply", "--yes", INSTANCE_SECRET=generate_instance_secret())
    assert again.code == 0
    assert secrets_of(cluster, namespace) == before


def test_a_changed_value_is_taken_over_from_whoever_set_it(cluster: ControlPlane, namespace: str, main: Runner) -> None:
    literals = [f"--from-literal={name}={VALUES[name]}" for name in VALUES if name.startswith("AWS")]
    cluster.kubectl("create", "secret", "generic", S3, *literals, "--namespace", namespace)
    main("secrets", "production", "--apply", "--yes", **{**VALUES, "AWS_REGION": "eu-west-1"})
    assert values_of(secrets_of(cluster, namespace)[S3])["AWS_REGION"] == "eu-west-1"


def test_rotation_replaces_instance_secret_and_admin_key_alone(
    cluster: ControlPlane, namespace: str, main: Runner
) -> None:
    main("secrets", "production", "--apply", "--yes", **VALUES)
    before = {name: values_of(secret) for name, secret in secrets_of(cluster, namespace).items()}
    main("secrets", "production", "--apply", "--yes", "--rotate")
    after = {name: values_of(secret) for name, secret in secrets_of(cluster, namespace).items()}
    open_admin_key(after[ADMIN][ADMIN_KEY], "convex-prod", after[POSTGRES]["INSTANCE_SECRET"])
    changed = {f"{name}/{key}" for name in after for key in after[name] if after[name][key] != before[name][key]}
    assert changed == {f"{POSTGRES}/INSTANCE_SECRET", f"{ADMIN}/{ADMIN_KEY}"}


@pytest.mark.parametrize("way", ["kubectl create", "kubectl apply"])
def test_keys_that_somebody_else_put_there_stay(cluster: ControlPlane, namespace: str, main: Runner, way: str) -> None:
    options = ("--save-config",) if way == "kubectl apply" else ()
    literals = ("--from-literal=username=convex", f"--from-literal=DATABASE_URL={VALUES['POSTGRES_URL']}")
    cluster.kubectl("create", "secret", "generic", POSTGRES, *literals, "--namespace", namespace, *options)
    rest = {name: value for name, value in VALUES.items() if name != "POSTGRES_URL"}
    assert main("secrets", "production", "--apply", "--yes", **rest).code == 0
    made = values_of(secrets_of(cluster, namespace)[POSTGRES])
    assert (made["username"], made["DATABASE_URL"]) == ("convex", VALUES["POSTGRES_URL"])


def test_a_namespace_that_is_not_there_is_said(main: Runner) -> None:
    done = main("secrets", "production", "--apply", "--yes", "--namespace", "nowhere", **VALUES)
    assert done.code == 1
    assert 'namespaces "nowhere" not found; make it: kubectl create namespace nowhere' in done.stderr


def test_who_may_not_read_secrets_changes_none(
    cluster: ControlPlane, namespace: str, main: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main("secrets", "production", "--apply", "--yes", **VALUES)
    before = secrets_of(cluster, namespace)
    configuration = json.loads(cluster.kubeconfig.read_text())
    configuration["users"][0]["user"] = {"token": cluster.service_account_token(namespace, "ci")}
    restricted = tmp_path / "kubeconfig"
    restricted.write_text(json.dumps(configuration))
    monkeypatch.setenv("KUBECONFIG", str(restricted))
    done = main("secrets", "production", "--apply", "--yes", **VALUES)
    assert done.code == 1
    assert "the cluster cannot be asked: Error from server (Forbidden): secrets" in done.stderr
    assert secrets_of(cluster, namespace) == before
    done = main("secrets", "production", **VALUES)
    assert done.code == 0
    assert "is a NEW instance secret" in done.stderr
    done = main("admin-key", "production")
    assert "the cluster cannot be asked: Error from server (Forbidden)" in done.stderr


def test_local_needs_two_commands_and_no_secret(
    cluster: ControlPlane,
    namespace: str,
    environment: None,
    main: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no kubelet that could run `exec`: a stand-in answers that as the pod would, and kubectl all else."""
    secret = generate_instance_secret()
    real = shutil.which("kubectl")
    (tmp_path / "kubectl").write_text(
        "#!/bin/bash\n"
        f'for word in "$@"; do [ "$word" = exec ] && exec printf "%s\\n" convex-self-hosted {secret}; done\n'
        f'exec {real} "$@"\n'
    )
    (tmp_path / "kubectl").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    not_yet = main("admin-key", "local")
    assert not_yet.code == 1
    assert "the backend makes one at its first start: kubectl apply -f dist/local/" in not_yet.stderr

    cluster.kubectl(
        "apply", "--namespace", namespace, "--filename", write_files(case("local").environment(), tmp_path / "dist")
    )
    program = [sys.executable, "main.py", *on_samples(["admin-key", "local", "--namespace", namespace])]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr
        assert (
            waiting.stderr.readline() == "waiting for statefulset/convex-local-backend to start, at most 300 seconds\n"
        )
        cluster.make_ready(namespace)
        key, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    open_admin_key(key.strip(), "convex-self-hosted", secret)
    assert secrets_of(cluster, namespace) == {}

    written = yaml.safe_load(main("secrets", "local").stdout)
    assert written["metadata"] == {"name": ADMIN, "namespace": namespace}
