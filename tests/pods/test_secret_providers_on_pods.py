"""Each way to the Secrets, with the real controllers: from nothing to a backend that is ready."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from convexctl.secrets.admin_key import open_admin_key
from tests.support.command_line import program
from tests.support.node import DATABASE, Node
from tests.support.overlay_cases import ROOT
from tests.support.pods import lines, start, wait_for_pods, wait_until

OVERLAY = """\
releaseName: shop
namespace: {namespace}
s3: {{enabled: false}}
backend:
  probes: {{startup: {{periodSeconds: 1}}}}
  resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}
  terminationGracePeriodSeconds: 10
dashboard: {{enabled: false}}
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


EXAMPLES = ROOT / "docs" / "examples" / "flux"
EDGE = "ingress: {enabled: true, dashboard: {host: d.acme.io}, backend: {host: a.acme.io}}\n"


def example(name: str, namespace: str, **spec: object) -> dict[str, Any]:
    """An object of docs/gitops.md in this namespace, with other values of its spec."""
    found = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return {"metadata": {**found["metadata"], "namespace": namespace}, "spec": {**found["spec"], **spec}}


def test_flux_applies_dist_local_and_prunes_what_is_gone(
    operators: Callable[..., Node], namespace: str, tmp_path: Path
) -> None:
    """The objects are those of docs/gitops.md, with another address and shorter intervals."""
    node = operators("git", "source-controller", "kustomize-controller")
    (tmp_path / "edge.yaml").write_text(EDGE)

    def commit(*options: object) -> None:
        words = ("synth", "local", "--overlays", ROOT / "tests/data/samples", "-o", tmp_path / "git" / "dist", *options)
        done = program(*words)
        assert done.code == 0, done.stderr
        node.operators("git", namespace, tmp_path / "git")

    commit("-f", tmp_path / "edge.yaml")
    url = f"http://172.30.0.2:7080/{namespace}.git"
    node.create("source.toolkit.fluxcd.io/v1", "GitRepository", example("source", namespace, url=url, interval="3s"))
    ours = example("production", namespace, path="./dist/local", targetNamespace=namespace, retryInterval="5s")
    node.create("kustomize.toolkit.fluxcd.io/v1", "Kustomization", ours)
    wait_for_pods(node, namespace, "convex-local-backend", "convex-local-dashboard")
    assert len(node.objects(namespace, "ingresses")) == 1

    node.kubectl("scale", "deployment/convex-local-dashboard", "--replicas=0", "--namespace", namespace)
    commit()
    wait_until(lambda: node.objects(namespace, "ingresses") == [], "the Ingress pruned")
    wait_for_pods(node, namespace, "convex-local-backend", "convex-local-dashboard")
    assert node.object(namespace, "deployment", "convex-local-dashboard")["spec"]["replicas"] == 1

    name = f"kustomizations.kustomize.toolkit.fluxcd.io/{ours['metadata']['name']}"
    node.kubectl("delete", name, "--namespace", namespace)
    wait_until(lambda: node.objects(namespace, "statefulsets", "deployments") == [], "everything pruned")
    (claim,) = node.objects(namespace, "persistentvolumeclaims")
    assert claim["metadata"]["name"] == "data-convex-local-backend-0"
