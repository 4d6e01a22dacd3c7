"""`adopt`: the overlay that a Helm release becomes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.adopt.overlay import derive
from convexctl.adopt.release import Release, from_files
from convexctl.behaviour import predict
from convexctl.changes import irreversible
from convexctl.errors import UserError
from convexctl.overlays.load import load_overlays
from convexctl.synth.environment import synthesise
from tests.support.command_line import Done, run
from tests.support.overlay_cases import DATA

RELEASE = "convex"
RENDERED = DATA / "helm-rendered"
EXAMPLE, PORT_FORWARD = "example", "port-forward"
VALUES = {
    EXAMPLE: DATA / "chart-example-values.yaml",
    PORT_FORWARD: DATA / "chart-port-forward-values.yaml",
}
UPSTREAMS = {
    "env": {
        "DOCUMENT_RETENTION_DELAY": 1209600,
        "APPLICATION_MAX_CONCURRENT_NODE_ACTIONS": 64,
        "APPLICATION_MAX_CONCURRENT_V8_ACTIONS": 64,
    }
}
"""The release has upstream's default, and a shorter one cannot be raised again."""
S3_KEYS = {"keys": {"endpoint": "AWS_S3_ENDPOINT", "region": "AWS_S3_REGION"}}
S3_SECRET = "convex-s3-credentials"
ACCESS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
DATABASE_SECRET = "convex-postgres-secret"

Object = dict[str, Any]
Edit = Callable[[dict[str, Object]], None]


def release(
    tmp_path: Path, kind: str = EXAMPLE, edit: Edit = lambda _: None, values: str | None = None, namespace: str = "shop"
) -> Release:
    """A release of the chart, its manifest edited: objects are told by their kinds."""
    documents = [document for document in yaml.safe_load_all((RENDERED / f"{kind}.yaml").read_text()) if document]
    edit({document["kind"]: document for document in documents if document["kind"] != "Service"})
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(documents))
    file = tmp_path / "my-values.yaml"
    file.write_text(VALUES[kind].read_text() if values is None else values)
    return from_files(RELEASE, namespace, file, manifest)


def secrets(**keys: tuple[str, ...]) -> list[Object]:
    """Secrets of the cluster, by name with `_` for `-`, with their keys."""
    return [
        {
            "kind": "Secret",
            "metadata": {"name": name.replace("_", "-"), "namespace": "shop"},
            "data": dict.fromkeys(its),
        }
        for name, its in keys.items()
    ]


def container(objects: dict[str, Object], kind: str = "StatefulSet") -> Object:
    (found,) = objects[kind]["spec"]["template"]["spec"]["containers"]
    result: Object = found
    return result


def variable(objects: dict[str, Object], name: str) -> Object:
    entry = next(entry for entry in container(objects)["env"] if entry["name"] == name)
    result: Object = entry
    return result


def without(objects: dict[str, Object], *names: str) -> None:
    entries = container(objects)["env"]
    entries[:] = [entry for entry in entries if entry["name"] not in names]


