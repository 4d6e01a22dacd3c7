"""A release of the Helm chart taken over by `kubectl apply`, with its own values file as the overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.synth.environment import Environment, synthesise_all
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane, missing_programs
from tests.support.deployment import containers, key, pod_specs, write_files
from tests.support.helm_chart import CHART, EXAMPLE_VALUES, PORT_FORWARD_VALUES, SECRETS, install, manifest

pytestmark = pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))

RELEASE = "mine"
RELEASE_VALUES = f"""
releaseName: {RELEASE}
s3: {{keys: {{region: AWS_S3_REGION, endpoint: AWS_S3_ENDPOINT}}}}
"""
"""What is to be said beside a values file: the release's name, and the keys that the chart's templates ask for."""
VOLUME_VALUES = f"""
backend: {{persistence: {{existingClaim: {RELEASE}-backend-pvc}}}}
"""
CASES = [
    pytest.param(EXAMPLE_VALUES, RELEASE_VALUES, [], id="example"),
    pytest.param(PORT_FORWARD_VALUES, RELEASE_VALUES + VOLUME_VALUES, [f"{RELEASE}-backend-pvc"], id="volume"),
]
WAYS = [pytest.param(True, id="server-side"), pytest.param(False, id="client-side")]
NO_OWNER = ("meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-")
"""Takes off the two annotations that Helm adds to what its templates say, and by which it knows what is its own."""
KINDS = ("configmaps", "secrets", "services", "statefulsets", "deployments", "ingresses", "persistentvolumeclaims")


@pytest.mark.parametrize("server_side", WAYS)
@pytest.mark.parametrize(("values", "further", "claims"), CASES)
def test_it_becomes_what_a_first_apply_makes_and_stays_the_same_objects(
    cluster: ControlPlane, tmp_path: Path, values: Path, further: str, claims: list[str], server_side: bool
) -> None:
    environment = environment_for(values, further, tmp_path)
    files = write_files(environment, tmp_path / "dist")
    namespace, first = cluster.namespace(), cluster.namespace()
    install(cluster, namespace, RELEASE, values, server_side=server_side)
    before = everything(cluster, namespace)

    hand_over = ("apply", "set-last-applied", "--create-annotation", "--namespace", namespace, "--filename=-")
    cluster.kubectl(*hand_over, input=manifest(cluster, namespace, RELEASE))
    cluster.kubectl("apply", "--namespace", namespace, "--filename", files)
    cluster.kubectl("annotate", "--namespace", namespace, "--filename", files, *NO_OWNER)
    for claim in claims:
        cluster.kubectl("annotate", "--namespace", namespace, f"pvc/{claim}", *NO_OWNER)
    cluster.make_ready(namespace)
    cluster.kubectl("apply", "--namespace", first, "--filename", files)

    after, made_first = everything(cluster, namespace), everything(cluster, first)
    assert uids(after) == uids(before)
    for name in map(key, environment.manifests):
        assert content(after[name]) == content(made_first[name])
    assert mounted_claims(cluster, namespace) == claims
    assert not any("meta.helm.sh/" in str(its.get("metadata", {}).get("annotations")) for its in after.values())
    assert cluster.kubectl("diff", "--namespace", namespace, "--filename", files).stdout == ""


@pytest.mark.parametrize(("values", "further", "claims"), CASES)
def test_the_pods_find_their_keys_in_the_secrets_of_the_release(
    tmp_path: Path, values: Path, further: str, claims: list[str]
) -> None:
    environment = environment_for(values, further, tmp_path)
    needed = [
        (reference["name"], reference["key"])
        for pod in pod_specs(environment.manifests)
        for container in containers(pod)
        for variable in container["env"]
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef")) and not reference.get("optional")
    ]
    assert needed
    assert set(needed) <= {(secret, name) for secret, data in SECRETS.items() for name in data}


def test_helm_has_lost_it_for_good(cluster: ControlPlane, namespace: str, tmp_path: Path) -> None:
    files = write_files(environment_for(EXAMPLE_VALUES, RELEASE_VALUES, tmp_path), tmp_path / "dist")
    where = ("--namespace", namespace)
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=True)
    cluster.kubectl("annotate", *where, "--filename", files, *NO_OWNER)
    cluster.kubectl("delete", "secret", *where, f"--selector=owner=helm,name={RELEASE}")
    assert cluster.helm("list", "--short", *where).stdout == ""
    assert {secret["metadata"]["name"] for secret in cluster.objects(namespace, "secrets")} == set(SECRETS)
    assert "not found" in cluster.helm("uninstall", RELEASE, *where, check=False).stderr
    again = cluster.helm("install", RELEASE, CHART, "--values", EXAMPLE_VALUES, *where, check=False)
    assert "invalid ownership metadata" in again.stderr


def environment_for(values: Path, further: str, folder: Path) -> Environment:
    """What a values file becomes as an overlay, with a further values file on top."""
    extra = folder / "further.yaml"
    extra.write_text(further)
    (environment,) = synthesise_all(values.parent, [values.stem], [extra])
    return environment


def everything(cluster: ControlPlane, namespace: str) -> dict[str, Object]:
    return {key(thing): thing for thing in cluster.objects(namespace, *KINDS)}


def uids(objects: dict[str, Object]) -> dict[str, str]:
    return {name: thing["metadata"]["uid"] for name, thing in objects.items()}


def content(thing: Object) -> Object:
    """What an object holds, without what the API server, a controller or kubectl notes down in it."""
    metadata = thing["metadata"]
    annotations = {
        name: value
        for name, value in metadata.get("annotations", {}).items()
        if not name.startswith(("kubectl.kubernetes.io/", "deployment.kubernetes.io/"))
    }
    spec = {name: value for name, value in thing.get("spec", {}).items() if name not in {"clusterIP", "clusterIPs"}}
    return {"labels": metadata.get("labels"), "annotations": annotations, "data": thing.get("data"), "spec": spec}


def mounted_claims(cluster: ControlPlane, namespace: str) -> list[str]:
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for pod in cluster.objects(namespace, "pods")
        for volume in pod["spec"].get("volumes", [])
        if "persistentVolumeClaim" in volume
    ]
