"""What lives under an environment's names in the cluster may have been made from another overlay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command_line import Done, run
from tests.support.kubectl_stub import KubectlStub

STAGING = (
    "cluster: eu-1\npostgres: {enabled: true, existingSecret: db}\ns3: {enabled: false}\n"
    "backend: {persistence: {enabled: true}}\n"
    "backup: {enabled: true, destination: claim, claim: {existingClaim: backups}}\n"
)
OTHERS = "statefulset/convex-backend (namespace here, context test, cluster eu-1 in the overlay) was made from"
WRITING = [
    ("secrets", "staging", "--apply", "--yes"),
    ("backup", "staging", "--now"),
    ("restore", "staging", "--from", "latest", "--yes"),
    ("synth", "staging", "--live"),
]
READING = [
    ("secrets", "staging"),
    ("diff", "staging", "--live"),
    ("backup", "staging"),
    ("admin-key", "staging"),
    ("verify", "staging", "--port-forward"),
]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    cluster = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", f"{cluster.programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("POSTGRES_URL", "postgresql://u:p@db.example.net:5432")
    monkeypatch.setenv("INSTANCE_NAME", "staging")
    monkeypatch.setenv("CDK8S_OUTDIR", str(tmp_path / "dist"))
    (tmp_path / "staging.yaml").write_text(STAGING)
    return cluster


def called(capsys: pytest.CaptureFixture[str], folder: Path, command: tuple[str, ...]) -> Done:
    return run(capsys, *command, "--overlays", str(folder))


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_what_would_write_refuses(
    cluster: KubectlStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    cluster.object("StatefulSet", "convex-backend", {"convex-k8s/overlay": "production"})
    done = called(capsys, tmp_path, command)
    assert done.code == 1
    assert f"{OTHERS} the overlay production, and not from staging" in done.stderr
    remedy = "kubectl annotate --overwrite statefulset/convex-backend convex-k8s/overlay=staging"
    assert remedy in done.stderr
    assert not (cluster.applied or (tmp_path / "dist").exists())
    assert not [call for call in cluster.calls if {"create", "apply"} & set(call)]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_only_reads_warns(
    cluster: KubectlStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    cluster.object("StatefulSet", "convex-backend", {"convex-k8s/overlay": "production"})
    done = called(capsys, tmp_path, command)
    assert done.stderr.count(f"warning: {OTHERS} the overlay production") == 1, done.stderr


def test_preflight_fails_its_check(
    cluster: KubectlStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from convexctl.preflight.cluster import owner_question
    from convexctl.tools.kubectl import Kubectl

    cluster.object("ConfigMap", "convex-config", {"convex-k8s/overlay": "production"})
    check = owner_question(Kubectl(), "staging", "convex").answer()
    assert (check.status, check.name) == ("failed", "overlay")
    assert check.detail.startswith("configmap/convex-config (namespace here")
    cluster.object("ConfigMap", "convex-config", {"convex-k8s/overlay": "staging"})
    assert owner_question(Kubectl(), "staging", "convex").answer().status == "ok"


@pytest.mark.parametrize("annotations", [{"convex-k8s/overlay": "staging"}, {}], ids=["its own", "Helm's"])
def test_its_own_objects_and_those_of_nobody_pass(
    cluster: KubectlStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], annotations: dict[str, str]
) -> None:
    cluster.object("StatefulSet", "convex-backend", annotations)
    done = called(capsys, tmp_path, ("secrets", "staging", "--apply", "--yes"))
    assert done.code == 0, done.stderr
    assert cluster.applied


def test_a_cluster_that_does_not_say_is_noted(
    cluster: KubectlStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.fail("Error from server (Forbidden)")
    done = called(capsys, tmp_path, ("backup", "staging", "--now"))
    note = "note: cannot see which overlay the cluster's objects were made from: Error from server (Forbidden)"
    assert note in done.stderr
