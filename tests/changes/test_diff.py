"""`diff`: what synth would change, object by object and field by field, with the changed decisions on top."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from convex_k8s.secrecy import NOT_SHOWN

from convexctl import cli
from convexctl.changes.compare_objects import ABSENT, FieldChange, compare, without_bookkeeping
from convexctl.changes.diff import _LEAVING, all_manifests
from convexctl.changes.hidden_values import without_secrets
from convexctl.changes.remarks import remarks
from convexctl.changes.removed_objects import deletions
from tests.support.overlay_cases import SAMPLES, environment_of

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"name": "api", "port": 1}]},
}


def with_ports(*ports: dict[str, object]) -> dict[str, object]:
    return {**SERVICE, "spec": {"ports": list(ports)}}


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dist/ of the samples."""
    folder = tmp_path_factory.mktemp("samples") / "dist"
    assert cli.run(["synth", "--quiet", "--overlays", str(SAMPLES), "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def project(tmp_path: Path, synthesised: Path) -> Path:
    """The samples and their dist/, to be changed."""
    shutil.copytree(SAMPLES, tmp_path / "overlays")
    shutil.copytree(synthesised, tmp_path / "dist")
    return tmp_path


def diff(project: Path, *arguments: str) -> int:
    return cli.run(["diff", *arguments, "--overlays", str(project / "overlays"), "-o", str(project / "dist")])


def change(project: Path, old: str, new: str) -> None:
    overlay = project / "overlays" / "production.yaml"
    assert old in overlay.read_text()
    overlay.write_text(overlay.read_text().replace(old, new))


def test_an_element_of_a_list_is_told_by_its_name_and_not_by_its_index() -> None:
    after = with_ports({"name": "metrics", "port": 9}, {"name": "api", "port": 2})
    (changed,) = compare([SERVICE], [after])
    assert [(field.path, field.kind) for field in changed.fields] == [
        ("spec.ports[api].port", "changed"),
        ("spec.ports[metrics]", "added"),
    ]


def test_a_key_with_a_dot_or_a_slash_is_quoted() -> None:
    before, after = ({**SERVICE, "spec": {"selector": {"a/b": n, "c.d": n, "e": n}}} for n in (1, 2))
    (changed,) = compare([before], [after])
    assert [field.path for field in changed.fields] == [
        'spec.selector["a/b"]',
        'spec.selector["c.d"]',
        "spec.selector.e",
    ]


def test_what_the_api_server_writes_for_itself_is_left_out() -> None:
    annotations = {"mine": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    metadata = {"name": "s", "uid": "u", "resourceVersion": "7", "managedFields": [], "generation": 2}
    live = {**SERVICE, "metadata": {**metadata, "annotations": annotations}, "status": {"loadBalancer": {}}}
    assert without_bookkeeping(live) == {**SERVICE, "metadata": {"name": "s", "annotations": {"mine": "1"}}}
    del annotations["mine"]
    assert without_bookkeeping(live) == SERVICE
    assert without_bookkeeping({"kind": "Service", "metadata": None}) == {"kind": "Service", "metadata": {}}


def test_a_reordered_list_is_one_change() -> None:
    one, two = {"name": "a", "port": 1}, {"name": "b", "port": 2}
    (changed,) = compare([with_ports(one, two)], [with_ports(two, one)])
    assert [(field.path, field.before, field.after) for field in changed.fields] == [
        ("spec.ports (order)", ["a", "b"], ["b", "a"])
    ]


def test_elements_without_a_name_of_their_own_are_compared_as_a_whole() -> None:
    (changed,) = compare([{**SERVICE, "spec": {"x": [1, 2]}}], [{**SERVICE, "spec": {"x": [1, 3]}}])
    assert [(field.path, field.before, field.after) for field in changed.fields] == [("spec.x", [1, 2], [1, 3])]


def test_the_type_of_a_claim_template_is_no_change() -> None:
    template = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    typed = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **template}
    untyped_set, typed_set = ({**SERVICE, "spec": {"volumeClaimTemplates": [one]}} for one in (template, typed))
    assert compare([untyped_set], [typed_set]) == compare([typed_set], [untyped_set]) == []
    other = {**typed, "kind": "Other"}
    assert len(compare([untyped_set], [{**SERVICE, "spec": {"volumeClaimTemplates": [other]}}])) == 1


def test_a_map_that_becomes_a_list_is_a_change_of_the_whole() -> None:
    one, none, many = {"name": "a"}, dict[str, str](), [{"name": "a"}]
    for before, after in ((one, many), (many, one), (none, many), (many, none)):
        (changed,) = compare([{**SERVICE, "spec": {"x": before}}], [{**SERVICE, "spec": {"x": after}}])
        assert [(field.path, field.before, field.after) for field in changed.fields] == [("spec.x", before, after)]


def test_a_string_that_becomes_a_number_is_a_change() -> None:
    (changed,) = compare([{**SERVICE, "spec": {"x": "1"}}], [{**SERVICE, "spec": {"x": 1}}])
    assert changed.fields[0].kind == "changed"


def test_objects_come_and_go() -> None:
    other = {"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    assert [(item.identity, item.kind) for item in compare([SERVICE], [other])] == [
        ("ConfigMap/c (n)", "added"),
        ("Service/s", "removed"),
    ]


def test_an_absent_value_is_not_null() -> None:
    (changed,) = compare([SERVICE], [{**SERVICE, "spec": {**SERVICE["spec"], "x": None}}])  # type: ignore[dict-item]
    assert (changed.fields[0].before, changed.fields[0].after) == (ABSENT, None)


def test_without_changes_the_exit_code_is_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(project) == 0
    assert capsys.readouterr().out == "local: unchanged\nproduction: unchanged\n"


def test_changed_decisions_come_first_then_objects(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "maxConnections: 64", "maxConnections: 32")
    assert diff(project, "production") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "production: changed",
        "  what the pods will do:",
        "    ~ StatefulSet/convex-backend Connections to the database: at most 64 -> at most 32",
    ]
    assert '      ~ data.POSTGRES_MAX_CONNECTIONS: "64" -> "32"' in lines


def test_manifests_without_a_backend_have_nothing_that_cannot_be_undone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "dist" / "local" / "convex.k8s.yaml").write_text(json.dumps(SERVICE))
    assert diff(project, "local") == 1
    said = capsys.readouterr().out
    assert "  - Service/s\n" in said
    assert "cannot be undone" not in said


