"""Starts on real pods: what probes wait for, what restarts, and what rolls."""

from __future__ import annotations

import json

from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import (
    apply,
    get_by_proxy,
    is_ready,
    light,
    lines,
    log,
    pods,
    reasons,
    start,
    start_line,
    wait_for_pods,
    wait_until,
)

POD = "convex-backend-0"
QUICK = "{periodSeconds: 1, failureThreshold: 2, timeoutSeconds: 1}"

MANY_BODIES = """
for _ in $(seq 70); do
  { exec 3<>/dev/tcp/127.0.0.1/3210
    printf 'POST /echo HTTP/1.1\\r\\ncontent-length: 1000000\\r\\n\\r\\n' >&3
    head -c 999999 /dev/zero >&3
    sleep 20; } &
done
wait
"""
"""Requests that never end: the stand-in keeps what has come of each body."""


def overlay(backend: str) -> str:
    return f"{{s3: {{enabled: false}}, dashboard: {{enabled: false}}, backend: {{{backend}}}}}"


def the_pod(node: Node, namespace: str) -> dict[str, object]:
    (pod,) = pods(node, namespace, app="convex-backend")
    return pod


def restarts(node: Node, namespace: str) -> int:
    statuses = the_pod(node, namespace).get("status", {}).get("containerStatuses", [])  # type: ignore[attr-defined]
    return int(statuses[0]["restartCount"]) if statuses else 0


def test_a_slow_start_is_waited_for(stand_in: Node, namespace: str) -> None:
    """Longer than readiness and liveness would bear: the start-up probe keeps both away."""
    probes = f"probes: {{startup: {{periodSeconds: 1}}, readiness: {QUICK}, liveness: {QUICK}}}"
    start(stand_in, namespace, overlay(f"env: {{STANDIN_DELAY_S: 8}}, {probes}"))
    wait_until(lambda: bool(log(stand_in, namespace, POD)), "the first line")
    assert not is_ready(the_pod(stand_in, namespace))
    wait_for_pods(stand_in, namespace, "convex-backend")
    assert restarts(stand_in, namespace) == 0


def test_a_start_beyond_its_budget_is_started_anew(stand_in: Node, namespace: str) -> None:
    backend = f"env: {{STANDIN_DELAY_S: 60}}, terminationGracePeriodSeconds: 1, probes: {{startup: {QUICK}}}"
    start(stand_in, namespace, overlay(backend))
    wait_until(lambda: bool(pods(stand_in, namespace)) and restarts(stand_in, namespace) > 0, "a restart")


def test_an_unhealthy_backend_gets_no_requests_and_then_a_restart(stand_in: Node, namespace: str) -> None:
    node = stand_in
    probes = f"probes: {{startup: {QUICK.replace('2', '60')}, readiness: {QUICK}, liveness: {QUICK.replace('2', '6')}}}"
    start(node, namespace, overlay(probes), "convex-backend")

    def endpoints() -> list[object]:
        slices = node.objects(namespace, "endpointslices", selector="kubernetes.io/service-name=convex-backend-svc")
        return [item for each in slices for item in each["endpoints"] or [] if item["conditions"]["ready"]]

    assert len(endpoints()) == 1
    assert get_by_proxy(node, namespace, POD, "/standin/status/500") == "set\n"
    wait_until(lambda: endpoints() == [], "no endpoint")
    assert restarts(node, namespace) == 0
    wait_until(lambda: restarts(node, namespace) == 1, "the restart")
    assert lines(node, namespace, POD, previous=True)[-1] == {"stopped": "clean"}
    wait_for_pods(node, namespace, "convex-backend")
    assert len(endpoints()) == 1


def test_a_crash_and_memory_beyond_the_limit_restart_it_with_its_data(stand_in: Node, namespace: str) -> None:
    node = stand_in
    persistence = 'persistence: {enabled: true, storageClassName: "", size: 1Gi}'
    small = "resources: {requests: {memory: 16Mi}, limits: {memory: 48Mi}}"
    start(node, namespace, overlay(f"{persistence}, {small}"), "convex-backend")
    get_by_proxy(node, namespace, POD, "/standin/exit/3")
    wait_until(lambda: restarts(node, namespace) == 1, "the restart after a crash")
    assert "Error" in reasons(the_pod(node, namespace))
    wait_for_pods(node, namespace, "convex-backend")
    node.kubectl("exec", "--namespace", namespace, POD, "--", "bash", "-c", MANY_BODIES, check=False)
    wait_until(lambda: restarts(node, namespace) == 2, "the kill")
    assert "OOMKilled" in reasons(the_pod(node, namespace))
    wait_for_pods(node, namespace, "convex-backend")
    assert lines(node, namespace, POD)[0]["starts"] == 3


def test_a_changed_config_map_rolls_and_a_changed_secret_does_not(stand_in: Node, namespace: str) -> None:
    node = stand_in
    secret = "backend: {envFrom: [{secretRef: {name: extra}}]"
    where = ("--namespace", namespace)
    node.kubectl("create", "secret", "generic", "extra", "--from-literal=MINE=old", *where)
    base = f"{{s3: {{enabled: false}}, {secret}, env: {{RUST_LOG: info}}}}}}"
    environment = start(node, namespace, base, "convex-backend", "convex-dashboard")
    before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods(node, namespace)}

    patch = json.dumps({"stringData": {"MINE": "new"}})
    node.kubectl("patch", "secret", "extra", f"--patch={patch}", *where)
    node.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", *where)
    assert {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods(node, namespace)} == before
    line = start_line(node, namespace, POD)
    assert line
    assert line["env"]["MINE"] == "old"
    sentence = (
        "After a change of a Secret, restart them yourself: `kubectl rollout restart statefulset/convex-backend`."
    )
    assert sentence in environment.files["README.md"]

    apply(node, namespace, light(environment_of(base.replace("info", "debug")).manifests))

    def rolled() -> bool:
        now = {pod["metadata"]["name"]: pod for pod in pods(node, namespace)}
        return POD in now and now[POD]["metadata"]["uid"] != before[POD] and is_ready(now[POD])

    wait_until(rolled, "the new pod")
    line = start_line(node, namespace, POD)
    assert line
    assert (line["env"]["RUST_LOG"], line["env"]["MINE"]) == ("debug", "new")
    after = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods(node, namespace)}
    assert {name for name in after if name in before} == before.keys(), "the dashboard stays"
