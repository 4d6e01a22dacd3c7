"""The backend's StatefulSet: how it starts, stops, is probed, where its data lies and where its secrets come from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.overlay_cases import (
    CASES,
    Case,
    annotations_of,
    backend_container,
    case,
    config_of,
    environment_of,
    one,
)


def pod_of(overlay: str) -> dict[str, Any]:
    pod: dict[str, Any] = one(environment_of(overlay), "StatefulSet")["spec"]["template"]["spec"]
    return pod


def container_of(overlay: str) -> dict[str, Any]:
    (container,) = pod_of(overlay)["containers"]
    return dict(container)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_there_is_one_writer(case: Case) -> None:
    spec = one(case.environment(), "StatefulSet")["spec"]
    assert spec["replicas"] == (0 if case.overlay().values.backend.paused else 1)
    own = spec.get("updateStrategy")
    assert own in (None, {"type": "OnDelete"}), "both end the old pod before they start the new one"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_ports_are_the_images_own(case: Case) -> None:
    container = backend_container(case.environment())
    assert container["ports"] == [
        {"containerPort": 3210, "name": "api", "protocol": "TCP"},
        {"containerPort": 3211, "name": "http-actions", "protocol": "TCP"},
    ]
    assert "command" not in container
    assert "args" not in container


def test_services_forward_their_ports_to_the_named_ones() -> None:
    ports = one(environment_of("{}"), "Service", "convex-backend-svc")["spec"]["ports"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in ports] == [
        ("api", 3210, "api"),
        ("http-actions", 3211, "http-actions"),
    ]
    environment = case("services").environment()
    service = one(environment, "Service", "convex-backend-svc")
    assert service["spec"]["type"] == "LoadBalancer"
    assert annotations_of(service) == {"service.example.com/internal": "true"}
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [
        (8080, "api"),
        (8081, "http-actions"),
    ]
    headless = one(environment, "Service", "convex-backend-headless")["spec"]
    assert [port["port"] for port in headless["ports"]] == [3210, 3211], "a headless Service translates no ports"


def test_a_stop_interrupts_the_process_and_leaves_the_wait_to_the_kubelet() -> None:
    hook = container_of("{}")["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["/bin/bash", "-c", "kill -INT 1"]


@pytest.mark.parametrize(
    ("overlay", "seconds"),
    [("{}", 120), ("backend: {terminationGracePeriodSeconds: 600}", 600)],
    ids=["default", "set"],
)
def test_a_stop_has_time(overlay: str, seconds: int) -> None:
    assert pod_of(overlay)["terminationGracePeriodSeconds"] == seconds


def test_probes_ask_for_the_version() -> None:
    container = container_of("{}")
    expected = {"startupProbe": (5, 120), "readinessProbe": (5, 3), "livenessProbe": (10, 6)}
    for kind, (period, failures) in expected.items():
        assert container[kind] == {
            "httpGet": {"path": "/version", "port": "api"},
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        }


def test_probes_can_be_set_and_switched_off() -> None:
    (container,) = one(case("pods").environment(), "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["failureThreshold"] == 720
    assert "livenessProbe" not in container
    assert "readinessProbe" in container


def test_resources_have_defaults_that_can_be_set_and_taken_away() -> None:
    assert container_of("{}")["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"memory": "4Gi"},
    }
    overlay = "backend: {resources: {requests: {cpu: 2, memory: null}, limits: {memory: null}}}"
    assert container_of(overlay)["resources"] == {"requests": {"cpu": "2"}}
    container = one(case("pods").environment(), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "2Gi"},
        "limits": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "20Gi"},
    }


def test_it_runs_as_root_with_all_else_taken_away() -> None:
    assert pod_of("{}")["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container_of("{}")["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_security_can_be_loosened_where_a_volume_needs_it() -> None:
    pod = one(case("pods").environment(), "StatefulSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["fsGroup"] == 0
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}


def test_placement() -> None:
    pod = one(case("placement").environment(), "StatefulSet")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"example.com/disk": "fast"}
    assert pod["tolerations"] == [{"key": "dedicated", "operator": "Equal", "value": "convex", "effect": "NoSchedule"}]
    assert pod["priorityClassName"] == "important"
    pod = one(case("s3-ambient").environment(), "StatefulSet")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "convex-s3"


EMPTY_DIR = {"name": "data", "emptyDir": {}}


def claim(release: str = "convex", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": {"app": f"{release}-backend"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, **spec},
    }


VOLUMES = [
    pytest.param("defaults", EMPTY_DIR, None, id="none: an emptyDir"),
    pytest.param("persistence-class", None, claim(storageClassName="longhorn-standard"), id="the chart's class"),
    pytest.param("local", None, claim("convex-local"), id="the cluster's default class"),
    pytest.param("persistence-no-class", None, claim(storageClassName=""), id="no class"),
    pytest.param(
        "persistence-new-claim",
        None,
        claim(accessModes=["ReadWriteOncePod"], resources={"requests": {"storage": "20Gi"}}),
        id="size and access mode",
    ),
    pytest.param(
        "persistence-existing-claim",
        {"name": "data", "persistentVolumeClaim": {"claimName": "convex-backend-pvc"}},
        None,
        id="a claim that is there",
    ),
]


@pytest.mark.parametrize(("name", "volume", "template"), VOLUMES)
def test_where_the_data_lies(name: str, volume: dict[str, Any] | None, template: dict[str, Any] | None) -> None:
    spec = one(case(name).environment(), "StatefulSet")["spec"]
    assert [entry for entry in spec["template"]["spec"]["volumes"] if entry["name"] == "data"] == (
        [volume] if volume else []
    )
    assert spec.get("volumeClaimTemplates", []) == ([template] if template else [])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_volume_is_mounted_at_the_data_and_an_empty_one_at_its_rubbish(case: Case) -> None:
    pod = one(case.environment(), "StatefulSet")["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/convex/data"] == "data"
    (rubbish,) = (volume for volume in pod["volumes"] if volume["name"] == mounts["/convex/data/tmp"])
    assert rubbish.keys() == {"name", "emptyDir"}
    assert not [m for m in case.environment().manifests if m["kind"] == "PersistentVolumeClaim"], (
        "a claim among the objects is deleted with them"
    )


CAS = [
    pytest.param("postgres-ca", "PG_CA_FILE", "postgres-ca", "root.pem", id="Postgres"),
    pytest.param("mysql", "MYSQL_CA_FILE", "mysql-ca", "ca.crt", id="MySQL"),
]


@pytest.mark.parametrize(("name", "variable", "secret", "key"), CAS)
def test_the_database_ca_is_mounted_and_named(name: str, variable: str, secret: str, key: str) -> None:
    environment = case(name).environment()
    pod = one(environment, "StatefulSet")["spec"]["template"]["spec"]
    assert pod["volumes"][-1] == {
        "name": "database-ca",
        "secret": {"secretName": secret, "items": [{"key": key, "path": key}]},
    }
    assert pod["containers"][0]["volumeMounts"][-1] == {
        "name": "database-ca",
        "mountPath": "/etc/convex/ca",
        "readOnly": True,
    }
    assert one(environment, "ConfigMap")["data"][variable] == f"/etc/convex/ca/{key}"


def test_further_cas_are_mounted_and_named_to_node() -> None:
    environment = case("extra-ca").environment()
    pod = one(environment, "StatefulSet")["spec"]["template"]["spec"]
    assert pod["volumes"][-2:] == [
        {"name": name, "secret": {"secretName": "internal-ca", "items": [{"key": key, "path": key}]}}
        for name, key in (("database-ca", "ca.crt"), ("extra-ca", "bundle.pem"))
    ]
    assert pod["containers"][0]["volumeMounts"][-2:] == [
        {"name": "database-ca", "mountPath": "/etc/convex/ca", "readOnly": True},
        {"name": "extra-ca", "mountPath": "/etc/convex/extra-ca", "readOnly": True},
    ]
    assert one(environment, "ConfigMap")["data"]["NODE_EXTRA_CA_CERTS"] == "/etc/convex/extra-ca/bundle.pem"


def test_no_further_ca_is_named_by_default() -> None:
    environment = environment_of("{}")
    assert "NODE_EXTRA_CA_CERTS" not in one(environment, "ConfigMap")["data"]
    assert "extra-ca" not in {volume["name"] for volume in pod_of("{}")["volumes"]}


def secret(variable: str, name: str, key: str | None = None, *, optional: bool = False) -> dict[str, Any]:
    reference: dict[str, Any] = {"name": name, "key": key or variable}
    return {"name": variable, "valueFrom": {"secretKeyRef": {**reference, **({"optional": True} if optional else {})}}}


ADMIN_KEY = secret("CONVEX_SELF_HOSTED_ADMIN_KEY", "convex-secrets", optional=True)
S3 = "convex-s3-credentials"
S3_KEYS = [secret("AWS_ACCESS_KEY_ID", S3), secret("AWS_SECRET_ACCESS_KEY", S3)]
S3_SECRETS = [*S3_KEYS, secret("AWS_REGION", S3), secret("S3_ENDPOINT_URL", S3, "AWS_ENDPOINT", optional=True)]
PG = "convex-postgres-secret"
POSTGRES_SECRETS = [
    secret("POSTGRES_URL", PG, "DATABASE_URL"),
    secret("INSTANCE_NAME", PG),
    secret("INSTANCE_SECRET", PG),
]
MY = "convex-mysql-secret"

SECRETS = [
    pytest.param("local", [ADMIN_KEY], id="SQLite and files on the volume: nothing but the optional admin key"),
    pytest.param("defaults", [*S3_SECRETS, ADMIN_KEY], id="S3, generic: the endpoint alone may be missing"),
    pytest.param("production", [*POSTGRES_SECRETS, *S3_SECRETS, ADMIN_KEY], id="Postgres and S3"),
    pytest.param(
        "mysql",
        [
            secret("MYSQL_URL", MY, "uri"),
            secret("INSTANCE_NAME", MY, "name"),
            secret("INSTANCE_SECRET", MY, "secret"),
            *S3_SECRETS,
            ADMIN_KEY,
        ],
        id="MySQL",
    ),
    pytest.param(
        "postgres-ca",
        [
            secret("POSTGRES_URL", "team-postgres", "uri"),
            secret("INSTANCE_NAME", "team-postgres", "name"),
            secret("INSTANCE_SECRET", "team-postgres", "secret"),
            *S3_SECRETS,
            ADMIN_KEY,
        ],
        id="other key names",
    ),
    pytest.param(
        "instance",
        [secret("INSTANCE_SECRET", "convex-instance", "secret"), *S3_SECRETS, ADMIN_KEY],
        id="an instance secret without a database",
    ),
    pytest.param(
        "instance-with-postgres",
        [POSTGRES_SECRETS[0], secret("INSTANCE_SECRET", "convex-instance"), *S3_SECRETS, ADMIN_KEY],
        id="the URL alone from the database's Secret",
    ),
    pytest.param(
        "s3-inline",
        [
            secret("AWS_ACCESS_KEY_ID", "object-storage", "access-key"),
            secret("AWS_SECRET_ACCESS_KEY", "object-storage", "secret-key"),
            ADMIN_KEY,
        ],
        id="endpoint and region written in the overlay",
    ),
    pytest.param("s3-ambient", [ADMIN_KEY], id="a cloud role: no keys at all"),
    pytest.param(
        "s3-provider-aws", [*S3_KEYS, secret("AWS_REGION", S3), ADMIN_KEY], id="Amazon: its own endpoint, none read"
    ),
    pytest.param(
        "s3-provider-minio",
        [*S3_KEYS, secret("AWS_REGION", S3), secret("S3_ENDPOINT_URL", S3, "AWS_ENDPOINT"), ADMIN_KEY],
        id="another service: the endpoint is needed",
    ),
    pytest.param(
        "s3-provider-r2",
        [*S3_KEYS, secret("S3_ENDPOINT_URL", S3, "AWS_ENDPOINT"), ADMIN_KEY],
        id="R2: its region is known",
    ),
]


@pytest.mark.parametrize(("name", "references"), SECRETS)
def test_secrets_come_one_by_one_and_are_needed_where_the_pod_must_not_start_without(
    name: str, references: list[dict[str, Any]]
) -> None:
    (container,) = one(case(name).environment(), "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["env"] == references


def test_without_a_name_there_is_no_admin_key() -> None:
    assert "env" not in container_of('backend: {secretsName: "", persistence: {enabled: true}}\ns3: {enabled: false}')


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_variable_has_two_sources(case: Case) -> None:
    environment = case.environment()
    names = [variable["name"] for variable in backend_container(environment).get("env", [])]
    assert len(names) == len(set(names))
    assert not set(names) & config_of(environment).keys()


def test_the_users_own_sources_come_before_the_config_which_wins() -> None:
    (container,) = one(case("env-from").environment(), "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [
        {"configMapRef": {"name": "app-settings"}},
        {"prefix": "APP_", "secretRef": {"name": "app-secrets", "optional": True}},
        {"configMapRef": {"name": "convex-config"}},
    ]