def at(values: Mapping[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def test_the_charts_example_becomes_an_overlay_of_what_differs(tmp_path: Path) -> None:
    assert derive(release(tmp_path), None).values == {
        "releaseName": "convex",
        "namespace": "shop",
        "backend": UPSTREAMS,
        "postgres": {"enabled": True},
        "s3": S3_KEYS,
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {
                "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                "nginx.ingress.kubernetes.io/ssl-redirect": "true",
                "nginx.ingress.kubernetes.io/force-ssl-redirect": "true",
            },
            "dashboard": {"host": "convex-dashboard.example.com"},
            "backend": {"host": "convex-backend.example.com"},
            "tls": [
                {"secretName": "convex-dashboard-tls", "hosts": ["convex-dashboard.example.com"]},
                {"secretName": "convex-backend-tls", "hosts": ["convex-backend.example.com"]},
            ],
        },
    }


def test_the_volume_that_the_chart_made_is_mounted_as_an_existing_claim(tmp_path: Path) -> None:
    derived = derive(release(tmp_path, PORT_FORWARD), None)
    assert derived.values == {
        "releaseName": "convex",
        "namespace": "shop",
        "backend": {"persistence": {"enabled": True, "existingClaim": "convex-backend-pvc"}, **UPSTREAMS},
        "s3": S3_KEYS,
    }
    assert "did not mount" in derived.notes["backend.persistence.existingClaim"]


def test_an_ingress_that_the_values_do_not_tell_of_is_read_off_the_manifest(tmp_path: Path) -> None:
    assert derive(release(tmp_path, values="{}"), None).values == derive(release(tmp_path), None).values


def _site(objects: dict[str, Object]) -> None:
    backend = {"service": {"name": "convex-backend-svc", "port": {"name": "http-actions"}}}
    rule = {"host": "site.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    objects["Ingress"]["spec"]["rules"].append(rule)


@pytest.mark.parametrize("kind", [EXAMPLE, PORT_FORWARD])
def test_the_overlay_is_taken_without_a_fault_and_changes_nothing_that_cannot_be_undone(
    tmp_path: Path, kind: str
) -> None:
    its_release = release(tmp_path, kind)
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "mine.yaml").write_text(derive(its_release, None).text(its_release))
    (overlay,) = load_overlays(tmp_path / "overlays", ["mine"])
    after = irreversible.side_of("mine", synthesise(overlay).manifests)
    before = irreversible.side_of("mine", its_release.manifests, after)
    assert before
    assert after
    expected = {EXAMPLE: [], PORT_FORWARD: ["claim"]}
    assert [change.id for change in irreversible.changes(before, after)] == expected[kind]


def test_the_file_says_where_it_is_from_what_was_read_and_what_was_left_out(tmp_path: Path) -> None:
    its_release = release(tmp_path, values="replicaCount: 2\nbackend:\n  livenessDelay: 5\n")
    head = [line for line in derive(its_release, None).text(its_release).splitlines() if line.startswith("#")]
    assert head[0] == "# yaml-language-server: $schema=./schema.json"
    assert "release convex in the namespace shop" in head[2]
    assert any(line.startswith("# - dashboard.replicaCount: the release has replicaCount 2") for line in head)
    assert any(line.startswith("# - backend.livenessDelay (") and "my-values.yaml:3" in line for line in head)


VALUES_CASES: dict[str, tuple[str, str, Any]] = {
    "a value like the default is left out": ("service: {backend: {port: 3210}}", "service", None),
    "another value is kept": ("service: {backend: {port: 8080}}", "service", {"backend": {"port": 8080}}),
    "null is as if it were not there": ("service: null", "service", None),
    "a boolean in quotes is the boolean": ('convexConfig: {requireSsl: "true"}', "convexConfig", None),
    "what says otherwise stays": ('convexConfig: {requireSsl: "false"}', "convexConfig.requireSsl", "false"),
    "one replica is what there is": ("replicaCount: 1", "dashboard", None),
    "more replicas are the dashboard's": ("replicaCount: 3", "dashboard.replicaCount", 3),
    "and never the backend's": ("replicaCount: 3", "replicaCount", None),
    "postgres is on because the release uses it": ("{}", "postgres.enabled", True),
    "the image is the one that runs": ("backend: {image: {tag: other}}", "backend.image", None),
}


@pytest.mark.parametrize(("values", "key", "expected"), VALUES_CASES.values(), ids=VALUES_CASES)
def test_values(tmp_path: Path, values: str, key: str, expected: Any) -> None:
    assert at(derive(release(tmp_path, values=values), None).values, key) == expected


def test_a_value_that_is_no_parameter_is_told_by_file_and_line(tmp_path: Path) -> None:
    derived = derive(release(tmp_path, values="backend:\n  image: {}\n  extra:\n    deep: 1\nfoo: bar\n"), None)
    file = tmp_path / "my-values.yaml"
    assert derived.unknown == [
        f"backend.extra ({file}:3), which is not a parameter here",
        f"foo ({file}:5), which is not a parameter here",
    ]


def test_a_secret_among_the_values_is_not_copied(tmp_path: Path) -> None:
    url = "postgresql://user:example-password@db:5432"
    its_release = release(tmp_path, values=f"postgres:\n  enabled: true\n  existingSecret: {url}\n")
    derived = derive(its_release, None)
    assert "example-password" not in derived.text(its_release)
    assert "postgres.existingSecret" in derived.unknown[0]
    assert "looks like a secret" in derived.unknown[0]


def _rename_bucket(objects: dict[str, Object]) -> None:
    for entry in container(objects)["env"]:
        if entry["name"].endswith("_BUCKET"):
            entry["value"] = "ours"


def _own_bucket_for_files(objects: dict[str, Object]) -> None:
    variable(objects, "S3_STORAGE_FILES_BUCKET")["value"] = "photos"


def _half_s3(objects: dict[str, Object]) -> None:
    without(objects, "S3_STORAGE_FILES_BUCKET")


def _region_in_sight(objects: dict[str, Object]) -> None:
    entry = variable(objects, "AWS_REGION")
    del entry["valueFrom"]
    entry["value"] = "eu-central-1"


def _no_endpoint(objects: dict[str, Object]) -> None:
    without(objects, "S3_ENDPOINT_URL")


def _no_keys(objects: dict[str, Object]) -> None:
    without(objects, *ACCESS_KEYS)
    _region_in_sight(objects)


def _path_style(objects: dict[str, Object]) -> None:
    objects["ConfigMap"]["data"]["AWS_S3_FORCE_PATH_STYLE"] = "true"


def _other_database_keys(objects: dict[str, Object]) -> None:
    for name, key in (("POSTGRES_URL", "url"), ("INSTANCE_NAME", "name"), ("INSTANCE_SECRET", "secret")):
        variable(objects, name)["valueFrom"]["secretKeyRef"] = {"name": "db", "key": key}


def _mysql(objects: dict[str, Object]) -> None:
    variable(objects, "POSTGRES_URL")["name"] = "MYSQL_URL"


def _deprecated(objects: dict[str, Object]) -> None:
    variable(objects, "POSTGRES_URL")["name"] = "DATABASE_URL"


def _own_instance_secret(objects: dict[str, Object]) -> None:
    variable(objects, "INSTANCE_SECRET")["valueFrom"]["secretKeyRef"] = {"name": "instance", "key": "hex"}


def _name_in_sight(objects: dict[str, Object]) -> None:
    entry = variable(objects, "INSTANCE_NAME")
    del entry["valueFrom"]
    entry["value"] = "shop"


def _no_name(objects: dict[str, Object]) -> None:
    without(objects, "INSTANCE_NAME")


def _pool(objects: dict[str, Object]) -> None:
    objects["ConfigMap"]["data"]["POSTGRES_MAX_CONNECTIONS"] = "40"


def _class_by_annotation(objects: dict[str, Object]) -> None:
    del objects["Ingress"]["spec"]["ingressClassName"]
    objects["Ingress"]["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "traefik"


def _mounted(objects: dict[str, Object]) -> None:
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "by-hand"}}]
    container(objects)["volumeMounts"] = [{"name": "data", "mountPath": "/convex/data"}]


