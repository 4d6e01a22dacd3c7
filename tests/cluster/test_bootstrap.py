"""The bootstrap script and the objects around it on a real API server, with the rights of its ServiceAccount."""

from __future__ import annotations

import base64
import json
import signal
from http.client import CREATED
from pathlib import Path
from typing import Any

import pytest

from convexctl.secrets.admin_key import open_admin_key
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.environment import Environment
from tests.support.api_client import Object
from tests.support.bootstrap_pod import SCRIPT, STEPS, Pod
from tests.support.control_plane import ControlPlane
from tests.support.deployment import write_files
from tests.support.overlay_cases import environment_of

SECRET = "convex-instance"
RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get"]},
]


def pod_of(cluster: ControlPlane, namespace: str, folder: Path, rules: list[dict[str, Any]]) -> Pod:
    """The pod of a ServiceAccount with these rights."""
    where = ("--namespace", namespace)
    pod = pod_with(cluster, namespace, folder, cluster.service_account_token(namespace, "bootstrap"))
    cluster.create(
        "rbac.authorization.k8s.io/v1", "Role", {"metadata": {"name": "bootstrap"}, "rules": rules}, namespace
    )
    account = f"--serviceaccount={namespace}:bootstrap"
    cluster.kubectl("create", "rolebinding", "bootstrap", "--role=bootstrap", account, *where)
    return pod


def pod_with(cluster: ControlPlane, namespace: str, folder: Path, token: str) -> Pod:
    """The pod of whoever has this token."""
    configuration = json.loads(cluster.kubectl("config", "view", "--raw", "--output=json").stdout)
    api = configuration["clusters"][0]["cluster"]
    ca_pem = (
        base64.b64decode(api["certificate-authority-data"])
        if "certificate-authority-data" in api
        else Path(api["certificate-authority"]).read_bytes()
    )
    return Pod(folder, api_server=api["server"], ca_pem=ca_pem, token=token, namespace=namespace)


@pytest.fixture
def pod(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Pod:
    return pod_of(cluster, namespace, tmp_path, RULES)


def values(cluster: ControlPlane, namespace: str) -> dict[str, str]:
    data = cluster.object(namespace, "secret", SECRET)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_it_makes_the_secret_once(cluster: ControlPlane, namespace: str, pod: Pod) -> None:
    first = pod.run()
    assert (first.returncode, first.stderr) == (0, "")
    made = values(cluster, namespace)
    assert set(made) == {"INSTANCE_NAME", "INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY"}
    open_admin_key(made["CONVEX_SELF_HOSTED_ADMIN_KEY"], "convex-prod", made["INSTANCE_SECRET"])
    second = pod.run()
    assert second.stdout == f"bootstrap: the Secret {namespace}/{SECRET} is there: nothing to do\n"
    assert values(cluster, namespace) == made


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1), ids=STEPS)
def test_interrupted_at_any_step_the_next_run_ends_with_one_whole_secret(
    cluster: ControlPlane, namespace: str, pod: Pod, moment: str, step: int
) -> None:
    assert pod.run(INTERRUPT=f"{moment} {step}").returncode == -signal.SIGKILL
    left_behind = [secret["data"] for secret in cluster.objects(namespace, "secrets")]
    assert len(left_behind) == int((moment, step) == ("after", len(STEPS)))
    done = pod.run()
    assert (done.returncode, done.stderr) == (0, "")
    made = values(cluster, namespace)
    open_admin_key(made["CONVEX_SELF_HOSTED_ADMIN_KEY"], "convex-prod", made["INSTANCE_SECRET"])
    assert len(cluster.objects(namespace, "secrets")) == 1
    if left_behind:
        assert left_behind == [secret["data"] for secret in cluster.objects(namespace, "secrets")]


def test_a_secret_that_lacks_a_key_is_never_changed(cluster: ControlPlane, namespace: str, pod: Pod) -> None:
    literals = ["--from-literal=INSTANCE_NAME=convex-prod", "--from-literal=INSTANCE_SECRET=x"]
    cluster.kubectl("create", "secret", "generic", SECRET, *literals, "--namespace", namespace, "--save-config")
    done = pod.run()
    assert done.returncode == 1
    assert f"{namespace}/{SECRET} is there and has no CONVEX_SELF_HOSTED_ADMIN_KEY" in done.stderr
    assert set(values(cluster, namespace)) == {"INSTANCE_NAME", "INSTANCE_SECRET"}


