"""Every parameter of the Helm chart under its name and with its default, the new ones beside them, and layering."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from convex_k8s.values import Values

from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError
from tests.support.overlay_cases import case, faults_of, overlay_of

PATHS = [{"path": "/", "pathType": "Prefix"}]

CHART = {
    "replicaCount": 1,
    "backend.image.repository": "ghcr.io/get-convex/convex-backend",
    "backend.image.pullPolicy": "IfNotPresent",
    "backend.image.tag": "latest",
    "backend.secretsName": "convex-secrets",
    "backend.persistence.enabled": False,
    "backend.persistence.storageClassName": "longhorn-standard",
    "backend.persistence.accessMode": "ReadWriteOnce",
    "backend.persistence.size": "5Gi",
    "postgres.enabled": False,
    "postgres.existingSecret": "convex-postgres-secret",
    "s3.buckets.exports": "convexpro",
    "s3.buckets.files": "convexpro",
    "s3.buckets.modules": "convexpro",
    "s3.buckets.search": "convexpro",
    "s3.buckets.snapshotImports": "convexpro",
    "dashboard.image.repository": "ghcr.io/get-convex/convex-dashboard",
    "dashboard.image.pullPolicy": "IfNotPresent",
    "dashboard.image.tag": "latest",
    "service.backend.type": "ClusterIP",
    "service.backend.port": 3210,
    "service.backend.actionsPort": 3211,
    "service.dashboard.type": "ClusterIP",
    "service.dashboard.port": 80,
    "service.dashboard.targetPort": 6791,
    "ingress.enabled": False,
    "ingress.className": "",
    "ingress.annotations": {},
    "ingress.dashboard.host": "",
    "ingress.dashboard.paths": PATHS,
    "ingress.backend.host": "",
    "ingress.backend.paths": PATHS,
    "ingress.site.host": "",
    "ingress.site.paths": PATHS,
    "ingress.tls": [],
    "convexConfig.cloudOrigin": "http://localhost:3210",
    "convexConfig.siteOrigin": "http://localhost:3211",
    "convexConfig.deploymentUrl": "http://localhost:3210",
    "convexConfig.requireSsl": True,
}

NEW = {
    "releaseName": "convex",
    "namespace": "",
    "createNamespace": False,
    "imagePullSecrets": [],
    "commonLabels": {},
    "commonAnnotations": {},
    "backend.image.digest": "",
    "backend.persistence.existingClaim": "",
    "backend.persistence.allowEphemeralData": False,
    "backend.env": {},
    "backend.envFrom": [],
    "backend.metrics.enabled": False,
    "backend.extraCaSecret": "",
    "backend.extraCaKey": "ca.crt",
    "backend.terminationGracePeriodSeconds": 120,
    "backend.resources.requests": {"cpu": "500m", "memory": "2Gi", "ephemeralStorage": None},
    "backend.resources.limits": {"cpu": None, "memory": "4Gi", "ephemeralStorage": None},
    "backend.securityContext.runAsUser": 0,
    "backend.securityContext.runAsNonRoot": False,
    "backend.securityContext.allowPrivilegeEscalation": False,
    "backend.securityContext.capabilities": {"drop": ["ALL"], "add": []},
    "dashboard.image.digest": "",
    "dashboard.replicaCount": 1,
    "dashboard.securityContext.runAsUser": 1001,
    "dashboard.securityContext.runAsNonRoot": True,
    "instance.name": "",
    "instance.existingSecret": "",
    "postgres.keys": {
        "url": "DATABASE_URL",
        "host": "",
        "port": "",
        "username": "",
        "password": "",
        "instanceName": "INSTANCE_NAME",
        "instanceSecret": "INSTANCE_SECRET",
    },
    "postgres.caSecret": "",
    "postgres.maxConnections": None,
    "mysql.enabled": False,
    "mysql.existingSecret": "convex-mysql-secret",
    "mysql.caSecret": "",
    "mysql.maxConnections": None,
    "s3.enabled": True,
    "s3.provider": "generic",
    "s3.existingSecret": "convex-s3-credentials",
    "s3.keys": {
        "accessKeyId": "AWS_ACCESS_KEY_ID",
        "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
        "endpoint": "AWS_ENDPOINT",
        "region": "AWS_REGION",
    },
    "s3.endpoint": "",
    "s3.region": "",
    "s3.bucket": "",
    "s3.forcePathStyle": None,
    "s3.disableChecksums": None,
    "s3.disableSse": None,
}


def value_at(values: Values, key: str) -> Any:
    value: Any = values.model_dump(by_alias=True)
    for part in key.split("."):
        value = value[part]
    return value


@pytest.mark.parametrize(("key", "default"), [*CHART.items(), *NEW.items()])
def test_a_parameter_has_its_default(key: str, default: Any) -> None:
    value = value_at(Values(), key)
    assert value == default
    assert type(value) is type(default)


def test_the_example_of_the_helm_chart_is_an_overlay() -> None:
    values = case("chart-example").overlay().values
    assert values.postgres.enabled
    assert values.ingress.backend.host == "convex-backend.example.com"
    assert values.ingress.annotations["kubernetes.io/ingress.class"] == "nginx"
    assert [entry.hosts for entry in values.ingress.tls] == [
        ["convex-dashboard.example.com"],
        ["convex-backend.example.com"],
    ]
    assert values.convex_config.require_ssl is True


@pytest.mark.parametrize(
    ("written", "meant"), [("true", True), ("false", False), ('"true"', True), ('"false"', False), ("null", True)]
)
def test_require_ssl_means_what_it_says_in_both_forms(written: str, meant: bool) -> None:
    assert overlay_of(f"convexConfig:\n  requireSsl: {written}\n").values.convex_config.require_ssl is meant


@pytest.mark.parametrize("written", ['"yes"', '"True"', "1", '""'])
def test_require_ssl_takes_no_other_text(written: str) -> None:
    (message,) = faults_of(f"convexConfig:\n  requireSsl: {written}\n")
    assert message.startswith("test.yaml:2: convexConfig.requireSsl: must be true or false")


NULLS = [
    pytest.param("ingress:\n", "ingress.enabled", False, id="an empty section is the default"),
    pytest.param("backend: {image: {tag: null}}", "backend.image.tag", "latest", id="null is the default"),
    pytest.param("commonLabels: {team: null}", "commonLabels", {}, id="null takes a key out of a map"),
    pytest.param(
        "backend: {resources: {limits: {memory: null}}}",
        "backend.resources.limits",
        {"cpu": None, "memory": None, "ephemeralStorage": None},
        id="null says no limit if there is one by default",
    ),
]


@pytest.mark.parametrize(("overlay", "key", "value"), NULLS)
def test_null(overlay: str, key: str, value: Any) -> None:
    assert value_at(overlay_of(overlay).values, key) == value


def test_null_does_not_hide_a_misspelt_key() -> None:
    assert faults_of("ingres:\n") == ["test.yaml:1: ingres: is not a parameter: did you mean ingress?"]


def layered(folder: Path, files: dict[str, str], *values_files: str) -> Values:
    """The values of the overlay `test` among these files, with some of the files merged on top."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (overlay,) = load_overlays(folder, ["test"], [folder / name for name in values_files])
    return overlay.values