def _placed(objects: dict[str, Object]) -> None:
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    pod["nodeSelector"] = {"disk": "ssd"}
    pod["imagePullSecrets"] = [{"name": "registry"}]
    pod["serviceAccountName"] = "reader"


def _own_image(objects: dict[str, Object]) -> None:
    container(objects)["image"] = f"registry.example.com:5000/convex-backend@sha256:{'a' * 64}"


def _retention(seconds: str) -> Edit:
    def edit(objects: dict[str, Object]) -> None:
        objects["ConfigMap"]["data"]["DOCUMENT_RETENTION_DELAY"] = seconds

    return edit


def _config(name: str, value: str) -> Edit:
    def edit(objects: dict[str, Object]) -> None:
        objects["ConfigMap"]["data"][name] = value

    return edit


RUNS: dict[str, tuple[Edit, str, Any]] = {
    "one other bucket": (_rename_bucket, "s3.bucket", "ours"),
    "a bucket of its own": (_own_bucket_for_files, "s3.buckets", {"files": "photos"}),
    "S3 half set is local files, for good": (_half_s3, "s3.enabled", False),
    "local files without a volume, behind Ingress": (_half_s3, "backend.persistence", {"allowEphemeralData": True}),
    "a region in sight": (_region_in_sight, "s3.region", "eu-central-1"),
    "AWS's own endpoint": (_no_endpoint, "s3.keys.endpoint", ""),
    "no access keys": (_no_keys, "s3.credentials", "ambient"),
    "path style": (_path_style, "s3.forcePathStyle", True),
    "another database Secret": (_other_database_keys, "postgres.existingSecret", "db"),
    "other keys in it": (
        _other_database_keys,
        "postgres.keys",
        {"url": "url", "instanceName": "name", "instanceSecret": "secret"},
    ),
    "MySQL": (_mysql, "mysql", {"enabled": True, "existingSecret": DATABASE_SECRET}),
    "the deprecated variable is Postgres": (_deprecated, "postgres", {"enabled": True}),
    "an instance secret elsewhere": (
        _own_instance_secret,
        "instance",
        {"existingSecret": "instance", "keys": {"instanceSecret": "hex"}},
    ),
    "an instance name in sight": (_name_in_sight, "instance.name", "shop"),
    "no instance name": (_no_name, "instance.name", "convex-self-hosted"),
    "a pool": (_pool, "postgres.maxConnections", 40),
    "an Ingress class by annotation": (_class_by_annotation, "ingress.className", "traefik"),
    "a host of HTTP actions": (_site, "ingress.site", {"host": "site.example.com"}),
    "a claim that is mounted": (_mounted, "backend.persistence", {"enabled": True, "existingClaim": "by-hand"}),
    "a node selector": (_placed, "backend.nodeSelector", {"disk": "ssd"}),
    "pull secrets": (_placed, "imagePullSecrets", [{"name": "registry"}]),
    "a service account": (_placed, "backend.serviceAccountName", "reader"),
    "a mirror": (_own_image, "backend.image.repository", "registry.example.com:5000/convex-backend"),
    "a digest": (_own_image, "backend.image.digest", f"sha256:{'a' * 64}"),
    "the retention that we would set": (_retention("172800"), "backend.env.DOCUMENT_RETENTION_DELAY", None),
    "another retention": (_retention("86400"), "backend.env.DOCUMENT_RETENTION_DELAY", "86400"),
    "the concurrency that we would set": (
        _config("APPLICATION_MAX_CONCURRENT_V8_ACTIONS", "16"),
        "backend.env.APPLICATION_MAX_CONCURRENT_V8_ACTIONS",
        None,
    ),
    "another concurrency": (
        _config("APPLICATION_MAX_CONCURRENT_NODE_ACTIONS", "100"),
        "backend.env.APPLICATION_MAX_CONCURRENT_NODE_ACTIONS",
        "100",
    ),
    "a knob": (_config("HTTP_SERVER_TIMEOUT_SECONDS", "600"), "backend.env.HTTP_SERVER_TIMEOUT_SECONDS", "600"),
    "a variable of the runtime": (_config("TZ", "Europe/Berlin"), "backend.env.TZ", "Europe/Berlin"),
    "what is on by presence, whatever it says": (
        _config("DISABLE_BEACON", "false"),
        "backend.env.DISABLE_BEACON",
        True,
    ),
    "the switch for TLS is not carried over": (_config("DO_NOT_REQUIRE_SSL", "false"), "convexConfig", None),
}


