"""NetworkPolicies, enforced by a real agent: each allowed flow passes, each other one times out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.convex_manifests import TAG
from tests.support.node import DATABASE, Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import apply, light, pods, wait_for_pods

ECHO = (Path(__file__).parents[1] / "support" / "edge_echo.mjs").read_text()
METADATA = "169.254.169.254"
OVERLAY = """\
namespace: {namespace}
releaseName: shop
postgres: {{enabled: true}}
s3: {{provider: minio, bucket: files, endpoint: "http://{storage}.svc:9000", region: eu, existingSecret: s3}}
backend:
  metrics: {{enabled: true}}
  extraVolumes: [{{name: echo, configMap: {{name: echo}}}}]
  extraVolumeMounts: [{{name: echo, mountPath: /echo}}]
ingress: {{enabled: true, dashboard: {{host: d.acme.io}}, backend: {{host: a.acme.io}}}}
networkPolicy:
  enabled: true
  egress: {egress}
  ingressNSMatchLabels: {{kubernetes.io/metadata.name: {edge}}}
  metricsNSMatchLabels: {{kubernetes.io/metadata.name: {monitoring}}}
  database: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {database}}}}}}}]
  s3: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {storage}}}}}}}]
  origins: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {edge}}}}}}}]
  extraIngress: [{{from: [{{podSelector: {{matchLabels: {{app: worker}}}}}}]}}]
patches:
  - target: {{kind: StatefulSet}}
    patch:
      spec:
        template: {{spec: {{containers: [{{name: convex-backend, command: [node, /echo/echo.mjs]}}]}}}}
"""
PLACES = ("edge", "monitoring", "database", "storage", "other")
"""Namespaces around the environment, each with a pod that listens and calls."""
PORTS = "80 443 5432 9000"
ALL = ["backend:3210", "backend:3211", "dashboard:6791"]
FROM_OUTSIDE = {
    "edge": ALL,
    "monitoring": ["backend:3210"],
    "worker": ["backend:3210", "backend:3211"],
    "other": [],
    "dashboard": [],
}
"""Whom each may call of the environment."""
CALLED = [f"{place}:{port}" for place in ("edge", "database", "storage", "other") for port in PORTS.split()]
OUT = {
    "listed": [each for each in CALLED if not each.startswith("other:")],
    "all": CALLED,
}
"""Whom the backend may call, by `egress`. Peers that are named may be called on every port."""


@dataclass(frozen=True)
class Ground:
    """Where the flows are tried: for each `egress` a namespace, and the address of every pod in it and around it."""

    node: Node
    places: dict[str, str]
    environments: dict[str, str]

    def address(self, namespace: str, app: str) -> str:
        (pod,) = pods(self.node, namespace, app=app)
        return str(pod["status"]["podIP"])

    def reached(self, namespace: str, app: str, targets: dict[str, str]) -> dict[str, str]:
        """What a call of each target gives: `passes`, or curl's exit code (28: it timed out)."""
        (pod,) = pods(self.node, namespace, app=app)
        calls = [f"call {name} http://{address}/ &" for name, address in targets.items()]
        function = 'call() { curl -s -m 4 -o /dev/null "$2" && echo "$1 passes" || echo "$1 $?"; }'
        script = "\n".join([function, *calls, "wait"])
        where = ("--namespace", namespace, pod["metadata"]["name"])
        lines = self.node.kubectl("exec", *where, "--", "bash", "-c", script).stdout.splitlines()
        return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def ground(operators: Callable[..., Node]) -> Iterator[Ground]:
    node = operators("network-policies")
    places = {place: node.namespace() for place in PLACES}
    environments = {egress: node.namespace() for egress in OUT}
    for namespace in places.values():
        caller(node, namespace, "place")
    for egress, namespace in environments.items():
        node.create(
            "v1", "ConfigMap", {"metadata": {"name": "echo", "namespace": namespace}, "data": {"echo.mjs": ECHO}}
        )
        secret = {"DATABASE_URL": f"postgresql://a:b@{DATABASE}", "INSTANCE_NAME": "shop", "INSTANCE_SECRET": "5e" * 32}
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        for name, data in (("convex-postgres-secret", secret), ("s3", keys)):
            node.create("v1", "Secret", {"metadata": {"name": name, "namespace": namespace}, "stringData": data})
        caller(node, namespace, "worker")
        apply(
            node,
            namespace,
            light(environment_of(OVERLAY.format(namespace=namespace, egress=egress, **places)).manifests),
        )
    for namespace in places.values():
        wait_for_pods(node, namespace, "place")
    for namespace in environments.values():
        wait_for_pods(node, namespace, "shop-backend", "shop-dashboard", "worker")
    yield Ground(node, places, environments)
    for namespace in (*places.values(), *environments.values()):
        node.forget(namespace)