BASE = """\
commonLabels: {team: a, tier: data}
imagePullSecrets: [one, two]
ingress: {annotations: {a: "1"}}
backend:
  image: {tag: base}
  env: {RUST_LOG: debug}
  resources: {limits: {memory: 8Gi}}
"""

LAYERS = [
    pytest.param("backend: {image: {digest: null}}", "backend.image.tag", "base", id="what the top leaves out stays"),
    pytest.param("backend: {image: {tag: top}}", "backend.image.tag", "top", id="the top wins"),
    pytest.param("commonLabels: {team: b}", "commonLabels", {"team": "b", "tier": "data"}, id="maps merge"),
    pytest.param("commonLabels: {team: null}", "commonLabels", {"tier": "data"}, id="null removes a key"),
    pytest.param("commonLabels: null", "commonLabels", {}, id="null removes a map"),
    pytest.param("backend: {env: {RUST_LOG: null}}", "backend.env", {}, id="null removes a variable"),
    pytest.param("backend: {image: {tag: null}}", "backend.image.tag", "latest", id="null brings the default back"),
    pytest.param("imagePullSecrets: [three]", "imagePullSecrets", [{"name": "three"}], id="lists replace"),
    pytest.param("imagePullSecrets: []", "imagePullSecrets", [], id="an empty list replaces too"),
    pytest.param(
        "backend: {resources: {requests: {cpu: 2}}}",
        "backend.resources",
        {
            "requests": {"cpu": "2", "memory": "2Gi", "ephemeralStorage": None},
            "limits": {"cpu": None, "memory": "8Gi", "ephemeralStorage": None},
        },
        id="maps merge at any depth",
    ),
]