@pytest.mark.parametrize(("edit", "key", "expected"), RUNS.values(), ids=RUNS)
def test_what_the_release_runs(tmp_path: Path, edit: Edit, key: str, expected: Any) -> None:
    assert at(derive(release(tmp_path, edit=edit), None).values, key) == expected


def _url_in_sight(objects: dict[str, Object]) -> None:
    entry = variable(objects, "POSTGRES_URL")
    del entry["valueFrom"]
    entry["value"] = "postgresql://user:example-password@db:5432"


def _secret_in_sight(objects: dict[str, Object]) -> None:
    entry = variable(objects, "INSTANCE_SECRET")
    del entry["valueFrom"]
    entry["value"] = "ab" * 32


LOST: dict[str, tuple[Edit, str]] = {
    "a database URL in the manifest": (_url_in_sight, "put it into the Secret that postgres.existingSecret names"),
    "an instance secret in the manifest": (_secret_in_sight, "instance.existingSecret"),
    "a secret by its name": (
        _config("STRIPE_API_KEY", "example-password"),
        "STRIPE_API_KEY, which looks like a secret",
    ),
    "CA certificates of Node.js": (_config("NODE_EXTRA_CA_CERTS", "/etc/x/ca.crt"), "named in backend.extraCaSecret"),
    "a number that never counted": (
        _config("HTTP_SERVER_TIMEOUT_SECONDS", "5m"),
        "HTTP_SERVER_TIMEOUT_SECONDS: must be",
    ),
}


