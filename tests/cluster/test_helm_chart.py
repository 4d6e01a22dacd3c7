"""Releases of the Helm chart on a real API server, and how their fields are handed over to `kubectl apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.control_plane import ControlPlane, missing_programs
from tests.support.helm_chart import EXAMPLE_VALUES, PORT_FORWARD_VALUES, SECRETS, install, manifest

pytestmark = pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))

RELEASE = "mine"
WAYS = [pytest.param(True, id="server-side"), pytest.param(False, id="client-side")]
VALUES = [pytest.param(EXAMPLE_VALUES, id="example"), pytest.param(PORT_FORWARD_VALUES, id="port-forward")]
ALWAYS = {
    f"ConfigMap/{RELEASE}-config",
    f"Service/{RELEASE}-backend-svc",
    f"Service/{RELEASE}-backend-headless",
    f"Service/{RELEASE}-dashboard-svc",
    f"StatefulSet/{RELEASE}-backend",
    f"Deployment/{RELEASE}-dashboard",
}
FURTHER = {
    EXAMPLE_VALUES: {f"Ingress/{RELEASE}-ingress"},
    PORT_FORWARD_VALUES: {f"PersistentVolumeClaim/{RELEASE}-backend-pvc"},
}
"""Names that the chart gives, by values."""


@pytest.mark.parametrize("server_side", WAYS)
@pytest.mark.parametrize("values", VALUES)
def test_it_installs(cluster: ControlPlane, namespace: str, values: Path, server_side: bool) -> None:
    install(cluster, namespace, RELEASE, values, server_side=server_side)
    objects = list(yaml.safe_load_all(manifest(cluster, namespace, RELEASE)))
    assert {name(thing) for thing in objects} == ALWAYS | FURTHER[values]
    for thing in objects:
        metadata = cluster.object(namespace, thing["kind"], thing["metadata"]["name"])["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert metadata["annotations"]["meta.helm.sh/release-name"] == RELEASE
    get = ("get", "configmap", f"{RELEASE}-config", "--namespace", namespace, "--show-managed-fields", "--output=json")
    owners = json.loads(cluster.kubectl(*get).stdout)["metadata"]["managedFields"]
    assert {owner["operation"] for owner in owners} == {"Apply" if server_side else "Update"}
    secrets = {secret["metadata"]["name"]: secret["type"] for secret in cluster.objects(namespace, "secrets")}
    assert secrets == {**dict.fromkeys(SECRETS, "Opaque"), f"sh.helm.release.v1.{RELEASE}.v1": "helm.sh/release.v1"}


def test_it_has_the_charts_faults(cluster: ControlPlane, namespace: str) -> None:
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=True)
    data = cluster.object(namespace, "configmap", f"{RELEASE}-config")["data"]
    assert data["DO_NOT_REQUIRE_SSL"] == "false"
    assert data["AWS_ENDPOINT_URL_S3"] == "true"
    assert data["CONVEX_SITE_ORIGIN"] == "https://convex-dashboard.example.com"
    assert "volumes" not in backend(cluster, namespace)["spec"]["template"]["spec"]


@pytest.mark.parametrize("server_side", WAYS)
def test_what_helm_had_and_we_have_not_stays_under_a_plain_apply(
    cluster: ControlPlane, namespace: str, server_side: bool
) -> None:
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=server_side)
    apply(cluster, namespace, config())
    assert "AWS_ENDPOINT_URL_S3" in cluster.object(namespace, "configmap", f"{RELEASE}-config")["data"]
    refused = apply(cluster, namespace, stateful_set(), check=False)
    assert "may not be specified when `value` is not empty" in refused


@pytest.mark.parametrize("server_side", WAYS)
def test_after_the_fields_are_handed_over_it_goes_and_nothing_else(
    cluster: ControlPlane, namespace: str, server_side: bool
) -> None:
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=server_side)
    before = {name(thing): thing["metadata"]["uid"] for thing in everything(cluster, namespace)}
    cluster.kubectl("label", "statefulset", f"{RELEASE}-backend", "team=mine", "--namespace", namespace)
    hand_over = ("apply", "set-last-applied", "--create-annotation", "--namespace", namespace, "--filename=-")
    cluster.kubectl(*hand_over, input=manifest(cluster, namespace, RELEASE))
    apply(cluster, namespace, config(), stateful_set())
    cluster.make_ready(namespace)

    assert cluster.object(namespace, "configmap", f"{RELEASE}-config")["data"] == config()["data"]
    workload = backend(cluster, namespace)
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "AWS_REGION", "value": "eu-central-1"}]
    assert container["envFrom"] == [{"configMapRef": {"name": f"{RELEASE}-config"}}]
    assert workload["metadata"]["labels"]["team"] == "mine"
    assert {name(thing): thing["metadata"]["uid"] for thing in everything(cluster, namespace)} == before


def config() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{RELEASE}-config"},
        "data": {"CONVEX_CLOUD_ORIGIN": "https://api.example.com"},
    }


def stateful_set() -> dict[str, Any]:
    """The chart's, with one variable that becomes a plain value and all others gone."""
    labels = {"app": f"{RELEASE}-backend"}
    container = {
        "name": "convex-backend",
        "image": "ghcr.io/get-convex/convex-backend:latest",
        "env": [{"name": "AWS_REGION", "value": "eu-central-1"}],
        "envFrom": [{"configMapRef": {"name": f"{RELEASE}-config"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": f"{RELEASE}-backend", "labels": labels},
        "spec": {
            "serviceName": f"{RELEASE}-backend-headless",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def apply(cluster: ControlPlane, namespace: str, *manifests: dict[str, Any], check: bool = True) -> str:
    stream = "\n---\n".join(map(json.dumps, manifests))
    return cluster.kubectl("apply", "--namespace", namespace, "--filename=-", input=stream, check=check).stderr


def backend(cluster: ControlPlane, namespace: str) -> dict[str, Any]:
    return cluster.object(namespace, "statefulset", f"{RELEASE}-backend")


def everything(cluster: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    kinds = ("configmaps", "secrets", "services", "statefulsets", "deployments", "ingresses", "persistentvolumeclaims")
    return cluster.objects(namespace, *kinds)


def name(thing: dict[str, Any]) -> str:
    return f"{thing['kind']}/{thing['metadata']['name']}"