@pytest.mark.parametrize(("top", "key", "value"), LAYERS)
def test_an_overlay_that_extends_another(tmp_path: Path, top: str, key: str, value: Any) -> None:
    values = layered(tmp_path, {"_base.yaml": BASE, "test.yaml": f"extends: _base\n{top}\n"})
    assert value_at(values, key) == value


@pytest.mark.parametrize(("top", "key", "value"), LAYERS)
def test_a_values_file_on_top(tmp_path: Path, top: str, key: str, value: Any) -> None:
    values = layered(tmp_path, {"test.yaml": BASE, "top.yaml": top}, "top.yaml")
    assert value_at(values, key) == value


def test_the_last_values_file_wins(tmp_path: Path) -> None:
    files = {"test.yaml": BASE, "one.yaml": "replicaCount: 2\nnamespace: one\n", "two.yaml": "replicaCount: 1\n"}
    values = layered(tmp_path, files, "one.yaml", "two.yaml")
    assert (values.replica_count, values.namespace) == (1, "one")


def test_overlays_extend_each_other_in_a_chain(tmp_path: Path) -> None:
    files = {
        "grandparent.yaml": "namespace: g\nreleaseName: g\ncommonLabels: {g: g}\n",
        "parent.yml": "extends: grandparent\nreleaseName: p\ncommonLabels: {p: p}\n",
        "test.yaml": "extends: parent\ncommonLabels: {t: t}\n",
    }
    values = layered(tmp_path, files)
    assert (values.namespace, values.release_name) == ("g", "p")
    assert values.common_labels == {"g": "g", "p": "p", "t": "t"}


def test_a_fault_is_found_in_the_file_that_it_is_in(tmp_path: Path) -> None:
    files = {
        "_base.yaml": "service:\n  backend:\n    port: 0\n",
        "test.yaml": "extends: _base\n\nservice:\n  dashboard:\n    port: 0\n",
        "top.yaml": "dashboard:\n  replicaCount: 0\n",
    }
    with pytest.raises(OverlayError) as caught:
        layered(tmp_path, files, "top.yaml")
    assert [message.removeprefix(f"{tmp_path}/") for message in caught.value.messages] == [
        "_base.yaml:3: service.backend.port: must be at least 1, not 0 (in test)",
        "test.yaml:5: service.dashboard.port: must be at least 1, not 0",
        "top.yaml:2: dashboard.replicaCount: must be at least 1, not 0 (in test)",
    ]


CHAINS = [
    pytest.param(
        {"test.yaml": "extends: test\n"},
        "test.yaml:1: extends: the overlays extend each other in a loop: test -> test",
        id="itself",
    ),
    pytest.param(
        {"test.yaml": "extends: a\n", "a.yaml": "extends: b\n", "b.yaml": "\nextends: a\n"},
        "b.yaml:2: extends: the overlays extend each other in a loop: a -> b -> a",
        id="loop",
    ),
    pytest.param(
        {"test.yaml": "extends: _bas\n", "_base.yaml": ""},
        "test.yaml:1: extends: there is no overlay _bas in {folder}: did you mean _base?",
        id="missing parent",
    ),
    pytest.param(
        {"test.yaml": "extends: [a, b]\n"},
        "test.yaml:1: extends: must be the name of one other overlay",
        id="two parents",
    ),
    pytest.param(
        {"test.yaml": "extends: ../secrets\n"},
        "test.yaml:1: extends: there is no overlay ../secrets in {folder}: there are: test",
        id="outside the folder",
    ),
]


@pytest.mark.parametrize(("files", "message"), CHAINS)
def test_a_chain_that_cannot_be_followed(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(OverlayError) as caught:
        layered(tmp_path, files)
    assert caught.value.messages == [f"{tmp_path}/{message.format(folder=tmp_path)}"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param(
            "top.yaml",
            "extends: test\n",
            "top.yaml:1: extends: only an overlay extends another: give a further file with --values",
            id="extends",
        ),
        pytest.param("nowhere.yaml", None, "nowhere.yaml: cannot be read: No such file or directory", id="missing"),
    ],
)
def test_a_values_file_that_cannot_be_used(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    files = {"test.yaml": "", **({} if text is None else {name: text})}
    with pytest.raises(OverlayError) as caught:
        layered(tmp_path, files, name)
    assert caught.value.messages == [f"{tmp_path}/{message}"]


def test_no_parent_is_the_same_as_none(tmp_path: Path) -> None:
    assert layered(tmp_path, {"test.yaml": "extends: null\nreleaseName: a\n"}).release_name == "a"
