"""What makes Secrets in the cluster: ExternalSecrets and the bootstrap Job."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.secrets.needed import needed_secrets
from convexctl.synth.environment import Environment
from tests.support.overlay_cases import case, environment_of

BOOTSTRAP = (
    "{{instance: {{name: {name}}}, secrets: {{provider: bootstrap}}, s3: {{enabled: false}}, backend: {backend}}}"
)


def of_kind(environment: Environment, kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in environment.manifests if manifest["kind"] == kind]


def job(name: str = "a", backend: str = "{}") -> dict[str, Any]:
    (found,) = of_kind(environment_of(BOOTSTRAP.format(name=name, backend=backend)), "Job")
    return found


def test_every_required_key_comes_from_the_store_and_outlives_the_external_secret() -> None:
    environment = case("secrets-external").environment()
    external = {manifest["metadata"]["name"]: manifest["spec"] for manifest in of_kind(environment, "ExternalSecret")}
    for needed in needed_secrets(environment.manifests):
        required = {reference.key for reference in needed.references if not reference.optional}
        if required:
            spec = external[needed.name]
            assert {item["secretKey"] for item in spec["data"]} == required
            assert spec["target"]["name"] == needed.name
            assert (spec["target"]["creationPolicy"], spec["target"]["deletionPolicy"]) == ("Orphan", "Retain")


@pytest.mark.parametrize(
    ("key", "expected"), [("ca.crt", ["ca.crt"]), ("root.pem", ["ca.crt", "root.pem"])], ids=["one key", "two keys"]
)
def test_one_secret_with_the_ca_of_the_database_and_of_the_edge_has_each_key_once(
    key: str, expected: list[str]
) -> None:
    environment = environment_of(
        "{postgres: {enabled: true, caSecret: ca}, s3: {provider: aws, region: eu-central-1}, "
        f"backend: {{extraCaSecret: ca, extraCaKey: {key}}}, "
        "secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}}"
    )
    (spec,) = (m["spec"] for m in of_kind(environment, "ExternalSecret") if m["metadata"]["name"] == "ca")
    assert [item["secretKey"] for item in spec["data"]] == expected


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("convex-postgres-secret", {"key": "team-a/convex", "property": "INSTANCE_SECRET"}),
        ("postgres-ca", {"key": "postgres-ca", "property": "ca.crt"}),
        ("convex-s3-credentials", {"key": "team-a/s3-endpoint"}),
    ],
    ids=["one remote key", "no remote key", "a remote key for each"],
)
def test_where_a_key_is_in_the_store(secret: str, expected: dict[str, str]) -> None:
    (spec,) = (
        manifest["spec"]
        for manifest in of_kind(case("secrets-external").environment(), "ExternalSecret")
        if manifest["metadata"]["name"] == secret
    )
    assert expected in [item["remoteRef"] for item in spec["data"]]


@pytest.mark.parametrize(
    ("name", "backend", "same"),
    [
        pytest.param("a", "{resources: {limits: {memory: 8Gi}}}", True, id="nothing that it does"),
        pytest.param("b", "{}", False, id="another instance name"),
        pytest.param("a", "{image: {tag: other}}", False, id="another image"),
        pytest.param("a", "{podLabels: {a: b}}", False, id="another label of its pod"),
        pytest.param("a", "{nodeSelector: {a: b}}", False, id="another place"),
        pytest.param("a", "{securityContext: {runAsGroup: 1}}", False, id="another security context"),
    ],
)
def test_a_job_that_would_do_something_else_is_another_job(name: str, backend: str, same: bool) -> None:
    """A Job cannot be changed: an apply that tried would fail."""
    before, after = job(), job(name, backend)
    assert (before["metadata"]["name"] == after["metadata"]["name"]) == same
    if same:
        assert before["spec"]["template"] == after["spec"]["template"]


def test_argo_cd_runs_the_job_before_the_backend() -> None:
    environment = case("secrets-bootstrap").environment()

    def wave(kind: str) -> int:
        (manifest,) = of_kind(environment, kind)
        return int((manifest["metadata"].get("annotations") or {}).get("argocd.argoproj.io/sync-wave", "0"))

    assert wave("ServiceAccount") == wave("Role") == wave("RoleBinding") < wave("Job") < wave("StatefulSet")
