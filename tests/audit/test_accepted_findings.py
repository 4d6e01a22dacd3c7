"""Findings that an annotation or an overlay accepts."""

from __future__ import annotations

from convex_k8s.values.audit import AUDIT_RULES

from convexctl.audit import RULES, Severity, audit
from convexctl.audit.accepted import unknown
from tests.support.convex_manifests import backend
from tests.support.overlay_cases import faults_of

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


def test_the_overlays_know_every_rule() -> None:
    assert list(AUDIT_RULES) == [rule.id for rule in RULES], "write AUDIT_RULES in values/audit.py in this order"


def test_an_overlay_must_name_a_rule_of_the_audit_with_a_reason() -> None:
    """Each with its line, and with what was probably meant."""
    overlay = "audit:\n  ignore:\n    memory-limit-lw: x\n    tag-latest: ' '\n    zzz: x\n    short-grace: 3\n"
    assert faults_of(overlay) == [
        "test.yaml:3: audit.ignore.memory-limit-lw: is not a rule of the audit: did you mean memory-limit-low?",
        "test.yaml:4: audit.ignore.tag-latest: is empty: write why the finding is accepted",
        "test.yaml:5: audit.ignore.zzz: is not a rule of the audit: docs/audit.md lists them",
        "test.yaml:6: audit.ignore.short-grace: must be a string, not a number: put it in quotes",
    ]
