"""Backends and dashboards are found whatever the names and kinds of their objects."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour import Behaviour, predict
from convexctl.behaviour.find import ImageName

BACKEND = "ghcr.io/get-convex/convex-backend:latest"
DASHBOARD = "ghcr.io/get-convex/convex-dashboard:latest"


def workload(kind: str, *containers: dict[str, Any], name: str = "thing", **spec: Any) -> dict[str, Any]:
    pod = {"containers": list(containers), **spec}
    metadata = {"name": name}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": pod}
    if kind == "CronJob":
        job = {"spec": {"template": {"spec": pod}}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {"jobTemplate": job}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": {"spec": pod}}}


def found(model: Behaviour) -> list[tuple[str, str, str]]:
    return [(component.TITLE, component.kind, component.container) for component in model.components]


@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Pod", "Rollout"])
def test_any_kind_that_makes_pods(kind: str) -> None:
    model = predict([workload(kind, {"name": "db", "image": BACKEND}, {"name": "ui", "image": DASHBOARD})])
    assert found(model) == [("backend", kind, "db"), ("dashboard", kind, "ui")]


@pytest.mark.parametrize(
    ("container", "role"),
    [
        pytest.param({"image": "mirror.example.com/x/convex-backend@sha256:00"}, "backend", id="mirrored image"),
        pytest.param({"image": "convex-dashboard"}, "dashboard", id="bare image"),
        pytest.param({"image": "own:1", "command": ["/bin/sh", "-c", "./run_backend.sh"]}, "backend", id="entry point"),
        pytest.param({"image": "own:1", "args": ["./convex-local-backend"]}, "backend", id="server in arguments"),
        pytest.param(
            {"image": "own:1", "ports": [{"containerPort": 3210}, {"containerPort": 3211}]}, "backend", id="ports"
        ),
        pytest.param({"image": "own:1", "ports": [{"containerPort": 6791}]}, "dashboard", id="port of the dashboard"),
        pytest.param({"image": "own:1", "ports": [{"containerPort": 3210}]}, None, id="one port of the two"),
        pytest.param({"image": "nginx"}, None, id="something else"),
        pytest.param({"image": "example.com/not-convex-backend"}, None, id="a longer name"),
    ],
)
def test_what_gives_a_container_away(container: dict[str, Any], role: str | None) -> None:
    model = predict([workload("Deployment", {"name": "c", **container})])
    assert [component.TITLE for component in model.components] == ([role] if role else [])


def test_a_renamed_image_is_named_by_the_caller() -> None:
    manifest = workload("Deployment", {"name": "c", "image": "registry.example.com:5000/team/cvx:7"})
    assert predict([manifest]).components == ()
    for name in ("registry.example.com:5000/team/cvx", "cvx"):
        assert [component.TITLE for component in predict([manifest], images={name: "dashboard"}).components] == [
            "dashboard"
        ]


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
@pytest.mark.parametrize(
    ("command", "count"),
    [
        pytest.param({"command": ["/bin/bash", "-c", "./generate_key name secret"]}, 0, id="borrows the image's tools"),
        pytest.param({"command": ["./run_backend.sh"]}, 1, id="runs the server"),
        pytest.param({}, 1, id="runs what the image runs"),
    ],
)
def test_a_job_counts_only_when_it_runs_the_server(kind: str, command: dict[str, Any], count: int) -> None:
    assert len(predict([workload(kind, {"name": "c", "image": BACKEND, **command})]).backends) == count


def test_lists_are_opened() -> None:
    backend = workload("StatefulSet", {"name": "c", "image": BACKEND})
    untyped = {
        key: value for key, value in workload("Deployment", {"name": "d", "image": DASHBOARD}).items() if key != "kind"
    }
    lists = [
        {"kind": "List", "items": [{"kind": "List", "items": [backend]}]},
        {"kind": "DeploymentList", "items": [untyped]},
    ]
    assert found(predict(lists)) == [("backend", "StatefulSet", "c"), ("dashboard", "Deployment", "d")]


def test_pods_that_a_workload_here_made_are_left_out() -> None:
    deployment = workload("Deployment", {"name": "c", "image": BACKEND}, name="convex")
    replica_set = workload("ReplicaSet", {"name": "c", "image": BACKEND}, name="convex-5d4")
    replica_set["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "convex"}]
    pod = workload("Pod", {"name": "c", "image": BACKEND}, name="convex-5d4-x")
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "convex-5d4"}]
    assert [backend.kind for backend in predict([deployment, replica_set, pod]).backends] == ["Deployment"]
    assert [backend.kind for backend in predict([pod]).backends] == ["Pod"]


def test_a_sidecar_among_the_init_containers_counts_and_an_init_container_does_not() -> None:
    init = {"name": "wait", "image": BACKEND, "command": ["true"]}
    side = {"name": "ui", "image": DASHBOARD, "restartPolicy": "Always"}
    manifest = workload("StatefulSet", {"name": "c", "image": BACKEND}, initContainers=[init, side])
    assert found(predict([manifest])) == [("backend", "StatefulSet", "c"), ("dashboard", "StatefulSet", "ui")]


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"kind": "Deployment"},
        {"kind": "Deployment", "metadata": None, "spec": {"template": {"spec": {"containers": "x"}}}},
        {
            "kind": "Deployment",
            "spec": {"template": {"spec": {"containers": [None, 1, {"image": BACKEND, "env": {}}]}}},
        },
        {"kind": "List", "items": None},
        {"kind": "Ingress", "spec": {"rules": [None, {"http": {"paths": [1]}}], "tls": "x"}},
        {"kind": "HTTPRoute", "spec": {"rules": [{"matches": [None], "backendRefs": [3]}]}},
        {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": []},
    ],
    ids=str,
)
def test_manifests_of_the_wrong_shape_read_as_empty(nonsense: dict[str, Any]) -> None:
    predict(
        [
            nonsense,
            workload("Deployment", {"name": "c", "image": BACKEND, "envFrom": [{"configMapRef": {"name": "x"}}]}),
        ]
    )


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("convex-backend", ("convex-backend", "latest", "")),
        ("host:5000/a/b", ("host:5000/a/b", "latest", "")),
        ("host:5000/a/b:1.2", ("host:5000/a/b", "1.2", "")),
        ("a/b@sha256:ab", ("a/b", "", "sha256:ab")),
        ("a/b:tag@sha256:ab", ("a/b", "tag", "sha256:ab")),
    ],
)
def test_image_references(reference: str, parts: tuple[str, str, str]) -> None:
    name = ImageName.of(reference)
    assert (name.repository, name.tag, name.digest) == parts
