"""`adopt`: no secret of a release gets into the overlay, which is for Git, and the words about that are true."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from convexctl.adopt.draft import Draft
from tests.support.command_line import Done, run
from tests.support.overlay_cases import DATA

ATTACK = DATA / "cases" / "attack"
MANIFEST = ATTACK / "adopt-authurl.yaml"
HEX = "5f" * 32


def adopt(
    capsys: pytest.CaptureFixture[str], folder: Path, values: Path, manifest: Path = MANIFEST, *more: str
) -> Done:
    files = ("--values", str(values), "--manifest", str(manifest), "-n", "shop")
    where = ("--overlays", str(folder / "overlays"), "-o", str(folder / "dist"))
    return run(capsys, "adopt", "convex", *files, *where, *more)


@pytest.fixture(autouse=True)
def no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ("adopt-values.yaml", 'ingress.annotations["nginx.ingress.kubernetes.io/auth-url"], which looks like a secret'),
        ("adopt-values-env.yaml", "backend.env.DB_PASSWORD, which looks like a secret"),
    ],
)
def test_a_secret_of_the_release_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: str, lost: str
) -> None:
    done = adopt(capsys, tmp_path, ATTACK / values)
    assert done.code == 0
    written = (tmp_path / "overlays" / "convex.yaml").read_text()
    assert "TOPSECRET" not in written + done.stdout + done.stderr
    assert "TOPSECRET" not in (tmp_path / "dist" / "convex" / "convex.k8s.yaml").read_text()
    for said in (written, done.stdout):
        assert lost in " ".join(said.split())


def test_what_the_overlay_cannot_say_is_an_error_that_says_what_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("backend: {image: {pullPolicy: Sometimes}}\n")
    manifest = tmp_path / "manifest.yaml"
    text = MANIFEST.read_text()
    assert "imagePullPolicy: IfNotPresent" in text
    manifest.write_text(text.replace("imagePullPolicy: IfNotPresent", "imagePullPolicy: Sometimes"))
    done = adopt(capsys, tmp_path, values, manifest)
    overlay = tmp_path / "overlays" / "convex.yaml"
    assert done.code == 1
    assert overlay.exists()
    assert "nothing was written" not in done.stderr
    assert f"{overlay} was written and needs to be corrected; nothing else was changed" in done.stderr
    assert not (tmp_path / "dist").exists()


SECRETS = {
    "a password by its name": ({"backend": {"env": {"DB_PASSWORD": "hunter2"}}}, "backend.env.DB_PASSWORD"),
    "a number by its name": ({"backend": {"env": {"PIN_SECRET": 4711}}}, "backend.env.PIN_SECRET"),
    "a URL in a list": ({"a": [{"b": "https://user:hunter2@x"}]}, "a[0].b"),
    "a header": ({"commonAnnotations": {"x": "Authorization: Basic aHVudGVyMg=="}}, "commonAnnotations.x"),
    "an instance secret in a longer text": ({"a": f"run --now {HEX} && x"}, "a"),
    "an option": ({"a": "start --instance-secret=hunter2"}, "a"),
    "a key": ({"a": {"https://user:hunter2@x": 1}}, "a"),
}


@pytest.mark.parametrize(("values", "place"), SECRETS.values(), ids=SECRETS)
def test_every_kind_of_secret_is_taken_out_of_a_draft(values: dict[str, object], place: str) -> None:
    draft = Draft({**values, "releaseName": "convex"})
    draft.take_secrets_out()
    kept = yaml.safe_dump(draft.values) + " ".join(draft.lost)
    assert not [text for text in ("hunter2", "aHVudGVyMg", HEX, "4711") if text in kept]
    assert "releaseName: convex" in kept
    (lost,) = draft.lost
    assert lost.startswith(place)


def test_what_is_no_secret_stays() -> None:
    values = {
        "backend": {"env": {"APPLICATION_MAX_CONCURRENT_QUERIES": 16}, "image": {"digest": f"sha256:{HEX}"}},
        "ingress": {
            "annotations": {"nginx.ingress.kubernetes.io/auth-secret": "basic-auth", "x/auth-url": "https://a/b"}
        },
        "s3": {"keys": {"secretAccessKey": "AWS_SECRET_ACCESS_KEY"}, "existingSecret": "convex-s3-credentials"},
    }
    draft = Draft(values)
    draft.take_secrets_out()
    assert (draft.values, draft.lost) == (values, [])
