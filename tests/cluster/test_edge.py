"""The edge of the tests itself: requests go where an Ingress, its Services and their pods say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.control_plane import POD_ADDRESS
from tests.support.edge import Edge
from tests.support.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import time
from tests.support.edge import edge
with edge():
    print("up", flush=True)
    time.sleep(600)
"""
API, ACTIONS, DASHBOARD, ELSEWHERE = "api.example.com", "site.example.com", "dashboard.example.com", "other.example.com"


@pytest.fixture(scope="module")
def served(edge: Edge) -> Iterator[Edge]:
    """Two hosts; `/metrics` of the API's goes to the dashboard."""
    namespace = edge.cluster.namespace()
    names = {"api": 3210, "actions": 3211, "http": 6791}
    ports = [{"name": name, "containerPort": port} for name, port in names.items()]
    containers = [{"name": "c", "image": "i", "ports": ports}]
    pod = {"metadata": {"name": "it", "labels": {"app": "it"}}, "spec": {"containers": containers}}
    edge.cluster.create("v1", "Pod", pod, namespace)
    for name in names:
        spec = {"selector": {"app": "it"}, "ports": [{"name": name, "port": 80, "targetPort": name}]}
        edge.cluster.create("v1", "Service", {"metadata": {"name": name}, "spec": spec}, namespace)
    rules = [
        rule(API, {"/": "api", "/metrics": "http"}),
        rule(ACTIONS, {"/": "actions"}),
        rule(DASHBOARD, {"/": "http"}),
    ]
    ingress = {"metadata": {"name": "it"}, "spec": {"ingressClassName": "nginx", "rules": rules}}
    edge.cluster.create("networking.k8s.io/v1", "Ingress", ingress, namespace)
    edge.serve(namespace)
    yield edge
    edge.leave(namespace)


def rule(host: str, services: Mapping[str, str]) -> dict[str, object]:
    paths = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"name": name}}}}
        for path, name in services.items()
    ]
    return {"host": host, "http": {"paths": paths}}


@pytest.mark.parametrize(
    ("host", "path", "status", "port"),
    [
        pytest.param(API, "/version", 200, 3210, id="a host's root"),
        pytest.param(API, "/http/hello", 200, 3210, id="a path below it"),
        pytest.param(API, "/metrics", 200, 6791, id="the longer path wins"),
        pytest.param(ACTIONS, "/http/hello", 200, 3211, id="another host's root"),
        pytest.param(DASHBOARD, "/metrics", 200, 6791, id="another host"),
        pytest.param(ELSEWHERE, "/", 404, 0, id="a host that no rule has"),
    ],
)
def test_a_request_reaches_the_port_that_its_host_and_path_name(
    served: Edge, host: str, path: str, status: int, port: int
) -> None:
    answer = served.get(host, path)
    assert (answer.status, answer.port, answer.path) == (status, port, path if port else "")


def test_it_says_who_asked_for_what(served: Edge) -> None:
    headers = served.get(API, "/", x_mine="yes").headers
    assert headers["host"] == headers["x-forwarded-host"] == API
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-mine"] == "yes"


def test_its_network_is_not_the_machines(served: Edge) -> None:
    with socket.socket() as listener, pytest.raises(OSError, match="Cannot assign requested address"):
        listener.bind((POD_ADDRESS, 0))


def test_nothing_stays_when_the_process_of_the_tests_is_killed(served: Edge) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "constructs")])}
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "up\n"
            children = subprocess.check_output(["ps", "--ppid", str(holder.pid), "-o", "pid="], text=True).split()
            names = " ".join(running(children))
            assert all(name in names for name in ("etcd", "kube-apiserver", "kube-controller", "traefik")), names
        finally:
            holder.kill()
    wait_until(lambda: not running(children), "the end of all processes")


def running(processes: Sequence[str]) -> list[str]:
    """State and name of those of the processes that run."""
    command = ["ps", "-p", ",".join(processes), "-o", "stat=,comm="]
    table = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [line for line in table.splitlines() if not line.startswith("Z")]