@pytest.mark.parametrize(("edit", "said"), LOST.values(), ids=LOST)
def test_what_has_no_place_in_an_overlay_is_told_and_never_shown(tmp_path: Path, edit: Edit, said: str) -> None:
    its_release = release(tmp_path, edit=edit)
    derived = derive(its_release, None)
    assert any(said in entry for entry in derived.lost)
    content = derived.text(its_release)
    assert "example-password" not in content
    assert "ab" * 32 not in content


KEYS: dict[str, tuple[list[Object] | None, dict[str, str]]] = {
    "the release's keys, as nobody can look": (None, S3_KEYS["keys"]),
    "the release's keys, which are there": (
        secrets(convex_s3_credentials=(*ACCESS_KEYS, "AWS_S3_ENDPOINT", "AWS_S3_REGION")),
        S3_KEYS["keys"],
    ),
    "the README's keys, because those are there": (
        secrets(convex_s3_credentials=(*ACCESS_KEYS, "AWS_ENDPOINT", "AWS_REGION")),
        {},
    ),
    "one of each": (
        secrets(convex_s3_credentials=(*ACCESS_KEYS, "AWS_ENDPOINT", "AWS_S3_REGION")),
        {"region": "AWS_S3_REGION"},
    ),
    "the release's keys, where neither is there": (secrets(convex_s3_credentials=ACCESS_KEYS), S3_KEYS["keys"]),
}


@pytest.mark.parametrize(("there", "expected"), KEYS.values(), ids=KEYS)
def test_the_keys_of_the_s3_secret(tmp_path: Path, there: list[Object] | None, expected: dict[str, str]) -> None:
    assert (at(derive(release(tmp_path), there).values, "s3.keys") or {}) == expected


SOURCES: dict[str, tuple[list[Object], bool]] = {
    "no such Secret": ([], False),
    "the admin key alone": (secrets(convex_secrets=("CONVEX_SELF_HOSTED_ADMIN_KEY",)), False),
    "a key besides": (secrets(convex_secrets=("CONVEX_SELF_HOSTED_ADMIN_KEY", "OPENAI_API_KEY")), True),
}


@pytest.mark.parametrize(("there", "kept"), SOURCES.values(), ids=SOURCES)
def test_a_secret_that_is_handed_over_whole_is_kept_where_a_key_would_be_missed(
    tmp_path: Path, there: list[Object], kept: bool
) -> None:
    expected = [{"secretRef": {"name": "convex-secrets", "optional": True}}] if kept else None
    assert at(derive(release(tmp_path), there).values, "backend.envFrom") == expected