def test_what_cannot_be_undone_comes_first_of_all(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "bucket: convex-production", "bucket: elsewhere")
    happens = "another bucket is another place: deployed functions, files and search indexes stay in the old one"

    assert diff(project, "production") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["production: changed", "  what cannot be undone:"]
    assert lines[2].startswith("    ! files-buckets: convex-production") and happens in lines[2]
    assert lines[3] == "  what the pods will do:"

    diff(project, "production", "--format", "markdown")
    assert capsys.readouterr().out.splitlines()[2:4] == ["> [!WARNING]", "> What cannot be undone:"]

    diff(project, "production", "--format", "json")
    (environment,) = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in environment["irreversible"]] == ["files-buckets"]


SECRETS = {
    "an instance secret by its name": ("INSTANCE_SECRET", "not-even-hex"),
    "a password in a URL": ("MY_URL", "https://me:hunter2@example.com"),
    "a key by its form": ("MY_ID", "AKIAIOSFODNN7EXAMPLE"),
    "an option": ("MY_START", "./run --instance-secret=hunter2 --now"),
    "a header": ("MY_SNIPPET", "'Authorization: Basic aHVudGVyMg=='"),
    "a token in a header": ("MY_CURL", "curl -H x:Bearer abcdefghijklmnop"),
    "64 hex digits in a longer text": ("MY_SCRIPT", f"run {'5f' * 32} now"),
    "an assignment": ("MY_SHELL", "export DB_PASSWORD=hunter2; run"),
}


