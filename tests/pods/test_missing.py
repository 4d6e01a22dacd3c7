"""What is missing: the state that a real pod shows is what `preflight` says beforehand, and the remedy starts it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.api_client import Object
from tests.support.command_line import program
from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import apply, light, pods, reasons, wait_for_pods, wait_until

SECRET = base64.b64encode(b"0" * 64).decode()


@dataclass(frozen=True)
class Missing:
    """An overlay, what preflight says, what the pod shows, and what starts it."""

    overlay: str
    preflight: tuple[str, str]
    shown: str
    remedy: Callable[[str], list[Object]]
    before: Callable[[str], list[Object]] = lambda _: []
    app: str = "convex-backend"


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def config_map(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"MINE": "1"}}


def claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


CASES = {
    "Secret": Missing(
        "{instance: {existingSecret: mine}, s3: {enabled: false}}",
        ("secret mine", "there is none of that name"),
        'CreateContainerConfigError: secret "mine" not found',
        lambda _: [secret("mine", INSTANCE_SECRET=SECRET)],
    ),
    "key": Missing(
        "{instance: {existingSecret: mine}, s3: {enabled: false}}",
        ("secret mine", "it has no key INSTANCE_SECRET"),
        "CreateContainerConfigError: couldn't find key INSTANCE_SECRET in Secret",
        lambda _: [secret("mine", INSTANCE_SECRET=SECRET)],
        lambda _: [secret("mine", OTHER=SECRET)],
    ),
    "ConfigMap": Missing(
        "{backend: {envFrom: [{configMapRef: {name: settings}}]}, s3: {enabled: false}}",
        ("config map settings", "there is none of that name, and without it its container is not started"),
        'CreateContainerConfigError: configmap "settings" not found',
        lambda _: [config_map("settings")],
    ),
    "claim": Missing(
        "{backend: {persistence: {enabled: true, existingClaim: old}}, s3: {enabled: false}}",
        ("volume claim old", "there is none of that name, and without it the pod is not scheduled"),
        'persistentvolumeclaim "old" not found',
        lambda _: [claim("old")],
    ),
    "storage class": Missing(
        "{backend: {persistence: {enabled: true, storageClassName: gone}}, s3: {enabled: false}}",
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


@pytest.mark.parametrize("missing", CASES.values(), ids=CASES)
def test_preflight_says_it_before_and_the_remedy_starts_the_pod(
    stand_in: Node, namespace: str, tmp_path: Path, missing: Missing
) -> None:
    node = stand_in
    (tmp_path / "test.yaml").write_text(missing.overlay)
    before = missing.before(namespace)
    if before:
        apply(node, namespace, before)
    where = ("preflight", "test", "--overlays", tmp_path, "-n", namespace)
    kubectl = {name: node.environment[name] for name in ("KUBECONFIG", "PATH")}
    said = program(*where, environment=kubectl)
    title, detail = missing.preflight
    assert said.code == 1
    (line,) = [line for line in said.stdout.splitlines() if title in line and detail in line]
    assert line

    apply(node, namespace, light(environment_of(missing.overlay).manifests))

    def shows() -> bool:
        found = pods(node, namespace, app=missing.app)
        return bool(found) and missing.shown in reasons(found[0])

    wait_until(shows, missing.shown)
    apply(node, namespace, missing.remedy(namespace))
    wait_for_pods(node, namespace, missing.app)
    again = program(*where, environment=kubectl)
    assert not [line for line in again.stdout.splitlines() if detail in line]


def test_an_image_that_nobody_has(stand_in: Node, namespace: str) -> None:
    overlay = "{s3: {enabled: false}, backend: {image: {tag: " + "f" * 40 + "}}}"
    apply(stand_in, namespace, light(environment_of(overlay).manifests))

    def shows() -> bool:
        found = pods(stand_in, namespace, app="convex-backend")
        return bool(found) and "ErrImagePull" in reasons(found[0])

    wait_until(shows, "ErrImagePull")