def _all_from_one_secret(objects: dict[str, Object]) -> None:
    """As an older chart has it: the database's Secret whole, and no S3 but what that Secret may say."""
    its = container(objects)
    its["env"] = []
    its["envFrom"].append({"secretRef": {"name": DATABASE_SECRET}})


IN_ONE_SECRET = ("DATABASE_URL", "INSTANCE_NAME", "INSTANCE_SECRET")
BUCKETS = tuple(f"S3_STORAGE_{word}_BUCKET" for word in ("EXPORTS", "SNAPSHOT_IMPORTS", "MODULES", "FILES", "SEARCH"))


@pytest.mark.parametrize(
    ("further", "source"), [((), None), (("AWS_REGION", *BUCKETS), [{"secretRef": {"name": DATABASE_SECRET}}])]
)
def test_an_older_release_that_takes_its_secret_whole(
    tmp_path: Path, further: tuple[str, ...], source: list[Object] | None
) -> None:
    its_release = release(tmp_path, edit=_all_from_one_secret)
    there = secrets(convex_postgres_secret=(*IN_ONE_SECRET, *further))
    values = derive(its_release, there).values
    assert values["postgres"] == {"enabled": True}
    assert values["s3"] == {"enabled": False}
    assert at(values, "backend.envFrom") == source
    before = predict([*its_release.manifests, *there]).backends[0]
    assert before.files.value == ("s3" if further else "disk")


# The command.


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and a machine without kubectl and Helm."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    return tmp_path


def stub(project: Path, program: str, script: str) -> None:
    path = project / "programs" / program
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


def adopt(capsys: pytest.CaptureFixture[str], project: Path, *arguments: str, kind: str = EXAMPLE) -> Done:
    files = ["--values", str(VALUES[kind]), "--manifest", str(RENDERED / f"{kind}.yaml"), "-n", "shop"]
    where = ["--overlays", str(project / "overlays"), "-o", str(project / "dist")]
    return run(capsys, "adopt", RELEASE, *files, *where, *arguments)