@pytest.mark.parametrize(
    ("rules", "asked"),
    [pytest.param(RULES[1:], "create", id="no create"), pytest.param(RULES[:1], "get", id="no get")],
)
def test_each_right_is_needed(
    cluster: ControlPlane, namespace: str, tmp_path: Path, rules: list[dict[str, Any]], asked: str
) -> None:
    done = pod_of(cluster, namespace, tmp_path, rules).run()
    assert done.returncode == 1
    assert f"answered 403 (Forbidden) when asked to {asked} the Secret {namespace}/{SECRET}" in done.stderr
    assert cluster.objects(namespace, "secrets") == []


def test_no_other_secret_can_be_read(cluster: ControlPlane, namespace: str, pod: Pod) -> None:
    cluster.kubectl("create", "secret", "generic", "other", "--from-literal=a=b", "--namespace", namespace)
    done = pod.run(SECRET_NAME="other")
    assert "answered 403 (Forbidden) when asked to get the Secret" in done.stderr


# The Job and what stands around it

OVERLAY = """
instance: {name: team-a}
postgres: {enabled: true}
s3: {enabled: false}
secrets: {provider: bootstrap}
"""


def job_of(environment: Environment) -> Object:
    (job,) = (manifest for manifest in environment.manifests if manifest["kind"] == "Job")
    return job


@pytest.fixture
def applied(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Environment:
    """An environment that makes its own instance secret, applied twice."""
    environment = environment_of(OVERLAY)
    folder = write_files(environment, tmp_path / "dist")
    for _ in range(2):
        apply = ("apply", "--server-side", "--validate=strict", "--namespace", namespace, "--filename", folder)
        assert cluster.kubectl(*apply).stderr == ""
    return environment


def test_the_jobs_pod_is_admitted(cluster: ControlPlane, namespace: str, applied: Environment) -> None:
    cluster.make_ready(namespace)
    (job,) = cluster.objects(namespace, "jobs")
    assert job["status"]["succeeded"] == 1


def test_its_pod_makes_what_the_backend_refers_to(
    cluster: ControlPlane, namespace: str, applied: Environment, tmp_path: Path
) -> None:
    spec = job_of(applied)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ["/bin/bash", "-c", SCRIPT.read_text()]
    token = cluster.service_account_token(namespace, spec["serviceAccountName"])
    folder = tmp_path / "pod"
    folder.mkdir()
    pod = pod_with(cluster, namespace, folder, token)
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    made = []
    for _ in range(2):
        done = pod.run(**variables)
        assert (done.returncode, done.stderr) == (0, "")
        made.append(values(cluster, namespace))
    assert made[0] == made[1]
    assert open_admin_key(made[0]["CONVEX_SELF_HOSTED_ADMIN_KEY"], "team-a", made[0]["INSTANCE_SECRET"])
    referred = {
        reference.key
        for secret in needed_secrets(applied.manifests)
        for reference in secret.references
        if secret.name == SECRET
    }
    assert referred == {"INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY"}
    assert referred <= made[0].keys()


RIGHTS = {
    ("create", "secrets", ""): True,
    ("get", "secrets", SECRET): True,
    ("get", "secrets", "convex-postgres-secret"): False,
    ("list", "secrets", ""): False,
    ("update", "secrets", SECRET): False,
    ("patch", "secrets", SECRET): False,
    ("delete", "secrets", SECRET): False,
    ("get", "configmaps", ""): False,
}
"""Whether the ServiceAccount may do this: by verb, resource and name."""


def test_its_service_account_may_do_that_and_no_more(
    cluster: ControlPlane, namespace: str, applied: Environment
) -> None:
    account = job_of(applied)["spec"]["template"]["spec"]["serviceAccountName"]
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    who = {"user": f"system:serviceaccount:{namespace}:{account}", "groups": groups}

    def may(verb: str, resource: str, name: str) -> bool:
        asked = {"namespace": namespace, "verb": verb, "resource": resource, "name": name}
        review = {"spec": {**who, "resourceAttributes": asked}}
        answer = cluster.api.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        assert answer.status == CREATED, answer
        return bool(answer.json()["status"]["allowed"])

    assert {right: may(*right) for right in RIGHTS} == RIGHTS
