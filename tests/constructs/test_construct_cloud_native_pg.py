"""A Cluster of CloudNativePG: the operator's Secrets are used, and made by nobody else."""

from __future__ import annotations

import pytest

from convexctl.behaviour import predict
from convexctl.secrets.plan import plan_secrets
from tests.support.overlay_cases import case, environment_of, faults_of

CLUSTER = "postgres: {enabled: true, cloudNativePG: {cluster: shop-db}}\n"
STORE = "s3: {provider: aws}\nsecrets: {provider: external-secrets, externalSecrets: {storeName: vault}}\n"


def test_the_backend_takes_everything_from_the_operator_but_its_secret() -> None:
    (backend,) = predict(case("postgres-cloudnative-pg").environment().manifests).backends
    parts = ", ".join(f"Secret/shop-db-app[{key}]" for key in ("username", "password", "host", "port"))
    assert backend.database_url is not None
    assert backend.database_tls is not None
    assert (backend.database_url.value, backend.database_tls.value) == (parts, "required")
    assert backend.database_name is not None
    assert backend.database_name.value == "Secret/shop-db-app[dbname]"
    assert backend.instance_secret.value == "Secret/convex-instance[INSTANCE_SECRET]"
    assert backend.obstacles == ()


@pytest.mark.parametrize("everything", [False, True])
def test_nobody_is_asked_for_what_the_operator_makes(everything: bool) -> None:
    environment = case("postgres-cloudnative-pg").environment()
    plan = plan_secrets(environment.overlay.values, environment.manifests, everything=everything)
    assert {entry.secret for entry in plan.entries} == {"convex-instance", "convex-s3-credentials", "convex-secrets"}
    assert [note for note in plan.notes if "CloudNativePG" in note] == [
        f"Secret shop-db-{name}: not written; CloudNativePG makes it with its Cluster shop-db" for name in ("app", "ca")
    ]


def test_preflight_reads_what_the_operator_makes() -> None:
    environment = case("postgres-cloudnative-pg").environment()
    plan = plan_secrets(environment.overlay.values, environment.manifests, everything=True, operators=True)
    assert "shop-db-app/password" in map(str, plan.entries)


def test_external_secrets_makes_the_others_only() -> None:
    made = [each for each in environment_of(CLUSTER + STORE).manifests if each["kind"] == "ExternalSecret"]
    assert [each["metadata"]["name"] for each in made] == ["convex-instance", "convex-s3-credentials"]


def test_the_readme_names_the_operator() -> None:
    readme = case("postgres-cloudnative-pg").environment().files["README.md"]
    assert "### Secret `shop-db-app`\n\nCloudNativePG makes it" in readme
    assert "create secret generic shop-db" not in readme


@pytest.mark.parametrize(
    ("postgres", "message"),
    [
        ("existingSecret: other", "postgres.existingSecret: is not the Secret of the Cluster shop-db"),
        ("keys: {url: uri}", "postgres.keys.url: names a whole URL"),
        ("host: h", "postgres.host: is given twice"),
        ("enabled: false", "postgres.cloudNativePG.cluster: has no effect"),
    ],
)
def test_what_does_not_go_with_a_cluster(postgres: str, message: str) -> None:
    enabled = "" if "enabled" in postgres else "enabled: true, "
    faults = faults_of(f"postgres: {{{enabled}{postgres}, cloudNativePG: {{cluster: shop-db}}}}\n")
    assert any(message in fault for fault in faults)