@pytest.mark.parametrize("format", ["text", "markdown", "json"])
@pytest.mark.parametrize(("name", "value"), SECRETS.values(), ids=SECRETS)
def test_a_secret_that_somebody_left_in_the_manifests_is_not_shown(
    project: Path, capsys: pytest.CaptureFixture[str], format: str, name: str, value: str
) -> None:
    file = project / "dist" / "production" / "convex.k8s.yaml"
    text = file.read_text()
    literal = f"            - name: {name}\n              value: {value}\n"
    in_config = f"  {name}: {value}\n"
    file.write_text(
        text.replace("        - env:\n", f"        - env:\n{literal}", 1).replace("data:\n", f"data:\n{in_config}", 1)
    )
    assert diff(project, "production", "--format", format) == 1
    said = capsys.readouterr().out
    assert (value in said, said.count("(not shown: it looks like a secret)")) == (False, 2)


@pytest.mark.parametrize("option", ["--instance-secret", "--admin-key", "-password"])
def test_what_follows_an_option_for_a_secret_is_not_shown(option: str) -> None:
    field = FieldChange("spec.args", ABSENT, ["--port", "3210", option, "hunter2"])
    assert without_secrets(field).after == ["--port", "3210", option, NOT_SHOWN]


@pytest.mark.parametrize(
    "text", [f"ghcr.io/x@sha256:{'5f' * 32}", "$DB_PASSWORD", "PASSWORD=$DB_PASSWORD", "the key is in the Secret"]
)
def test_what_names_no_secret_is_shown(text: str) -> None:
    assert without_secrets(FieldChange("spec.x", text, ABSENT)).before == text


def test_a_checksum_is_no_secret(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "maxConnections: 64", "maxConnections: 32")
    diff(project, "production")
    assert re.search(r'checksum/config[^:]*: "[0-9a-f]{64}" -> "[0-9a-f]{64}"', capsys.readouterr().out)


def test_a_checksum_is_no_secret_in_a_map_either() -> None:
    given = {"checksum/config": "a" * 64, "other": "b" * 64}
    shown = without_secrets(FieldChange("metadata.annotations", ABSENT, given)).after
    assert shown == {"checksum/config": "a" * 64, "other": NOT_SHOWN}


def test_the_folder_is_the_one_that_synth_writes_to(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDK8S_OUTDIR", str(project / "dist"))
    assert cli.run(["diff", "--overlays", str(project / "overlays")]) == 0
    monkeypatch.setenv("CDK8S_OUTDIR", str(project / "elsewhere"))
    assert cli.run(["diff", "--overlays", str(project / "overlays")]) == 1


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 1", 1), ("exit 3", 2), ("kill -KILL $$", 2)])
def test_the_exit_code_of_kubectl_counts_and_a_kill_is_trouble(
    project: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: int
) -> None:
    kubectl = project / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f'#!/bin/sh\n[ "$1" != diff ] && echo \'{{"gitVersion": "v1.36.3"}}\' && exit\n{script}\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:/usr/bin:/bin")
    assert diff(project, "production", "--live") == code


TEMPLATE_TYPE = "    - apiVersion: v1\n      kind: PersistentVolumeClaim\n      metadata:"


def test_manifests_that_differ_in_no_object_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "dist" / "local" / "convex.k8s.yaml"
    assert TEMPLATE_TYPE in file.read_text()
    file.write_text(file.read_text().replace(TEMPLATE_TYPE, "    - metadata:"))
    assert diff(project, "local") == 1
    assert capsys.readouterr().out == "local: changed\n  also: convex.k8s.yaml\n"


def test_nothing_is_written(project: Path) -> None:
    change(project, "maxConnections: 64", "maxConnections: 32")
    before = {path: path.read_bytes() for path in (project / "dist").rglob("*") if path.is_file()}
    diff(project)
    assert before == {path: path.read_bytes() for path in (project / "dist").rglob("*") if path.is_file()}


def test_markdown_for_a_pull_request(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "maxConnections: 64", "maxConnections: 32")
    assert diff(project, "production", "--format", "markdown") == 1
    text = capsys.readouterr().out
    assert "| Connections to the database (StatefulSet/convex-backend) | at most 64 | at most 32 |" in text
    assert '- data.POSTGRES_MAX_CONNECTIONS: "64"\n+ data.POSTGRES_MAX_CONNECTIONS: "32"' in text


def test_json_for_machines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "maxConnections: 64", "maxConnections: 32")
    assert diff(project, "production", "--format", "json") == 1
    (environment,) = json.loads(capsys.readouterr().out)
    assert environment["state"] == "changed"
    assert [decision["after"] for decision in environment["decisions"]] == [32]
    assert {"path": "data.POSTGRES_MAX_CONNECTIONS", "kind": "changed", "before": "64", "after": "32"} in environment[
        "objects"
    ][0]["fields"]


