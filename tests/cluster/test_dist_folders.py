"""The folders in `dist/` under the commands that users type: apply, with and without kustomize, diff and delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convexctl.synth.environment import NAMESPACE
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.deployment import key, kinds, make_prerequisites, write_files
from tests.support.overlay_cases import Case, case

SAMPLES = [case("local"), case("production")]
SECRETS = ("convex-postgres-secret", "convex-s3-credentials", "convex-secrets")


@pytest.mark.parametrize("option", ["--filename", "--kustomize"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_folder_applies_and_a_second_time_changes_nothing(
    cluster: ControlPlane, namespace: str, tmp_path: Path, sample: Case, option: str
) -> None:
    folder = write_files(sample.environment(), tmp_path / "dist")
    applied = cluster.kubectl("apply", "--namespace", namespace, option, folder)
    assert applied.stderr == ""
    cluster.make_ready(namespace)
    assert cluster.kubectl("diff", "--namespace", namespace, option, folder).stdout == ""
    before = cluster.objects(namespace, *kinds(sample.environment().manifests))
    cluster.kubectl("apply", "--namespace", namespace, option, folder)
    assert cluster.objects(namespace, *kinds(sample.environment().manifests)) == before


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_folder_is_the_base_of_a_kustomize_overlay(
    cluster: ControlPlane, namespace: str, tmp_path: Path, sample: Case
) -> None:
    write_files(sample.environment(), tmp_path / "base")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "kustomization.yaml").write_text(
        f"""
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources: [../base]
images: [{{name: ghcr.io/get-convex/convex-backend, newTag: own}}]
patches:
  - target: {{kind: Deployment}}
    patch: '[{{"op": "replace", "path": "/spec/replicas", "value": 2}}]'
"""
    )
    cluster.kubectl("apply", "--kustomize", tmp_path / "own")
    cluster.make_ready(namespace)
    images = {
        pod["metadata"]["labels"]["app"]: pod["spec"]["containers"][0]["image"] for pod in pods(cluster, namespace)
    }
    assert images[f"{sample.overlay().values.release_name}-backend"] == "ghcr.io/get-convex/convex-backend:own"
    assert len(pods(cluster, namespace)) == 3


@pytest.mark.parametrize("option", ["--filename", "--kustomize"])
@pytest.mark.parametrize("name", ["local", "production", "persistence-existing-claim", "namespace-created"])
def test_delete_takes_the_objects_and_leaves_secrets_claims_and_the_namespace(
    cluster: ControlPlane, tmp_path: Path, name: str, option: str
) -> None:
    environment = case(name).environment()
    folder = write_files(environment, tmp_path / name)
    if environment.overlay.values.create_namespace:
        namespace = environment.overlay.values.namespace
        cluster.delete_namespace(namespace)
        cluster.kubectl("apply", "--filename", folder / NAMESPACE)
        cluster.wait_for_namespace(namespace)
    else:
        namespace = cluster.namespace()
    where = ("--namespace", namespace)
    make_prerequisites(cluster, namespace, environment.manifests)
    for secret in SECRETS:
        cluster.kubectl("create", "secret", "generic", secret, "--from-literal=KEY=value", *where)
    cluster.kubectl("apply", *where, option, folder)
    cluster.make_ready(namespace)
    before = kept(cluster, namespace)

    cluster.kubectl("delete", *where, option, folder)

    names = {key(manifest) for manifest in environment.manifests}
    assert names.isdisjoint(map(key, cluster.objects(namespace, *kinds(environment.manifests))))
    after = kept(cluster, namespace)
    assert after == before
    assert [name for name in after if name.startswith("Secret/")] == [f"Secret/{name}" for name in sorted(SECRETS)]
    claims = [name for name in after if name.startswith("PersistentVolumeClaim/")]
    assert len(claims) == int(environment.overlay.values.backend.persistence.enabled)


def pods(cluster: ControlPlane, namespace: str) -> list[Object]:
    return cluster.objects(namespace, "pods")


def kept(cluster: ControlPlane, namespace: str) -> dict[str, str]:
    """What nobody but the user is to delete and is not about to go: the namespace, Secrets and claims, by name."""
    space: Object = json.loads(cluster.kubectl("get", "namespace", namespace, "--output=json").stdout)
    return {
        key(thing): thing["metadata"]["uid"]
        for thing in (space, *cluster.objects(namespace, "persistentvolumeclaims", "secrets"))
        if "deletionTimestamp" not in thing["metadata"]
    }
