"""`main.py audit --live`: the objects of a real cluster, without the values of its Secrets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from convexctl.synth.environment import MANIFESTS
from tests.support.control_plane import ControlPlane, missing_programs
from tests.support.helm_chart import EXAMPLE_VALUES, PORT_FORWARD_VALUES, SECRETS, install
from tests.support.overlay_cases import case

ROOT = Path(__file__).resolve().parents[2]


def audit(cluster: ControlPlane, namespace: str) -> dict[str, Any]:
    program = (sys.executable, ROOT / "main.py", "audit", "--live", "-n", namespace, "--format", "json")
    report: dict[str, Any] = json.loads(cluster.run(str(program[0]), *program[1:]).stdout)
    return report


def rules(report: dict[str, Any], *severities: str) -> set[str]:
    return {found["rule"] for found in report["findings"] if found["severity"] in severities}


needs_helm = pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))


@needs_helm
def test_a_release_of_the_chart(cluster: ControlPlane, namespace: str) -> None:
    install(cluster, namespace, "mine", EXAMPLE_VALUES, server_side=True)
    report = audit(cluster, namespace)
    assert rules(report, "error") == {"presence-false", "endpoint-nonsense", "site-on-dashboard"}
    (backend,) = report["decisions"]["backends"]
    assert (backend["kind"], backend["name"], backend["namespace"]) == ("StatefulSet", "mine-backend", namespace)
    assert len(report["decisions"]["dashboards"]) == 1


@needs_helm
def test_keys_of_secrets_make_decisions_certain_and_their_values_are_not_read(
    cluster: ControlPlane, namespace: str
) -> None:
    install(cluster, namespace, "mine", PORT_FORWARD_VALUES, server_side=True)
    report = audit(cluster, namespace)
    assert rules(report, "error") == {
        "presence-false",
        "endpoint-nonsense",
        "claim-not-mounted",
        "data-lost-with-pod",
        "instance-secret-unstable",
    }
    assert "variables-unseen" not in rules(report, "information")
    text = json.dumps(report)
    values = [value for data in SECRETS.values() for value in data.values()]
    assert not [value for value in values if value in text]


def test_what_we_made_ourselves(cluster: ControlPlane, namespace: str) -> None:
    cluster.kubectl(
        "apply", "--namespace", namespace, "--filename=-", input=case("local").environment().files[MANIFESTS]
    )
    cluster.make_ready(namespace)
    report = audit(cluster, namespace)
    assert rules(report, "error", "warning") == set()
    (backend,) = report["decisions"]["backends"]
    assert backend["decisions"]["data_outlives"]["value"] == "delete"
