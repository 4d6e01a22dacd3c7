"""A node that loses its power: all processes of its pods, its container runtime and its kubelet end at one moment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.pods.conftest import IMAGES
from tests.support.node import CONTEXT, Node, missing_for_a_node, running_node
from tests.support.pods import lines, log, pods, start, wait_for_pods, wait_until

POD = "convex-backend-0"
OVERLAY = """
s3: {enabled: false}
backend: {persistence: {enabled: true, size: 1Gi, storageClassName: ""}}
"""
LOSE_POWER = r"""
set -eu
cd "$(readlink "/proc/$(pgrep -o -x kubelet)/cwd")"
for part in containerd kubelet; do
  of=/proc/$(pgrep -o -x "$part")
  { printf '#!/bin/bash\nexec env -i'; xargs -0 -a "$of/environ" printf ' %q'; xargs -0 -a "$of/cmdline" printf ' %q'
  } > "/run/again-$part"
  chmod +x "/run/again-$part"
done
pkill -KILL -x kubelet
pkill -KILL -x containerd
for shim in $(pgrep -x containerd-shim); do
  pkill -KILL -P "$shim" || true
  kill -KILL "$shim" || true
done
while pgrep -x containerd-shim; do sleep 0.1; done
"""
POWER_ON = """
cd "$NODE_DIR"
rm -f /run/containerd/containerd.sock
setsid /run/again-containerd >> /var/log/containerd.log 2>&1 < /dev/null &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
setsid /run/again-kubelet >> /var/log/kubelet.log 2>&1 < /dev/null &
"""


@pytest.fixture
def own_node() -> Iterator[Node]:
    """A node that no other test uses."""
    if reason := missing_for_a_node():
        pytest.skip(reason)
    if CONTEXT in os.environ:
        pytest.skip("stops its node, which is not for the cluster of another's context")
    with running_node(IMAGES, f"restart-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}") as running:
        yield running


def test_data_and_instance_secret_outlive_a_restart_of_the_node(own_node: Node) -> None:
    node = own_node
    namespace = node.namespace()
    start(node, namespace, OVERLAY, "convex-backend")
    before, (pod,) = lines(node, namespace, POD)[0], pods(node, namespace, app="convex-backend")
    node.tool("in", "bash", "-c", LOSE_POWER)
    node.tool("in", "bash", "-c", POWER_ON)

    def started_again() -> bool:
        found = log(node, namespace, POD)
        return bool(found) and found[0]["starts"] == before["starts"] + 1

    wait_until(started_again, "the next start on the same volume")
    wait_for_pods(node, namespace, "convex-backend")
    after, (now,) = lines(node, namespace, POD)[0], pods(node, namespace, app="convex-backend")
    assert after["args"] == before["args"], "the instance secret among them"
    assert now["metadata"]["uid"] == pod["metadata"]["uid"], "the same pod: nobody had to delete it"
