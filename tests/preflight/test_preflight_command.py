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