def test_a_new_overlay_and_one_that_is_gone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "overlays" / "local.yaml").rename(project / "overlays" / "laptop.yaml")
    assert diff(project) == 1
    text = capsys.readouterr().out
    assert "laptop: new\n" in text
    assert "local: removed\n" in text
    assert text.count("StatefulSet/convex-local-backend") == 2


def test_a_broken_overlay_is_trouble_and_not_a_difference(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "className: traefik", "classname: traefik")
    assert diff(project) == 2
    assert "did you mean ingress.className?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"a: ]", "is not valid YAML", id="no YAML"),
        pytest.param(b"&a [*a]", "has an alias that contains itself", id="a loop"),
        pytest.param(b"[" * 50_000 + b"]" * 50_000, "is nested too deeply", id="bottomless"),
    ],
)
def test_a_broken_file_in_dist_is_trouble(
    project: Path, capsys: pytest.CaptureFixture[str], content: bytes, fault: str
) -> None:
    (project / "dist" / "local" / "convex.k8s.yaml").write_bytes(content)
    assert diff(project) == 2
    assert f"convex.k8s.yaml:1: {fault}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "a: 1",
        "- 1",
        "{kind: Service, metadata: {name: s}}",
        "{apiVersion: v1, metadata: {name: s}}",
        "{apiVersion: v1, kind: Service}",
        "{apiVersion: v1, kind: Service, metadata: s}",
        "{apiVersion: v1, kind: Service, metadata: {name: 1}}",
        "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: {}}}",
    ],
)
def test_a_document_in_dist_that_is_no_object_is_trouble(
    project: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (project / "dist" / "local" / "convex.k8s.yaml").write_text(f"---\n{content}\n")
    assert diff(project, "local") == 2
    assert "convex.k8s.yaml: holds a document that is not an object with apiVersion" in capsys.readouterr().err


def test_an_object_in_dist_may_have_no_namespace(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dist" / "local" / "convex.k8s.yaml").write_text(
        "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: null}}\n"
    )
    assert diff(project, "local") == 1
    assert "Service/s" in capsys.readouterr().out


def test_a_file_in_dist_that_is_no_text_is_a_difference(project: Path) -> None:
    (project / "dist" / "local" / "README.md").write_bytes(b"\xff\xfe")
    assert diff(project) == 1


def test_it_ends_with_the_line_that_deletes_what_goes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "ingress:\n  enabled: true", "ingress:\n  enabled: false")
    assert diff(project, "production") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "    kubectl delete ingress/convex-ingress" in lines[lines.index(f"  {_LEAVING}") :]
    assert diff(project, "production", "--format", "markdown") == 1
    assert f"{_LEAVING}\n\n```sh\nkubectl delete ingress/convex-ingress\n```" in capsys.readouterr().out
    (project / "overlays" / "local.yaml").unlink()
    assert diff(project, "--format", "json") == 1
    (gone,) = [each for each in json.loads(capsys.readouterr().out) if each["state"] == "removed"]
    assert "statefulset/convex-local-backend" in gone["deletions"][0].split()


