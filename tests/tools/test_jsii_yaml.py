"""The YAML that our host of cdk8s writes is that of cdk8s itself, and comes with the same as data."""

from __future__ import annotations

import subprocess
import tarfile
from importlib.util import find_spec
from pathlib import Path

import yaml

from convexctl.overlays.load import load_overlays
from convexctl.synth.environment import MANIFESTS, synthesise
from convexctl.tools import node
from tests.support.overlay_cases import ROOT

COMPARE = ROOT / "tests/support/compare_yaml.js"


def test_it_is_what_cdk8s_writes(tmp_path: Path) -> None:
    spec = find_spec("cdk8s")
    assert spec
    assert spec.origin
    (tarball,) = (Path(spec.origin).parent / "_jsii").glob("cdk8s@*.jsii.tgz")
    with tarfile.open(tarball) as archive:
        archive.extractall(tmp_path, filter="data")
    ours, theirs = ROOT / "convexctl/tools/jsii_yaml.js", tmp_path / "package/lib/yaml.js"
    command = [node.choose(), str(COMPARE), str(ours), str(theirs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    documents, written_by_cdk8s = map(int, done.stdout.split())
    assert written_by_cdk8s < documents, "texts of keys and scalars, and odd documents"


def test_the_data_is_what_the_yaml_says() -> None:
    samples = ROOT / "tests/data/samples"
    for overlay in load_overlays(samples, ["local", "production"]):
        environment = synthesise(overlay)
        assert environment.parsed == list(yaml.safe_load_all(environment.files[MANIFESTS]))
