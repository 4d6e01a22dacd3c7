"""Sealed Secrets: what `secrets --seal` keeps beside the overlay, and what synth takes into `dist/`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.overlays.names import OverlayError
from convexctl.secrets.admin_key import open_admin_key
from convexctl.secrets.needed import VARIABLES
from convexctl.secrets.value_rules import generate_instance_secret
from convexctl.synth.environment import synthesise_all
from tests.support.command_line import Done, assert_none_of, run
from tests.support.kubectl_stub import KubectlStub
from tests.support.sealing_key import SealingKey

HIDDEN = "hunter2"
URL = f"postgresql://convex:{HIDDEN}@db.example.com:5432"
VALUES = {
    "POSTGRES_URL": URL,
    "INSTANCE_NAME": "convex-prod",
    "AWS_ACCESS_KEY_ID": "AKID-hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2/secret+key",
    "AWS_REGION": "eu-central-1",
}
OVERLAY = "{namespace: convex, postgres: {enabled: true}, secrets: {provider: sealed-secrets}}"
POSTGRES, S3, ADMIN = "convex-postgres-secret", "convex-s3-credentials", "convex-secrets"
ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"

Runner = Callable[..., Done]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SealingKey:
    return SealingKey(tmp_path_factory.mktemp("sealing"))


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    folder = tmp_path / "overlays"
    folder.mkdir()
    (folder / "prod.yaml").write_text(OVERLAY)
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> KubectlStub:
    return KubectlStub(tmp_path / "kubectl")


@pytest.fixture
def seal(
    key: SealingKey,
    overlays: Path,
    cluster: KubectlStub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Runner:
    """Runs `secrets prod --seal`; neither its output nor its file has a value in it."""
    for name in [*VARIABLES, "DATABASE_URL", "AWS_ENDPOINT"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(cluster.programs), str(key.programs), os.environ["PATH"]]))

    def run_seal(*arguments: str, ask_controller: bool = False, **environment: str) -> Done:
        with monkeypatch.context() as context:
            for name, value in environment.items():
                context.setenv(name, value)
            given = ask_controller or "--cert" in arguments
            certificate = () if given else ("--cert", str(key.certificate))
            done = run(capsys, "secrets", "prod", "--overlays", str(overlays), "--seal", *certificate, *arguments)
        written = "".join(path.read_text() for path in overlays.glob("sealed/*"))
        assert_none_of([HIDDEN, *VALUES.values()], written)
        assert_none_of([HIDDEN], done.stdout + done.stderr)
        return done

    return run_seal


def sealed_in(overlays: Path) -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((overlays / "sealed" / "prod.yaml").read_text())
    return {document["metadata"]["name"]: document for document in documents}


def test_the_controller_opens_what_was_sealed(seal: Runner, key: SealingKey, overlays: Path) -> None:
    done = seal(**VALUES)
    assert (done.code, done.stdout) == (
        0,
        f"{overlays}/sealed/prod.yaml: written; commit it, and `python3 main.py synth prod` takes it into dist/\n",
    )
    sealed = sealed_in(overlays)
    assert list(sealed) == [POSTGRES, S3, ADMIN]
    values = key.values(sealed[POSTGRES])
    assert values == {
        "DATABASE_URL": URL,
        "INSTANCE_NAME": "convex-prod",
        "INSTANCE_SECRET": values["INSTANCE_SECRET"],
    }
    assert key.values(sealed[S3]) == {name: VALUES[name] for name in VALUES if name.startswith("AWS")}
    open_admin_key(key.values(sealed[ADMIN])[ADMIN_KEY], "convex-prod", values["INSTANCE_SECRET"])


def test_the_secret_outlives_its_sealed_secret_and_is_updated_all_the_same(
    seal: Runner, key: SealingKey, overlays: Path
) -> None:
    seal(**VALUES)
    for sealed in sealed_in(overlays).values():
        metadata = key.secret(sealed)["metadata"]
        assert metadata["annotations"] == {
            "sealedsecrets.bitnami.com/managed": "true",
            "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
        }
        assert "ownerReferences" not in metadata


def test_it_opens_under_its_own_name_and_namespace_alone(seal: Runner, key: SealingKey, overlays: Path) -> None:
    seal(**VALUES)
    sealed = sealed_in(overlays)[POSTGRES]
    assert key.opens(sealed)
    for field in ("name", "namespace"):
        moved = {**sealed, "metadata": {**sealed["metadata"], field: "other"}}
        assert not key.opens(moved)


def test_a_second_run_changes_nothing_and_needs_no_values(seal: Runner, overlays: Path) -> None:
    seal(**VALUES)
    file = overlays / "sealed" / "prod.yaml"
    before = file.read_bytes()
    for arguments in ((), ("--offline",)):
        done = seal(*arguments)
        assert done.code == 0, done.stderr
        assert file.read_bytes() == before
        assert "WARNING" not in done.stderr


def test_only_what_is_given_is_sealed_anew(seal: Runner, key: SealingKey, overlays: Path) -> None:
    seal(**VALUES)
    before = sealed_in(overlays)
    seal(AWS_SECRET_ACCESS_KEY="hunter2-new")
    after = sealed_in(overlays)
    assert key.values(after[S3])["AWS_SECRET_ACCESS_KEY"] == "hunter2-new"
    del before[S3]["spec"]["encryptedData"]["AWS_SECRET_ACCESS_KEY"]
    del after[S3]["spec"]["encryptedData"]["AWS_SECRET_ACCESS_KEY"]
    assert after == before


def test_rotation_seals_instance_secret_and_admin_key_anew(seal: Runner, key: SealingKey, overlays: Path) -> None:
    seal(**VALUES)
    before = key.values(sealed_in(overlays)[POSTGRES])
    seal("--rotate", INSTANCE_NAME="convex-prod")
    sealed = sealed_in(overlays)
    after = key.values(sealed[POSTGRES])
    assert after["INSTANCE_SECRET"] != before["INSTANCE_SECRET"]
    assert after["DATABASE_URL"] == before["DATABASE_URL"]
    open_admin_key(key.values(sealed[ADMIN])[ADMIN_KEY], "convex-prod", after["INSTANCE_SECRET"])


def test_the_instance_secret_of_the_cluster_is_the_one_that_is_sealed(
    seal: Runner, key: SealingKey, overlays: Path, cluster: KubectlStub
) -> None:
    secret = generate_instance_secret()
    cluster.secret(POSTGRES, {"INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": secret, "username": "hunter2-user"})
    del (values := dict(VALUES))["INSTANCE_NAME"]
    done = seal(**values)
    opened = key.values(sealed_in(overlays)[POSTGRES])
    assert (opened["INSTANCE_SECRET"], opened["username"]) == (secret, "hunter2-user")
    assert f"note: the Secret {POSTGRES} was made by somebody else" in done.stderr
    assert (
        f"  kubectl annotate secret {POSTGRES} --namespace convex sealedsecrets.bitnami.com/managed=true "
        "sealedsecrets.bitnami.com/skip-set-owner-references=true\n"
    ) in done.stderr


def test_a_namespace_can_be_given_where_the_overlay_has_none(seal: Runner, key: SealingKey, overlays: Path) -> None:
    (overlays / "prod.yaml").write_text("{postgres: {enabled: true}, secrets: {provider: sealed-secrets}}")
    done = seal(**VALUES)
    assert done.code == 1
    assert "a Secret is sealed for one namespace, and the overlay names none" in done.stderr
    assert seal("--namespace", "team", **VALUES).code == 0
    assert key.secret(sealed_in(overlays)[POSTGRES])["metadata"]["namespace"] == "team"


def test_what_is_sealed_for_another_namespace_is_not_mixed_in(seal: Runner, overlays: Path) -> None:
    seal(**VALUES)
    (overlays / "prod.yaml").write_text(OVERLAY.replace("namespace: convex", "namespace: other"))
    done = seal(**VALUES)
    assert done.code == 1
    assert f"{POSTGRES} is sealed for the namespace convex, not other: delete the file" in done.stderr


def test_an_overlay_with_another_provider_is_not_sealed(seal: Runner, overlays: Path) -> None:
    (overlays / "prod.yaml").write_text("{namespace: convex, postgres: {enabled: true}}")
    done = seal(**VALUES)
    assert done.code == 1
    assert "set secrets.provider to sealed-secrets in prod" in done.stderr


def test_a_kubeseal_that_fails_leaves_the_file_alone(seal: Runner, overlays: Path, tmp_path: Path) -> None:
    seal(**VALUES)
    before = (overlays / "sealed" / "prod.yaml").read_bytes()
    (tmp_path / "no.crt").write_text("no certificate")
    done = seal("--cert", str(tmp_path / "no.crt"), AWS_REGION="eu-west-1")
    assert done.code == 1
    assert "kubeseal failed: " in done.stderr
    assert (overlays / "sealed" / "prod.yaml").read_bytes() == before


def test_without_kubeseal_it_says_so(
    seal: Runner, cluster: KubectlStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "kubectl").symlink_to(cluster.programs / "kubectl")
    monkeypatch.setenv("PATH", str(empty))
    done = seal(**VALUES)
    assert done.code == 1
    assert "kubeseal is not installed, or not on PATH" in done.stderr


def test_the_controller_is_asked_where_there_is_no_certificate(
    seal: Runner, cluster: KubectlStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    (cluster.programs / "kubeseal").write_text(
        f'#!/bin/sh\nprintf "%s " "$@" > {said}\necho "no controller" >&2\nexit 1\n'
    )
    (cluster.programs / "kubeseal").chmod(0o755)
    options = ("--controller-name", "seals", "--controller-namespace", "infra", "--context", "prod")
    done = seal(*options, ask_controller=True, **VALUES)
    assert "kubeseal failed: no controller" in done.stderr
    assert said.read_text() == (
        "--format=json --scope=strict --controller-name=seals --controller-namespace=infra --context=prod "
    )


# Synth


def test_synth_takes_the_sealed_secrets_over_as_they_are(seal: Runner, overlays: Path) -> None:
    seal(**VALUES)
    (environment,) = synthesise_all(overlays)
    taken = [manifest for manifest in environment.manifests if manifest["kind"] == "SealedSecret"]
    given = list(sealed_in(overlays).values())
    assert [manifest["spec"] for manifest in taken] == [manifest["spec"] for manifest in given]
    assert [manifest["metadata"]["name"] for manifest in taken] == [one["metadata"]["name"] for one in given]
    assert environment.manifests[: len(taken)] == taken, "they come before what needs them"


def sealed_secret(name: str, *keys: str, namespace: str = "convex") -> str:
    data = dict.fromkeys(keys, "AgBy")
    return json.dumps(
        {
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"encryptedData": data, "template": {}},
        }
    )


WHOLE = [
    sealed_secret(POSTGRES, "DATABASE_URL", "INSTANCE_NAME", "INSTANCE_SECRET"),
    sealed_secret(S3, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
]
CURE = "run `python3 main.py secrets prod --seal`"


def faults(overlays: Path, *documents: str) -> list[str]:
    if documents:
        (overlays / "sealed").mkdir()
        (overlays / "sealed" / "prod.yaml").write_text("\n---\n".join(documents))
    with pytest.raises(OverlayError) as caught:
        synthesise_all(overlays)
    return [message.removeprefix(f"{overlays}/sealed/") for message in caught.value.messages]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param([], [f"prod.yaml: is not there, and secrets.provider is sealed-secrets: {CURE}"], id="no file"),
        pytest.param(
            [sealed_secret(POSTGRES, "DATABASE_URL", "INSTANCE_NAME"), WHOLE[1]],
            [f"prod.yaml: lacks the key INSTANCE_SECRET of the Secret {POSTGRES}: {CURE}"],
            id="a key is missing",
        ),
        pytest.param(
            WHOLE[:1],
            [
                f"prod.yaml: lacks the key {key} of the Secret {S3}: {CURE}"
                for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
            ],
            id="a Secret is missing",
        ),
        pytest.param(
            [*WHOLE, '{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: "aHVudGVyMg=="}}'],
            [
                "prod.yaml:5: is a Secret in plain text: take it out of the repository, and treat its values as known "
                "to others"
            ],
            id="a plain Secret",
        ),
        pytest.param(
            [*WHOLE, "{apiVersion: v1, kind: ConfigMap}", "just text"],
            [
                "prod.yaml:5: must be a SealedSecret of bitnami.com: only these belong into this file",
                "prod.yaml:7: must be a SealedSecret of bitnami.com: only these belong into this file",
            ],
            id="other kinds",
        ),
        pytest.param(
            ["{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: x}}"],
            ["prod.yaml:1: is not a complete SealedSecret: it needs metadata.name, .namespace and spec.encryptedData"],
            id="half a SealedSecret",
        ),
        pytest.param(
            [*WHOLE, WHOLE[0]],
            [f"prod.yaml:5: {POSTGRES} is in the file twice, first in line 1"],
            id="twice",
        ),
        pytest.param(
            [WHOLE[0], WHOLE[1].replace('"namespace": "convex"', '"namespace": "other"')],
            [
                f"prod.yaml:3: {S3} is sealed for the namespace other, and the overlay's is convex: delete the file "
                f"and {CURE}"
            ],
            id="another namespace",
        ),
        pytest.param(["a: [b"], ["prod.yaml:2: is not valid YAML"], id="no YAML"),
    ],
)
def test_a_sealed_file_that_is_not_right_stops_synth(overlays: Path, documents: list[str], expected: list[str]) -> None:
    found = faults(overlays, *documents)
    assert len(found) == len(expected)
    for message, start in zip(found, expected, strict=True):
        assert message.startswith(start)


def test_without_a_namespace_all_must_be_sealed_for_the_same(overlays: Path) -> None:
    (overlays / "prod.yaml").write_text("{postgres: {enabled: true}, secrets: {provider: sealed-secrets}}")
    mixed = [WHOLE[0], WHOLE[1].replace('"namespace": "convex"', '"namespace": "other"')]
    assert faults(overlays, *mixed) == [
        f"prod.yaml: is sealed for several namespaces (convex, other): delete it and {CURE}"
    ]


def test_all_overlays_are_told_at_once_and_nothing_is_written(
    overlays: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    production = (overlays / "prod.yaml").read_text()
    (overlays / "staging.yaml").write_text(production.replace("namespace: convex", "namespace: staging"))
    (overlays / "plain.yaml").write_text("{}")
    done = run(capsys, "synth", "--overlays", str(overlays), "-o", str(tmp_path / "dist"))
    assert done.code == 1
    assert done.stderr.count("is not there, and secrets.provider is sealed-secrets") == 2
    assert not (tmp_path / "dist").exists()


def test_a_sealed_secret_of_the_users_own_is_taken_along(overlays: Path) -> None:
    (overlays / "sealed").mkdir()
    (overlays / "sealed" / "prod.yaml").write_text("\n---\n".join([*WHOLE, sealed_secret("mine", "A")]))
    (environment,) = synthesise_all(overlays)
    assert [m["metadata"]["name"] for m in environment.manifests if m["kind"] == "SealedSecret"][-1] == "mine"
