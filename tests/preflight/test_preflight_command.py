"""`main.py preflight`: what synth warns of is said here too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.kubectl_stub import KubectlStub


def test_the_overlay_s_warnings_are_printed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = KubectlStub(tmp_path / "kubectl")
    cluster.fail("the cluster is away")
    monkeypatch.setenv("PATH", f"{cluster.programs}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "prod.yaml").write_text("postgres: {enabled: true}\ns3: {enabled: false}\n")
    done = run(capsys, "preflight", "prod", "--overlays", str(tmp_path))
    warning = f"warning: {tmp_path / 'prod.yaml'}:1: backend.persistence.enabled: is false, so files"
    assert [line[: len(warning)] for line in done.stderr.splitlines()].count(warning) == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("preflight of prod (")


def test_several_environments_are_headed_and_the_worst_exit_code_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = KubectlStub(tmp_path / "kubectl")
    cluster.fail("the cluster is away")
    monkeypatch.setenv("PATH", f"{cluster.programs}{os.pathsep}{os.environ['PATH']}")
    overlays = tmp_path / "overlays"
    (overlays / "tenants").mkdir(parents=True)
    (overlays / "tenants" / "bad.yaml").write_text("replicas: none\n")
    (overlays / "tenants" / "good.yaml").write_text("releaseName: good\n")
    (overlays / "other.yaml").write_text("releaseName: other\n")
    done = run(capsys, "preflight", "tenants/*", "--overlays", str(overlays))
    heads = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert (done.code, heads) == (1, ["== tenants/bad", "== tenants/good"])
    assert f"{overlays}/tenants/bad.yaml:1: replicas: is not a parameter" in done.stderr
    assert "preflight of tenants/good (" in done.stderr
    everything = run(capsys, "preflight", "--all", "--format", "json", "--overlays", str(overlays))
    assert [line for line in everything.stderr.splitlines() if line.startswith("== ")] == [
        "== other",
        "== tenants/bad",
        "== tenants/good",
    ]
    assert everything.stdout.count('"overlay": ') == 2
    for wrong in ((), ("other", "--all")):
        assert run(capsys, "preflight", *wrong, "--overlays", str(overlays)).code == 2