def test_files_are_enough_to_write_the_environment_without_a_cluster(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = adopt(capsys, project)
    assert done.code == 0
    assert "overlays/convex.yaml: written" in done.stdout
    assert "error presence-false: DO_NOT_REQUIRE_SSL" in done.stdout
    assert "The database must offer TLS" in " ".join(done.stdout.split())
    assert "The cluster cannot be asked" in done.stderr
    assert (project / "dist" / "convex" / "convex.k8s.yaml").exists()


def test_an_overlay_that_is_there_is_taken_as_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adopt(capsys, project)
    overlay = project / "overlays" / "convex.yaml"
    overlay.write_text(f"{overlay.read_text()}convexConfig:\n  requireSsl: false\n")
    edited = overlay.read_text()
    done = adopt(capsys, project)
    assert (done.code, overlay.read_text()) == (0, edited)
    assert "is used unchanged" in done.stdout
    assert "The database must offer TLS" not in " ".join(done.stdout.split())
    done = adopt(capsys, project, "--force")
    assert done.code == 0
    assert "requireSsl" not in overlay.read_text()


@pytest.mark.parametrize("line", ["releaseName: other", "releaseName: convex\nnamespace: elsewhere"])
def test_an_overlay_of_another_environment_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (project / "overlays").mkdir()
    overlay = project / "overlays" / "convex.yaml"
    overlay.write_text(f"{line}\n")
    done = adopt(capsys, project)
    assert done.code == 1
    assert "is another environment" in done.stderr
    assert overlay.read_text() == f"{line}\n"
    assert not (project / "dist").exists()
    assert adopt(capsys, project, "--name", "mine").code == 0


def test_what_loses_data_stops_it_until_the_overlay_acknowledges_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = adopt(capsys, project, kind=PORT_FORWARD)
    assert done.code == 3
    assert "convex: claim: none -> convex-backend-pvc" in done.stderr
    assert "npx convex export" in done.stderr
    assert not (project / "dist").exists()
    overlay = project / "overlays" / "convex.yaml"
    overlay.write_text(overlay.read_text() + done.stderr[done.stderr.index("\nacknowledge:") :])
    assert adopt(capsys, project, kind=PORT_FORWARD).code == 0


def test_what_is_in_the_container_alone_stops_it_without_a_claim_too(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    documents = list(yaml.safe_load_all((RENDERED / f"{PORT_FORWARD}.yaml").read_text()))
    rendered, values = tmp_path / "rendered.yaml", tmp_path / "values.yaml"
    rendered.write_text(yaml.safe_dump_all(one for one in documents if one and one["kind"] != "PersistentVolumeClaim"))
    values.write_text("{}\n")
    words = ("--values", str(values), "--manifest", str(rendered), "-o", str(project / "dist"))
    where = (RELEASE, "-n", "shop", "--overlays", str(project / "overlays"), *words)
    done = run(capsys, "adopt", *where)
    assert done.code == 3
    assert "goes with it: the documents (SQLite) and the instance secret" in " ".join(done.stderr.split())
    assert not (project / "dist").exists()
    overlay = project / "overlays" / "convex.yaml"
    overlay.write_text(overlay.read_text() + done.stderr[done.stderr.index("\nacknowledge:") :])
    done = run(capsys, "adopt", *where)
    assert done.code == 0
    assert "acknowledge" not in done.stderr


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "one file alone": (["--values", "x"], 2, "--values and --manifest go together"),
    "applying without asking anybody": (["--apply"], 2, "there is no terminal: add --yes"),
    "a name that makes no folder": (["--name", "A.b"], 2, "lower-case letters, digits and dashes"),
    "a time that is none": (["--timeout", "soon"], 2, "must be a time like 90s or 10m"),
    "no Helm": ([], 1, "helm is not installed"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str) -> None:
    done = run(capsys, "adopt", RELEASE, "-n", "shop", "--overlays", str(project / "overlays"), *arguments)
    assert done.code == code
    assert said in done.stderr
    assert not (project / "overlays").exists()


@pytest.mark.parametrize("state", ["pending-upgrade", "failed"])
@pytest.mark.process
def test_a_release_that_is_not_deployed_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    status = json.dumps({"name": RELEASE, "namespace": "shop", "version": 4, "info": {"status": state}})
    stub(project, "helm", f"echo '{status}'")
    done = run(capsys, "adopt", RELEASE, "-n", "shop", "--overlays", str(project / "overlays"))
    assert done.code == 1
    assert f"revision 4 is in the state {state}" in done.stderr


def _renamed(objects: dict[str, Object]) -> None:
    objects["StatefulSet"]["metadata"]["name"] = "other"


def _elsewhere(objects: dict[str, Object]) -> None:
    objects["ConfigMap"]["metadata"]["namespace"] = "convex"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(_renamed, "StatefulSet/convex-backend is not in its manifest", id="another chart"),
        pytest.param(_elsewhere, "ConfigMap/convex-config in convex", id="two namespaces"),
    ],
)
def test_a_release_that_cannot_be_adopted_in_place(tmp_path: Path, edit: Edit, said: str) -> None:
    with pytest.raises(UserError, match=said):
        release(tmp_path, edit=edit)


def test_a_release_that_runs_something_else_is_refused(tmp_path: Path) -> None:
    def something_else(objects: dict[str, Object]) -> None:
        its = container(objects)
        its["image"], its["ports"] = "nginx", []

    with pytest.raises(UserError, match="runs no Convex backend"):
        derive(release(tmp_path, edit=something_else), None)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("[" * 50_000 + "]" * 50_000, "is nested too deeply"),
        ("kind: List\nitems: &items\n- *items\n", "has an alias that contains itself"),
    ],
)
def test_a_manifest_that_nests_without_end(tmp_path: Path, manifest: str, said: str) -> None:
    values, file = tmp_path / "values.yaml", tmp_path / "manifest.yaml"
    values.touch()
    file.write_text(manifest)
    with pytest.raises(UserError, match=said):
        from_files(RELEASE, "shop", values, file)
