"""What is missing: the state that a real pod shows is what `preflight` says beforehand, and the remedy starts it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.api_client import Object
from tests.support.command_line import Done, program
from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import PATIENCE_S, apply, light, pods, reasons, wait_for_pods, wait_until

ALONE = "\ns3: {enabled: false}\ndashboard: {enabled: false}\n"
"""The rest of each overlay: a backend alone."""
SECRET = base64.b64encode(b"0" * 64).decode()


@dataclass(frozen=True)
class Missing:
    """An overlay, what preflight says, what the pod shows, and what starts it."""

    overlay: str
    preflight: tuple[str, str]
    shown: str
    remedy: Callable[[str], list[Object]]
    before: Callable[[str], list[Object]] = lambda _: []


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def config_map(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"MINE": "1"}}


def claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


CASES = {
    "Secret": Missing(
        "instance: {existingSecret: mine}",
        ("secret mine", "there is none of that name"),
        'CreateContainerConfigError: secret "mine" not found',
        lambda _: [secret("mine", INSTANCE_SECRET=SECRET)],
    ),
    "key": Missing(
        "instance: {existingSecret: mine}",
        ("secret mine", "it has no key INSTANCE_SECRET"),
        "CreateContainerConfigError: couldn't find key INSTANCE_SECRET in Secret",
        lambda _: [secret("mine", INSTANCE_SECRET=SECRET)],
        lambda _: [secret("mine", OTHER=SECRET)],
    ),
    "ConfigMap": Missing(
        "backend: {envFrom: [{configMapRef: {name: settings}}]}",
        ("config map settings", "there is none of that name, and without it its container is not started"),
        'CreateContainerConfigError: configmap "settings" not found',
        lambda _: [config_map("settings")],
    ),
    "claim": Missing(
        "backend: {persistence: {enabled: true, existingClaim: old}}",
        ("volume claim old", "there is none of that name, and without it the pod is not scheduled"),
        'persistentvolumeclaim "old" not found',
        lambda _: [claim("old")],
    ),
    "storage class": Missing(
        "backend: {persistence: {enabled: true, storageClassName: gone}}",
        ("storage class", "there is no class gone, and the claim would stay pending"),
        "pod has unbound immediate PersistentVolumeClaims",
        lambda _: [
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": "gone"},
                "provisioner": "node.local/folder",
            }
        ],
    ),
}


@dataclass
class Begun:
    """A case in a namespace of its own: what preflight said before anything was applied, and what the pod showed."""

    missing: Missing
    namespace: str
    overlays: Path
    said: Done
    shown: str = ""

    def look(self, node: Node) -> bool:
        """Whether the pod shows what is missing."""
        found = pods(node, self.namespace, app="convex-backend")
        self.shown = reasons(found[0]) if found else ""
        return self.missing.shown in self.shown


def preflight(node: Node, overlays: Path, namespace: str) -> Done:
    kubectl = {name: node.environment[name] for name in ("KUBECONFIG", "PATH")}
    return program("preflight", "test", "--overlays", overlays, "-n", namespace, environment=kubectl)


@pytest.fixture(scope="module")
def begun(stand_in: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Begun]]:
    """All cases, each with its remedy as soon as its pod shows what is missing. They wait together.

    The kubelet looks again at a pod that it cannot start only after ten seconds and more.
    """
    node, cases = stand_in, {}
    try:
        for name, missing in CASES.items():
            folder, namespace = tmp_path_factory.mktemp("overlays"), node.namespace()
            (folder / "test.yaml").write_text(missing.overlay + ALONE)
            if before := missing.before(namespace):
                apply(node, namespace, before)
            cases[name] = Begun(missing, namespace, folder, preflight(node, folder, namespace))
            apply(node, namespace, light(environment_of(missing.overlay + ALONE).manifests))
        waiting, deadline = list(cases.values()), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < deadline:
            for case in [case for case in waiting if case.look(node)]:
                apply(node, case.namespace, case.missing.remedy(case.namespace))
                waiting.remove(case)
            time.sleep(0.3)
        yield cases
    finally:
        for case in cases.values():
            node.forget(case.namespace)


@pytest.mark.parametrize("name", CASES)
def test_preflight_says_it_before_and_the_remedy_starts_the_pod(
    stand_in: Node, begun: dict[str, Begun], name: str
) -> None:
    case = begun[name]
    title, detail = case.missing.preflight
    assert case.said.code == 1
    (line,) = [line for line in case.said.stdout.splitlines() if title in line and detail in line]
    assert line
    assert case.missing.shown in case.shown
    wait_for_pods(stand_in, case.namespace, "convex-backend")
    again = preflight(stand_in, case.overlays, case.namespace)
    assert not [line for line in again.stdout.splitlines() if detail in line]


def test_an_image_that_nobody_has(stand_in: Node, namespace: str) -> None:
    overlay = "backend: {image: {tag: " + "f" * 40 + "}}"
    apply(stand_in, namespace, light(environment_of(overlay + ALONE).manifests))

    def shows() -> bool:
        found = pods(stand_in, namespace, app="convex-backend")
        return bool(found) and "ErrImagePull" in reasons(found[0])

    wait_until(shows, "ErrImagePull")