def caller(node: Node, namespace: str, app: str) -> None:
    """A pod that listens on the ports of databases and stores, and has curl."""
    container = {
        "name": "it",
        "image": f"ghcr.io/get-convex/convex-backend:{TAG}",
        "command": ["node", "--input-type=module", "--eval", ECHO],
        "env": [{"name": "ECHO_PORTS", "value": PORTS}],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    node.create("v1", "Pod", {"metadata": {"name": app, "namespace": namespace, "labels": {"app": app}}, "spec": spec})


@pytest.mark.parametrize("who", FROM_OUTSIDE)
def test_who_may_call_the_environment(ground: Ground, who: str) -> None:
    """That both pods are ready shows that the kubelet's probes pass."""
    namespace = ground.environments["listed"]
    backend, dashboard = (ground.address(namespace, f"shop-{name}") for name in ("backend", "dashboard"))
    targets = {each: each.replace("backend", backend).replace("dashboard", dashboard) for each in ALL}
    if who == "dashboard":
        targets = {name: address for name, address in targets.items() if not name.startswith("dashboard")}
    inside = {"worker": "worker", "dashboard": "shop-dashboard"}
    answers = ground.reached(ground.places.get(who, namespace), inside.get(who, "place"), targets)
    assert answers == {name: "passes" if name in FROM_OUTSIDE[who] else "28" for name in targets}


@pytest.mark.parametrize("egress", OUT)
def test_whom_the_backend_may_call(ground: Ground, egress: str) -> None:
    addresses = {place: ground.address(namespace, "place") for place, namespace in ground.places.items()}
    targets = {each: f"{addresses[each.partition(':')[0]]}:{each.partition(':')[2]}" for each in CALLED}
    answers = ground.reached(ground.environments[egress], "shop-backend", targets)
    assert answers == {name: "passes" if name in OUT[egress] else "28" for name in targets}


def test_the_dashboard_calls_nobody(ground: Ground) -> None:
    namespace = ground.environments["all"]
    answers = ground.reached(
        namespace, "shop-dashboard", {"other": f"{ground.address(ground.places['other'], 'place')}:80"}
    )
    assert answers == {"other": "28"}


def test_the_backend_resolves_names(ground: Ground) -> None:
    for namespace in ground.environments.values():
        (pod,) = pods(ground.node, namespace, app="shop-backend")
        where = ("--namespace", namespace, pod["metadata"]["name"])
        ask = (
            'require("dns").lookup("kubernetes.default.svc", (error, address) => console.log(error ? "none" : address))'
        )
        found = ground.node.kubectl("exec", *where, "--", "node", "--eval", ask).stdout
        assert re.fullmatch(r"[0-9.]+\n", found)


def test_the_clouds_metadata_stays_closed(ground: Ground) -> None:
    """A pod without a policy reaches what answers there; the backend does not, whatever `egress` says."""
    node = ground.node
    answering = ground.address(ground.places["storage"], "place")
    inside = f"grep -lz 'ECHO_PORTS={PORTS}' /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3"
    script = f"""
        for pid in $({inside}); do
          nsenter -t $pid -n ip -4 addr show | grep -q ' {answering}/' || continue
          nsenter -t $pid -n ip addr add {METADATA}/32 dev lo
        done
        ip route replace {METADATA}/32 via {answering}
    """
    node.tool("in", "bash", "-c", f"({script}) ; true")
    try:
        assert ground.reached(ground.places["other"], "place", {"metadata": METADATA}) == {"metadata": "passes"}
        for namespace in ground.environments.values():
            assert ground.reached(namespace, "shop-backend", {"metadata": METADATA}) == {"metadata": "28"}
    finally:
        node.tool("in", "ip", "route", "del", f"{METADATA}/32", check=False)
