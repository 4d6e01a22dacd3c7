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


CASE = ROOT / "tests" / "data" / "cases" / "audit" / "a37-live-secret-absent.yaml"


def test_secrets_that_do_not_exist(cluster: ControlPlane, namespace: str) -> None:
    cluster.kubectl("apply", "--namespace", namespace, "--filename", CASE)
    report = audit(cluster, namespace)
    assert {"unresolved-variable", "data-lost-with-pod"} <= rules(report, "error")
    assert "variables-unseen" not in rules(report, "information")
    assert report["notes"] == []
    (backend,) = report["decisions"]["backends"]
    hedged = {name for name, decision in backend["decisions"].items() if decision["unless"]}
    assert (backend["decisions"]["engine"]["value"], hedged) == ("sqlite", set())


def test_what_may_not_be_listed_is_said_and_counts_as_unseen(cluster: ControlPlane, namespace: str) -> None:
    where = ("--namespace", namespace)
    cluster.kubectl("apply", *where, "--filename", CASE)
    cluster.kubectl("create", "serviceaccount", "auditor", *where)
    allowed = ("--verb=get,list", "--resource=statefulsets.apps,deployments.apps,services")
    cluster.kubectl("create", "role", "auditor", *allowed, *where)
    bound = ("--role=auditor", f"--serviceaccount={namespace}:auditor")
    cluster.kubectl("create", "rolebinding", "auditor", *bound, *where)
    report = audit(cluster.as_service_account(namespace, "auditor"), namespace)
    kinds, secrets = report["notes"]
    assert "configmaps" in kinds
    assert "statefulsets" not in kinds
    assert secrets.startswith("Secrets may not be listed")
    assert "variables-unseen" in rules(report, "information")
    assert "unresolved-variable" not in rules(report, "error")


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
