"""The control plane of the tests itself: it refuses what a cluster refuses, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import CUSTOM_GROUPS
from tests.support import secret_watch
from tests.support.control_plane import ControlPlane
from tests.support.processes import wait_until
from tests.support.secret_search import Search
from tests.support.secrets_in_clusters import see_cluster, see_namespace

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"app": "it"}
HOLDER = """
import sys, time
from tests.support.control_plane import control_plane
with control_plane() as cluster:
    print(cluster.kubeconfig, flush=True)
    time.sleep(600)
"""


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "it", "labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def workload(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "it"}, "spec": {"selector": {"matchLabels": LABELS}, "template": template(), **spec}}


def test_a_pod_beyond_baseline_is_refused(cluster: ControlPlane, namespace: str) -> None:
    with pytest.raises(AssertionError, match='violates PodSecurity "baseline:latest": host namespaces'):
        cluster.create("v1", "Pod", template(hostNetwork=True), namespace)


def test_an_account_may_do_what_its_role_says(cluster: ControlPlane, namespace: str) -> None:
    account = cluster.as_service_account(namespace, "somebody")
    refused = account.kubectl("get", "secrets", check=False).stderr
    assert f'User "system:serviceaccount:{namespace}:somebody" cannot list resource "secrets"' in refused
    cluster.kubectl("create", "role", "reader", "--verb=list", "--resource=secrets", "--namespace", namespace)
    somebody = f"--serviceaccount={namespace}:somebody"
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", somebody, "--namespace", namespace)
    account.kubectl("get", "secrets")


def test_pods_become_ready_and_are_replaced_when_their_template_changes(cluster: ControlPlane, namespace: str) -> None:
    where = ("--namespace", namespace)
    cluster.create("apps/v1", "StatefulSet", workload(serviceName="it", replicas=2), namespace)
    cluster.create("apps/v1", "Deployment", workload(replicas=1), namespace)
    cluster.make_ready(namespace)
    before = {pod["metadata"]["uid"] for pod in cluster.objects(namespace, "pods")}
    for kind in ("statefulset", "deployment"):
        cluster.kubectl("set", "image", f"{kind}/it", "c=new", *where)
    cluster.make_ready(namespace)
    for kind in ("statefulset", "deployment"):
        cluster.kubectl("rollout", "status", f"{kind}/it", *where, "--timeout=1s")
    after = {pod["metadata"]["uid"] for pod in cluster.objects(namespace, "pods")}
    assert len(before) == len(after) == 3
    assert not before & after


def test_kinds_from_a_folder_are_served(cluster: ControlPlane, crds: list[Path]) -> None:
    served = cluster.kubectl("api-resources", "--output=name").stdout.split()
    installed = re.findall(r"^  name: (\S+)$", "".join(path.read_text() for path in crds), re.MULTILINE)
    assert len(installed) >= len(CUSTOM_GROUPS)
    assert set(installed) <= set(served)


def test_a_value_of_a_secret_is_found_in_other_objects(
    cluster: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    search = Search(tmp_path / "notes")
    monkeypatch.setattr(secret_watch, "current", search)
    made, given, name = secrets.token_hex(32), "correct-horse-battery", {"metadata": {"name": "it"}}
    where = f"the objects of /api/v1/namespaces/{namespace}"
    planted: dict[str, dict[str, Any]] = {
        "Secret": {"stringData": {"INSTANCE_SECRET": made, "password": given}},
        "ConfigMap": {"data": {"a": f"it is {made}"}},
        "Event": {"involvedObject": {"namespace": namespace}, "message": f"it is {given}"},
        "Service": {"spec": {"clusterIP": "None"}, "metadata": {"name": "it", "annotations": {"a": made}}},
    }
    try:
        for kind, content in planted.items():
            cluster.create("v1", kind, name | content, namespace)
        see_namespace(cluster.api, namespace, None)
        assert search.settle() == [f"{where}/configmaps", f"{where}/events"]
        cluster.api.delete("configmap", namespace, "it")
        search = Search(tmp_path / "others")
        monkeypatch.setattr(secret_watch, "current", search)
        see_cluster(cluster.api)
        assert {f"the objects of /api/v1/{kind}" for kind in ("events", "services")} <= set(search.settle())
    finally:
        for kind in planted:
            cluster.api.delete(kind, namespace, "it")


def test_nothing_stays_when_the_process_of_the_tests_is_killed(cluster: ControlPlane) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    ) as holder:
        try:
            assert holder.stdout
            folder = Path(holder.stdout.readline().strip()).parent
            assert len(_commands_with(f"{folder}/")) == 4
        finally:
            holder.kill()
    wait_until(lambda: not folder.exists() and not _commands_with(str(folder)), "the end of the servers")


def _commands_with(text: str) -> list[str]:
    return [
        line for line in subprocess.check_output(["ps", "-ww", "-eo", "args"], text=True).splitlines() if text in line
    ]
