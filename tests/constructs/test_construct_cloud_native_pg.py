"""A Cluster of CloudNativePG: the operator's Secrets are used, and made by nobody else."""

from __future__ import annotations

import pytest

from convexctl.audit import audit
from convexctl.behaviour import predict
from convexctl.secrets.plan import plan_secrets
from tests.support.overlay_cases import annotations_of, case, environment_of, faults_of, one, overlay_of

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


OWN_CLUSTER = """
postgres: {{enabled: true, existingSecret: pg-superuser, keys: {{host: host, username: username, password: password}},
  caSecret: pg-ca}}
instance: {{name: shop, existingSecret: convex-instance}}
extraObjects: [{{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {{name: pg}}, spec: {spec}}}]
"""


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        ("{enableSuperuserAccess: true}", {"pg-superuser", "pg-ca"}),
        ("{enableSuperuserAccess: true, superuserSecret: {name: pg-superuser}}", {"pg-ca"}),
        ("{certificates: {serverCASecret: pg-ca}, bootstrap: [odd]}", set()),
    ],
)
def test_a_cluster_of_the_users_own_makes_its_secrets_too(spec: str, made: set[str]) -> None:
    environment = environment_of(OWN_CLUSTER.format(spec=spec))
    plan = plan_secrets(environment.overlay.values, environment.manifests)
    wanted = {"pg-superuser", "pg-ca"}
    assert {entry.secret for entry in plan.entries} & wanted == wanted - made
    assert {note.split(":")[0] for note in plan.notes if "CloudNativePG" in note} == {f"Secret {name}" for name in made}


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


CREATED = "postgres-cloudnative-pg-created"


def created(create: str = "storage: {size: 20Gi}", more: str = "", cluster: str = "cluster: shop-db, ") -> str:
    return f"{more}postgres: {{enabled: true, cloudNativePG: {{{cluster}create: {{{create}}}}}}}\n"


def test_the_cluster_makes_what_the_backend_opens() -> None:
    environment = case(CREATED).environment()
    made = one(environment, "Cluster")
    assert made["spec"]["bootstrap"] == {"initdb": {"database": "shop_prod", "owner": "shop_prod"}}
    assert "backup" not in made["spec"]
    kinds = [each["kind"] for each in environment.manifests]
    assert kinds.index("Cluster") < kinds.index("StatefulSet")
    (backend,) = predict(environment.manifests).backends
    assert backend.obstacles == ()
    assert backend.database_name is not None
    assert backend.database_name.value == "shop_prod"
    assert backend.database_grants is not None
    assert (backend.database_grants.value, backend.database_outlives.value) == (160, "pod")
    assert {finding.rule.id for finding in audit(environment.manifests).findings} & {
        "database-pool-too-large",
        "database-not-made",
        "database-ca-unknown",
    } == set()
    assert environment.overlay.warnings == []


def test_without_an_instance_name_the_database_gives_it() -> None:
    environment = environment_of(created(more="releaseName: my-shop\n"))
    assert one(environment, "Cluster")["spec"]["bootstrap"]["initdb"]["database"] == "my_shop"
    (backend,) = predict(environment.manifests).backends
    assert backend.instance_name.value == "Secret/shop-db-app[dbname]"
    assert backend.obstacles == ()


def test_nothing_that_prunes_takes_the_documents_along() -> None:
    """Argo CD and Flux leave the Cluster; the README's command for removal passes it over."""
    environment = case(CREATED).environment()
    made = one(environment, "Cluster")
    assert annotations_of(made) == {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    labelled = [each["kind"] for each in environment.manifests if "convex-k8s/data" in each["metadata"]["labels"]]
    assert labelled == ["Cluster"]
    readme = environment.files["README.md"]
    assert f"kubectl delete -f dist/{CREATED}/ -l '!convex-k8s/data'" in readme
    assert "the Cluster `shop-db` with all documents in it" in readme
    assert "The operator [CloudNativePG](https://cloudnative-pg.io)" in readme
    assert "kubectl wait --for=condition=Ready cluster.postgresql.cnpg.io/shop-db" in readme
    assert "kubectl delete cluster.postgresql.cnpg.io/shop-db" in readme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (created("instances: 3"), "postgres.cloudNativePG.create.storage.size: is missing"),
        (created(cluster=""), "postgres.cloudNativePG.cluster: is missing"),
        (created(cluster="cluster: shop.db, "), "postgres.cloudNativePG.cluster: is shop.db, which the operator"),
        (created(cluster=f"cluster: {'a' * 51}, "), "which the operator refuses"),
        (created(more="instance: {name: postgres}\n"), "instance.name: would name the database postgres"),
        (created(more="releaseName: pg-x\n"), "releaseName: would name the database pg_x"),
        (created("storage: {size: 20}"), "create.storage.size: is 20 bytes"),
        (created("storage: {size: 1Gi}, walStorage: {storageClass: a}"), "walStorage.size: is missing"),
        (created("storage: {size: 1Gi}, parameters: {port: '5'}"), "parameters.port: is set by the operator"),
        (created("storage: {size: 1Gi}, parameters: {max_connections: '128'}"), "may open 128 connections"),
        (created("storage: {size: 1Gi}, parameters: {max_connections: many}"), "must be a whole number"),
        (
            created("storage: {size: 1Gi}, resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}"),
            "create.resources.limits.memory: is 1Gi, less than the request",
        ),
        (created("storage: {size: 1Gi}, instances: 0"), "create.instances: "),
        (created("storage: {size: 1Gi}, instance: 3"), "create.instance: "),
    ],
)
def test_a_cluster_that_the_operator_would_refuse_is_an_error(text: str, message: str) -> None:
    faults = faults_of(text)
    assert any(message in fault for fault in faults), faults


def test_a_pool_of_its_own_size_fits() -> None:
    text = created().replace("enabled: true,", "enabled: true, maxConnections: 300,")
    assert one(environment_of(text), "Cluster")["spec"]["postgresql"]["parameters"] == {"max_connections": "332"}
    assert overlay_of(text).warnings == []


@pytest.mark.parametrize(
    ("patch", "rule"),
    [
        ("{bootstrap: {initdb: {database: app, owner: app}}}", "database-not-made"),
        ("{postgresql: {parameters: {max_connections: '50'}}}", "database-pool-too-large"),
    ],
)
def test_the_audit_reads_the_cluster(patch: str, rule: str) -> None:
    """A patch that breaks what the construct does right is found."""
    text = created(more="instance: {name: shop}\n")
    text += f"patches: [{{target: {{kind: Cluster}}, patch: {{spec: {patch}}}}}]\n"
    findings = audit(environment_of(text).manifests).findings
    assert rule in {finding.rule.id for finding in findings}
