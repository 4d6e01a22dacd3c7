"""ExternalSecrets and SealedSecrets on a real API server, against the operators' real CustomResourceDefinitions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convexctl.secrets.fill import fill
from convexctl.secrets.needed import needed_secrets
from convexctl.secrets.plan import plan_secrets
from convexctl.secrets.sources import Known, Source
from convexctl.secrets.write import secret_manifests
from convexctl.synth.environment import Environment, synthesise
from convexctl.tools.kubeseal import Kubeseal
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.deployment import key as key_of
from tests.support.deployment import kinds, write_files
from tests.support.overlay_cases import overlay_of
from tests.support.sealing_key import SealingKey

POSTGRES, S3 = "convex-postgres-secret", "convex-s3-credentials"
VALUES = {
    "POSTGRES_URL": "postgresql://convex:hunter2@db.example.com:5432",
    "INSTANCE_NAME": "convex-prod",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AWS_REGION": "eu-central-1",
}

STRICT = ("apply", "--server-side", "--validate=strict", "--field-manager=test")

EXTERNAL = {
    "one remote key": "{storeName: vault}",
    "a property of another": "{storeName: vault, storeKind: SecretStore, refreshInterval: 15m, "
    "remoteKeys: {convex-postgres-secret: team/convex}}",
    "a remote key each": "{storeName: vault, refreshInterval: '0', remoteKeys: {convex-postgres-secret: "
    "{DATABASE_URL: a/b, INSTANCE_NAME: c, INSTANCE_SECRET: d}}}",
}


def applied(cluster: ControlPlane, namespace: str, environment: Environment, folder: Path) -> dict[str, Object]:
    """The objects of an environment that was applied twice, as the API server has them."""
    write_files(environment, folder)
    for _ in range(2):
        done = cluster.kubectl(*STRICT, "--namespace", namespace, "--filename", folder)
        assert done.stderr == ""
    found = cluster.objects(namespace, *kinds(environment.manifests))
    return {key_of(thing): thing for thing in found}


@pytest.mark.parametrize("options", EXTERNAL.values(), ids=EXTERNAL)
def test_external_secrets_are_taken_as_they_are(
    cluster: ControlPlane, crds: list[Path], namespace: str, tmp_path: Path, options: str
) -> None:
    overlay = overlay_of(
        "{postgres: {enabled: true, caSecret: db-ca}, s3: {provider: minio}, "
        f"secrets: {{provider: external-secrets, externalSecrets: {options}}}}}"
    )
    environment = synthesise(overlay)
    there = applied(cluster, namespace, environment, tmp_path / "dist")
    external = [manifest for manifest in environment.manifests if manifest["kind"] == "ExternalSecret"]
    assert [manifest["metadata"]["name"] for manifest in external] == [POSTGRES, S3, "db-ca"]
    for manifest in external:
        spec, target = there[key_of(manifest)]["spec"], manifest["spec"]["target"]
        assert spec["target"] == {**target, "template": {**target["template"], "mergePolicy": "Replace"}}
        for wanted, got in zip(manifest["spec"]["data"], spec["data"], strict=True):
            assert wanted["remoteRef"].items() <= got["remoteRef"].items()
            assert wanted["secretKey"] == got["secretKey"]
    made = {manifest["spec"]["target"]["name"]: manifest["spec"]["data"] for manifest in external}
    for needed in needed_secrets(environment.manifests):
        required = {reference.key for reference in needed.references if not reference.optional}
        assert required <= {item["secretKey"] for item in made.get(needed.name, [])}


def test_sealed_secrets_are_taken_as_they_are_and_hold_all_that_the_pods_need(
    cluster: ControlPlane, crds: list[Path], namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SealingKey(tmp_path)
    monkeypatch.setenv("PATH", cluster.environment["PATH"])
    overlay = overlay_of(
        f"{{namespace: {namespace}, postgres: {{enabled: true}}, secrets: {{provider: sealed-secrets}}}}"
    )
    needed = needed_secrets(synthesise(overlay).manifests)
    plan = plan_secrets(overlay.values, synthesise(overlay).manifests)
    secrets = secret_manifests(fill(plan, Known([Source("the test", VALUES)])), namespace)
    sealed = [Kubeseal(key.certificate).seal(secret) for secret in secrets]
    there = applied(cluster, namespace, synthesise(overlay, sealed), tmp_path / "dist")
    for manifest in sealed:
        assert there[key_of(manifest)]["spec"] == manifest["spec"]
        opened = json.dumps(key.secret(there[key_of(manifest)]))
        cluster.kubectl("create", "--validate=strict", "--filename=-", "--namespace", namespace, input=opened)
    made = {secret["metadata"]["name"]: secret["data"] for secret in cluster.objects(namespace, "secrets")}
    assert made.keys() == {POSTGRES, S3, "convex-secrets"}
    for secret in needed:
        assert {reference.key for reference in secret.references if not reference.optional} <= made[secret.name].keys()
