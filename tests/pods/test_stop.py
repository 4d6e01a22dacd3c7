"""Stops on real pods: clean whatever wants them, with requests in flight and without a warning."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.node import Node
from tests.support.pods import events, following, get_by_proxy, is_ready, lines, log, pods, start, wait_until

OVERLAY = """
s3: {enabled: false}
dashboard: {enabled: false}
backend: {persistence: {enabled: true, storageClassName: "", size: 1Gi}}
"""
POD = "convex-backend-0"
DRAIN = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s")


def delete(node: Node, namespace: str) -> None:
    node.kubectl("delete", "pod", POD, "--namespace", namespace)


def restart(node: Node, namespace: str) -> None:
    node.kubectl("rollout", "restart", "statefulset/convex-backend", "--namespace", namespace)
    node.kubectl("rollout", "status", "statefulset/convex-backend", "--namespace", namespace, "--timeout=90s")


def drain(node: Node, namespace: str) -> None:
    """Take it off its node, as an upgrade of the node does; only pods of the test's own are meant."""
    (pod,) = pods(node, namespace, app="convex-backend")
    node.kubectl("label", "pod", POD, f"drained={namespace}", "--namespace", namespace)
    options = (f"--pod-selector=drained={namespace}", *DRAIN)
    try:
        node.kubectl("drain", pod["spec"]["nodeName"], *options)
    finally:
        node.kubectl("uncordon", pod["spec"]["nodeName"])


WAYS = [delete, restart, drain]


@pytest.mark.parametrize("way", WAYS)
def test_requests_in_flight_get_their_answer_and_nobody_is_warned(
    stand_in: Node, namespace: str, way: Callable[[Node, str], None]
) -> None:
    node = stand_in
    start(node, namespace, OVERLAY, "convex-backend")
    (before,) = pods(node, namespace, app="convex-backend")
    with ThreadPoolExecutor(1) as pool, following(node, namespace, POD) as follower:
        answer = pool.submit(get_by_proxy, node, namespace, POD, "/standin/sleep/5")
        time.sleep(1)
        way(node, namespace)
        assert answer.result() == "slept\n"
        said, _ = follower.communicate(timeout=20)
    assert '{"signal": 2, "draining": 1}' in said
    assert said.rstrip().endswith('{"stopped": "clean"}')

    def again() -> bool:
        return [pod for pod in pods(node, namespace, app="convex-backend") if is_ready(pod)] not in ([], [before])

    wait_until(again, "the next pod")
    (after,) = pods(node, namespace, app="convex-backend")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert lines(node, namespace, POD)[0]["starts"] == 2, "the data of the first start is there"
    assert [event for event in events(node, namespace) if event.startswith("FailedPreStopHook")] == []


def test_a_stop_before_it_listens_ends_with_the_grace_period(stand_in: Node, namespace: str) -> None:
    """SIGINT has no handler yet, and nothing is in flight: the wait is what it costs."""
    node = stand_in
    backend = "{terminationGracePeriodSeconds: 3, env: {STANDIN_DELAY_S: 600}}"
    start(node, namespace, f"{{s3: {{enabled: false}}, dashboard: {{enabled: false}}, backend: {backend}}}")
    wait_until(lambda: bool(log(node, namespace, POD)), "the first line")
    (before,) = pods(node, namespace, app="convex-backend")
    assert before["spec"]["terminationGracePeriodSeconds"] == 3
    delete(node, namespace)

    def another() -> bool:
        found = pods(node, namespace, app="convex-backend")
        return bool(found) and found[0]["metadata"]["uid"] != before["metadata"]["uid"]

    wait_until(another, "the next pod")