def test_kinds_of_others_and_other_namespaces_are_named_in_full_and_what_holds_data_is_left_out() -> None:
    def thing(version: str, kind: str, namespace: str = "") -> dict[str, object]:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": namespace}}

    before = [
        thing("v1", "Namespace"),
        thing("v1", "PersistentVolumeClaim", "shop"),
        thing("v1", "PersistentVolume"),
        thing("postgresql.cnpg.io/v1", "Cluster", "shop"),
        thing("external-secrets.io/v1", "ExternalSecret", "shop"),
        thing("apps/v1", "Deployment", "shop"),
        thing("v1", "ConfigMap"),
    ]
    assert deletions(before, before[5:6]) == [
        "kubectl -n shop delete externalsecret.external-secrets.io/a",
        "kubectl delete configmap/a",
    ]


EDGE = "{enabled: true, %s dashboard: {host: d.acme.io}, backend: {host: a.acme.io}}"
INGRESS, GATEWAY = f"ingress: {EDGE % 'className: traefik,'}", f"gateway: {EDGE % 'create: {className: c},'}"
POLICY = f"{INGRESS}\nnetworkPolicy: {{enabled: true, ingressNSMatchLabels: {{kubernetes.io/metadata.name: traefik}}}}"
BUCKET = "backup: {enabled: true, s3: {bucket: old-backups, region: eu, existingSecret: b}}"
CLAIM = "backup: {enabled: true, destination: claim, claim: {existingClaim: new-claim}}"
REMARKS = [
    (
        "a policy",
        INGRESS,
        POLICY,
        ["the pods app.kubernetes.io/", "Callers: namespace traefik on 3210, 3211", "on 6791"],
    ),
    ("no policy", POLICY, INGRESS, ["no NetworkPolicy is left"]),
    (
        "another place of backups",
        BUCKET,
        CLAIM,
        ["writes to claim new-claim from now on. The backups in bucket old-b"],
    ),
    ("no backups", CLAIM, "", ["no more backups are made. Those in claim new-claim stay"]),
    ("no Namespace", "createNamespace: true", "", ["Namespace/shop is no longer in the files"]),
    ("another edge", INGRESS, GATEWAY, ["a.acme.io and d.acme.io: the Gateway answers instead of the Ingress"]),
    ("no edge", GATEWAY, "", ["nothing leads from a.acme.io and d.acme.io to Convex any more"]),
    ("a second edge", INGRESS, f"{INGRESS}\n{GATEWAY}", []),
    ("the first backups", "", BUCKET, []),
]


@pytest.mark.parametrize(("before", "after", "said"), [case[1:] for case in REMARKS], ids=[case[0] for case in REMARKS])
def test_what_a_change_means_is_said(before: str, after: str, said: list[str]) -> None:
    old, new = (
        all_manifests(environment_of(f"postgres: {{enabled: true}}\nnamespace: shop\n{text}"))
        for text in (before, after)
    )
    found = list(remarks(old, new))
    assert len(found) == len(said)
    for sentence, part in zip(found, said, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    ("spec", "listed"),
    [
        ({}, "to"),
        ({"egress": [{}]}, "to and from"),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, "from"),
        ({"policyTypes": ["Ingress", "Egress"]}, "to and from"),
    ],
)
def test_a_policy_without_types_lists_connections_to_the_pods(spec: dict[str, object], listed: str) -> None:
    """And from them if it has rules for that, as the API server fills in."""
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "own"}, "spec": {"podSelector": {}, **spec}}
    (said,) = remarks([], [policy])
    assert said.startswith(f"NetworkPolicy/own is new: connections {listed} every pod that no policy lists")


def test_each_form_says_what_a_change_means(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project, "ingress:\n  enabled: true", "ingress:\n  enabled: false")
    sentence = "nothing leads from api.example.com and dashboard.example.com to Convex any more"
    assert diff(project, "production") == 1
    assert f"  what that means:\n    {sentence}\n" in capsys.readouterr().out
    assert diff(project, "production", "--format", "markdown") == 1
    assert f"What that means:\n\n- {sentence}\n" in capsys.readouterr().out
    assert diff(project, "production", "--format", "json") == 1
    assert json.loads(capsys.readouterr().out)[0]["remarks"] == [sentence]
