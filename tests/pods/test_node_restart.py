"""Nodes that stop: one loses its power, so that all its processes end at one moment; one is shut down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pods.conftest import IMAGES
from tests.support.api_client import Object
from tests.support.node import CONTEXT, Node, missing_for_a_node, running_node
from tests.support.pods import events, following, get_by_proxy, lines, log, pods, start, wait_for_pods, wait_until

if TYPE_CHECKING:
    from tests.support.logind import Logind

POD = "convex-backend-0"
OVERLAY = """
s3: {enabled: false}
dashboard: {enabled: false}
backend: {persistence: {enabled: true, size: 1Gi, storageClassName: ""}}
"""
REMEMBER = r"""
set -eu
cd "$(readlink "/proc/$(pgrep -o -x kubelet)/cwd")"
for part in containerd kubelet; do
  of=/proc/$(pgrep -o -x "$part")
  { printf '#!/bin/bash\nexec env -i'; xargs -0 -a "$of/environ" printf ' %q'; xargs -0 -a "$of/cmdline" printf ' %q'
  } > "/run/again-$part"
  chmod +x "/run/again-$part"
done
"""
START_KUBELET = """
cd "$NODE_DIR"
setsid /run/again-kubelet >> /var/log/kubelet.log 2>&1 < /dev/null &
"""
RESTART_KUBELET = f"""
{REMEMBER}
sed -i "2s|exec env -i|& DBUS_SYSTEM_BUS_ADDRESS=$1|; 2s|\\$| --config-dir=$2|" /run/again-kubelet
pkill -KILL -x kubelet
while pgrep -x kubelet; do sleep 0.1; done
{START_KUBELET}
"""
LOSE_POWER = f"""
{REMEMBER}
pkill -KILL -x kubelet
pkill -KILL -x containerd
for shim in $(pgrep -x containerd-shim); do
  pkill -KILL -P "$shim" || true
  kill -KILL "$shim" || true
done
while pgrep -x containerd-shim; do sleep 0.1; done
"""
POWER_ON = f"""
cd "$NODE_DIR"
rm -f /run/containerd/containerd.sock
setsid /run/again-containerd >> /var/log/containerd.log 2>&1 < /dev/null &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
{START_KUBELET}
"""
IS_ASKED = 'grep -q ":0C8A [0-9A-F]*:[0-9A-F]* 01" "/proc/$(pgrep -o -x convex-local-ba)/net/tcp"'
"""Whether the backend has a connection at its port 3210."""
SHUTDOWN = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
shutdownGracePeriod: 40s
shutdownGracePeriodCriticalPods: 10s
"""


@dataclass(frozen=True)
class Machine:
    """A node that no other test uses, with an environment on it."""

    node: Node
    namespace: str

    def run(self, script: str, *arguments: object) -> bool:
        """Run a script on it, and tell whether it succeeded."""
        return self.node.tool("in", "bash", "-c", script, "bash", *arguments, check=False).returncode == 0

    def backend(self) -> tuple[Object, Object]:
        """The backend's pod and its first line, once it is ready."""
        wait_for_pods(self.node, self.namespace, "convex-backend")
        (pod,) = pods(self.node, self.namespace, app="convex-backend")
        return pod, lines(self.node, self.namespace, POD)[0]

    def backend_after(self, line: Object) -> tuple[Object, Object]:
        """The same after the next start on the volume."""

        def started_again() -> bool:
            found = log(self.node, self.namespace, POD)
            return bool(found) and found[0]["starts"] == line["starts"] + 1

        wait_until(started_again, "the next start on the same volume")
        return self.backend()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A node of this file's own with a backend on it."""
    if reason := missing_for_a_node():
        pytest.skip(reason)
    if CONTEXT in os.environ:
        pytest.skip("stops its node, which is not for the cluster of another's context")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with running_node(IMAGES, f"restart-{worker}", programs="") as node:
        namespace = node.namespace()
        start(node, namespace, OVERLAY, "convex-backend")
        yield Machine(node, namespace)


@pytest.fixture
def announcer() -> Iterator[Logind]:
    """Who announces a shutdown of the machine."""
    module = pytest.importorskip("tests.support.logind", reason="needs jeepney: pip install -r requirements-dev.txt")
    if reason := module.missing_for_logind():
        pytest.skip(reason)
    with module.logind() as running:
        yield running


def test_data_and_instance_secret_outlive_a_loss_of_power(machine: Machine) -> None:
    pod, before = machine.backend()
    assert machine.run(LOSE_POWER)
    assert machine.run(POWER_ON)
    now, after = machine.backend_after(before)
    assert after["args"] == before["args"], "the instance secret among them"
    assert now["metadata"]["uid"] == pod["metadata"]["uid"], "the same pod: nobody had to delete it"


def test_a_shutdown_of_the_node_is_a_clean_stop(machine: Machine, announcer: Logind, tmp_path: Path) -> None:
    node, namespace = machine.node, machine.namespace
    pod, before = machine.backend()
    be_told_of_shutdowns(machine, announcer)
    with ThreadPoolExecutor(1) as pool, following(node, namespace, POD) as follower:
        answer = pool.submit(get_by_proxy, node, namespace, POD, "/standin/sleep/5")
        wait_until(lambda: machine.run(IS_ASKED), "the request at the backend")
        with states(node, namespace, tmp_path / "states") as file:
            announcer.shut_down()
            # Kubernetes calls a pod so that ended by itself. One that it had to kill is `Failed Terminated`.
            wait_until(lambda: f"{pod['metadata']['uid']} Succeeded" in file.read_text(), "the end of the pod")
        assert answer.result() == "slept\n"
        said, _ = follower.communicate(timeout=60)
    assert '{"signal": 2, "draining": 1}' in said
    assert said.rstrip().endswith('{"stopped": "clean"}')
    assert [event for event in events(node, namespace) if event.startswith("FailedPreStopHook")] == []

    assert machine.run(LOSE_POWER)
    assert machine.run(POWER_ON)
    now, after = machine.backend_after(before)
    assert after["args"] == before["args"], "the instance secret among them"
    assert now["metadata"]["uid"] != pod["metadata"]["uid"], "its controller has replaced the pod"


def be_told_of_shutdowns(machine: Machine, announcer: Logind) -> None:
    """Let the kubelet delay shutdowns, and wait until it does and knows its pods again."""
    assert machine.node.home
    folder = machine.node.home / "kubelet.d"
    folder.mkdir()
    (folder / "10-shutdown.conf").write_text(SHUTDOWN)
    assert machine.run(RESTART_KUBELET, announcer.address, folder)
    announcer.wait_for_an_inhibitor()

    def knows_the_pod() -> bool:
        found = json.loads(machine.node.read("/api/v1/nodes/node-1/proxy/pods"))
        return POD in [pod["metadata"]["name"] for pod in found.get("items") or []]

    wait_until(knows_the_pod, "the pod, known to the kubelet")
    machine.backend()


@contextmanager
def states(node: Node, namespace: str, file: Path) -> Iterator[Path]:
    """A file with each state that the backend's pod has meanwhile: `uid phase reason`."""
    what = "--output=jsonpath={.metadata.uid} {.status.phase} {.status.reason}{'\\n'}"
    command = [str(node.assets / "kubectl"), "get", "pod", POD, "--watch", "--namespace", namespace, what]
    with file.open("w") as out, subprocess.Popen(command, env=node.environment, stdout=out) as process:
        try:
            wait_until(lambda: bool(file.read_text()), "the state of the pod")
            yield file
        finally:
            process.kill()
