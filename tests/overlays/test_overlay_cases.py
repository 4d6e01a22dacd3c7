"""The overlays of `tests/data/cases`, each beside the two samples: what is right is in `CASES.md` and in the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.overlay_cases import DATA, SAMPLES

FOLDER = DATA / "cases" / "overlays"

ACCEPTED = {
    "inherited-without-effect": [],
    "overlay-from-compose": [],
    "overlay-auth-on-everything": ["covers the API's host api.example.com"],
}
"""Overlays that are right, with what their warnings must say; those about image tags are left out."""
REFUSED = {
    "origins-ignored": [
        "origins-ignored.yaml:4: convexConfig.cloudOrigin: has no effect with Ingress or Gateway",
        "origins-ignored.yaml:4: convexConfig.siteOrigin: has no effect with Ingress or Gateway",
        "api.example.com is a public host of both",
    ],
    "remote-keys-lacking": [
        "remote-keys-lacking.yaml:4: secrets.externalSecrets.remoteKeys.convex-postgres-secret: "
        "has no remote key for INSTANCE_SECRET"
    ],
    "remote-keys-misspelt": ["remote-keys-misspelt.yaml:3: ", "did you mean convex-postgres-secret?"],
    "same-hosts": ["production.yaml and ", "same-hosts.yaml: dashboard.example.com is a public host of both"],
    "secret-as-key-name": ["secret-as-key-name.yaml:3: s3.keys.secretAccessKey: ", "looks like a credential"],
    "staging-that-is-production": [
        "production.yaml and ",
        "staging-that-is-production.yaml: no namespace and release name convex are the same",
    ],
    "suffix-lost": ["write 5Gi", "write 500m", "write 2048Mi"],
}
PRIVATE = "overlay-private-dashboard"


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    return shutil.copytree(SAMPLES, tmp_path / "overlays")


def test_every_case_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*ACCEPTED, *REFUSED, PRIVATE}


def test_the_dashboard_stays_private_where_the_overlay_says_so(
    overlays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (FOLDER / f"{PRIVATE}.yaml").read_text()
    command = ["synth", PRIVATE, "--overlays", str(overlays), "-o", str(tmp_path / "out")]
    (overlays / f"{PRIVATE}.yaml").write_text(text)
    refused = run(capsys, *command)
    assert refused.code == 1
    assert "ingress.dashboard.host: is missing" in refused.stderr
    (overlays / f"{PRIVATE}.yaml").write_text(
        text.replace("  backend: {host", "  dashboard: {enabled: false}\n  backend: {host")
    )
    assert run(capsys, *command).code == 0


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_accepted(name: str, overlays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FOLDER / f"{name}.yaml", overlays)
    done = run(capsys, "synth", name, "--overlays", str(overlays), "-o", str(tmp_path / "out"))
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ") and "image.tag" not in line]
    assert done.code == 0, done.stderr
    assert bool(warnings) == bool(ACCEPTED[name]), warnings
    for text in ACCEPTED[name]:
        assert any(text in warning for warning in warnings)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, overlays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FOLDER / f"{name}.yaml", overlays)
    done = run(capsys, "synth", name, "--overlays", str(overlays), "-o", str(tmp_path / "out"))
    assert done.code == 1
    for text in REFUSED[name]:
        assert text in done.stderr
    assert "wJalr" not in done.stderr
    assert not (tmp_path / "out").exists()
