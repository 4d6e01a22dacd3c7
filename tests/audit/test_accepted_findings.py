"""Findings that an annotation accepts."""

from __future__ import annotations

from convexctl.audit import Severity, audit
from convexctl.audit.accepted import unknown
from tests.support.convex_manifests import backend

LITTLE = {"resources": {"limits": {"memory": "256Mi"}}}


def test_an_annotation_accepts_a_finding_with_its_reason() -> None:
    plain, annotated = backend(container=LITTLE), backend(container=LITTLE)
    annotated["metadata"]["annotations"] = {"convex-k8s.audit/ignore.memory-limit-low": "a test cluster"}
    accepted = {finding.rule.id: finding.accepted for finding in audit([annotated]).findings}
    assert accepted["memory-limit-low"] == "a test cluster"
    assert {why for rule, why in accepted.items() if rule != "memory-limit-low"} == {""}
    assert audit([annotated]).count(Severity.WARNING) == audit([plain]).count(Severity.WARNING) - 1


def test_a_rule_that_does_not_exist_and_a_missing_reason_are_told() -> None:
    manifest = backend()
    manifest["metadata"]["annotations"] = {
        "convex-k8s.audit/ignore.no-such-rule": "x",
        "convex-k8s.audit/ignore.telemetry-on": "",
    }
    problems = list(unknown([manifest], {"telemetry-on"}))
    assert ["names no rule" in problems[0], "gives no reason" in problems[1]] == [True, True]
