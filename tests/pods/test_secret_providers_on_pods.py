"""Each way to the Secrets, with the real controllers: from nothing to a backend that is ready."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from convexctl.secrets.admin_key import open_admin_key
from tests.support.command_line import program
from tests.support.node import DATABASE, Node
from tests.support.pods import lines, start, wait_for_pods, wait_until

OVERLAY = """\
releaseName: shop
namespace: {namespace}
s3: {{enabled: false}}
backend: {{resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}, terminationGracePeriodSeconds: 10}}
dashboard: {{resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}}}
"""
POSTGRES = "postgres: {{enabled: true, existingSecret: database}}\n"
URL = f"postgresql://shop:on-the-node@{DATABASE}"


def secret(node: Node, namespace: str, name: str) -> dict[str, str]:
    data = node.object(namespace, "secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def flag(node: Node, namespace: str, name: str) -> str:
    words = lines(node, namespace, "shop-backend-0")[0]["args"]
    return str(words[words.index(name) + 1])


def test_the_bootstrap_job_makes_it_in_the_cluster(stand_in: Node, namespace: str) -> None:
    overlay = OVERLAY.format(namespace=namespace) + "instance: {name: shop}\nsecrets: {provider: bootstrap}\n"
    start(stand_in, namespace, overlay, "shop-backend")
    made = secret(stand_in, namespace, "shop-instance")
    assert flag(stand_in, namespace, "--instance-secret") == made["INSTANCE_SECRET"]
    assert open_admin_key(made["CONVEX_SELF_HOSTED_ADMIN_KEY"], "shop", made["INSTANCE_SECRET"])


def test_sealed_secrets(operators: Callable[..., Node], namespace: str, tmp_path: Path) -> None:
    """Sealed by the key of the controller itself, which is asked for it."""
    node = operators("sealed-secrets")
    kubectl = {name: node.environment[name] for name in ("KUBECONFIG", "PATH")}
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    text = (OVERLAY + POSTGRES).format(namespace=namespace) + "secrets: {provider: sealed-secrets}\n"
    (overlays / "test.yaml").write_text(text)
    values = {"POSTGRES_URL": URL, "INSTANCE_NAME": "shop"}
    sealed = program("secrets", "test", "--overlays", overlays, "--seal", environment={**kubectl, **values})
    assert sealed.code == 0, sealed.stderr
    assert program("synth", "--overlays", overlays, "-o", tmp_path / "dist").code == 0
    assert URL not in (tmp_path / "dist" / "test" / "convex.k8s.yaml").read_text()
    node.kubectl("apply", "--filename", tmp_path / "dist" / "test")
    wait_for_pods(node, namespace, "shop-backend")
    made = secret(node, namespace, "database")
    assert made["DATABASE_URL"] == URL
    assert flag(node, namespace, "--instance-secret") == made["INSTANCE_SECRET"]


def test_external_secrets(operators: Callable[..., Node], namespace: str) -> None:
    node = operators("external-secrets")
    store = f"store-{namespace}"
    values = {"DATABASE_URL": URL, "INSTANCE_NAME": "shop", "INSTANCE_SECRET": "5e" * 32}
    provider = {"fake": {"data": [{"key": "database", "value": json.dumps(values)}]}}
    spec = {"metadata": {"name": store}, "spec": {"provider": provider}}
    node.create("external-secrets.io/v1", "ClusterSecretStore", spec)
    external = f"secrets: {{provider: external-secrets, externalSecrets: {{storeName: {store}}}}}\n"
    start(node, namespace, (OVERLAY + POSTGRES).format(namespace=namespace) + external, "shop-backend")
    assert secret(node, namespace, "database") == values
    assert flag(node, namespace, "--instance-secret") == values["INSTANCE_SECRET"]
    assert URL in lines(node, namespace, "shop-backend-0")[0]["args"]


def test_flux_applies_what_is_committed_and_prunes_what_is_gone(
    operators: Callable[..., Node], namespace: str, tmp_path: Path
) -> None:
    node = operators("git", "source-controller", "kustomize-controller")
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    volume = "backend: {{persistence: {{enabled: true, storageClassName: '', size: 1Gi}}, "
    text = OVERLAY.replace("backend: {{", volume).format(namespace=namespace)
    edge = "ingress: {enabled: true, dashboard: {host: d.acme.io}, backend: {host: a.acme.io}}\n"

    def commit(overlay: str) -> None:
        (overlays / "test.yaml").write_text(overlay)
        done = program("synth", "--overlays", overlays, "-o", tmp_path / "dist", "--allow-irreversible")
        assert done.code == 0, done.stderr
        node.operators("git", namespace, tmp_path / "dist")

    commit(text + edge)
    where = {"metadata": {"name": "convex", "namespace": namespace}}
    source = {"url": f"http://172.30.0.2:7080/{namespace}.git", "interval": "3s", "ref": {"branch": "main"}}
    node.create("source.toolkit.fluxcd.io/v1", "GitRepository", {**where, "spec": source})
    reference = {"kind": "GitRepository", "name": "convex"}
    kustomization = {"sourceRef": reference, "path": "./test", "prune": True, "interval": "1m", "wait": True}
    node.create("kustomize.toolkit.fluxcd.io/v1", "Kustomization", {**where, "spec": kustomization})
    wait_for_pods(node, namespace, "shop-backend", "shop-dashboard")
    assert len(node.objects(namespace, "ingresses")) == 1

    commit(text)
    wait_until(lambda: node.objects(namespace, "ingresses") == [], "the Ingress pruned")
    wait_for_pods(node, namespace, "shop-backend")

    node.kubectl("delete", "kustomizations.kustomize.toolkit.fluxcd.io", "convex", "--namespace", namespace)
    wait_until(lambda: node.objects(namespace, "statefulsets", "deployments") == [], "everything pruned")
    (claim,) = node.objects(namespace, "persistentvolumeclaims")
    assert claim["metadata"]["name"] == "data-shop-backend-0"
