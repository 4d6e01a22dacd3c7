"""Releases of a Helm chart of the same shape as the one that users come from, with its faults."""

from __future__ import annotations

from pathlib import Path

from tests.support.control_plane import ControlPlane

DATA = Path(__file__).resolve().parents[1] / "data"
CHART = DATA / "helm-chart"
EXAMPLE_VALUES = DATA / "chart-example-values.yaml"
"""The chart's own example: Ingress, Postgres, S3."""
PORT_FORWARD_VALUES = DATA / "chart-port-forward-values.yaml"
"""No Ingress, no database, and the volume that the chart makes and does not mount."""

SECRETS = {
    "convex-s3-credentials": {
        "AWS_ACCESS_KEY_ID": "example-key",
        "AWS_SECRET_ACCESS_KEY": "example-secret-key",
        "AWS_S3_ENDPOINT": "https://s3.example.com",
        "AWS_S3_REGION": "eu-central-1",
    },
    "convex-postgres-secret": {
        "DATABASE_URL": "postgresql://convex:example-password@postgres.example.com:5432",
        "INSTANCE_NAME": "convex-example",
        "INSTANCE_SECRET": "5e" * 32,
    },
    "convex-secrets": {"CONVEX_SELF_HOSTED_ADMIN_KEY": "convex-example|01example"},
}
"""The Secrets that a user of the chart has made, with the keys that its templates ask for, by name, then key."""


def make_secrets(cluster: ControlPlane, namespace: str) -> None:
    """Make the Secrets as a user of the chart does."""
    for name, data in SECRETS.items():
        cluster.create("v1", "Secret", {"metadata": {"name": name}, "stringData": data}, namespace)


def install(cluster: ControlPlane, namespace: str, release: str, values: Path, *, server_side: bool) -> None:
    """Make the Secrets, and install a release as Helm 4 does (`server_side`) or as Helm 3 does, up to ready pods."""
    make_secrets(cluster, namespace)
    way = f"--server-side={'true' if server_side else 'false'}"
    cluster.helm("install", release, CHART, "--values", values, way, "--namespace", namespace)
    cluster.make_ready(namespace)


def manifest(cluster: ControlPlane, namespace: str, release: str) -> str:
    """What Helm says that it installed."""
    return cluster.helm("get", "manifest", release, "--namespace", namespace).stdout
