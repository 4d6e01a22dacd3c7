"""The bootstrap script against a real API server, with the token of a ServiceAccount that may do what it needs."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from convexctl.admin_key import open_admin_key
from tests.support.bootstrap_pod import STEPS, Pod
from tests.support.control_plane import ControlPlane

SECRET = "convex-instance"
RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get"]},
]


def pod_of(cluster: ControlPlane, namespace: str, folder: Path, rules: list[dict[str, Any]]) -> Pod:
    """The pod of a ServiceAccount with these rights."""
    where = ("--namespace", namespace)
    token = cluster.service_account_token(namespace, "bootstrap")
    cluster.create("rbac.authorization.k8s.io/v1", "Role", {"metadata": {"name": "bootstrap"}, "rules": rules}, *where)
    account = f"--serviceaccount={namespace}:bootstrap"
    cluster.kubectl("create", "rolebinding", "bootstrap", "--role=bootstrap", account, *where)
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
