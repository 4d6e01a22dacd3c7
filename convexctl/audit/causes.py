"""One finding for one cause: which findings only follow from another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from convexctl.audit.model import Finding
from convexctl.behaviour import Component

_FOLLOWS = {
    "instance-secret-unstable": "data-lost-with-pod",
    "claim-not-mounted": "data-lost-with-pod",
    "no-volume": "data-lost-with-pod",
    "origin-elsewhere": "http-unstripped",
}
"""A rule, and the rule whose finding on the same component explains its own."""


def explained(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, each with the rule of the finding that it follows from, if there is one."""
    causes: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        if finding.rule.id in _FOLLOWS.values() and finding.component and not finding.accepted:
            causes.setdefault(_subject(finding.rule.id, finding.component), []).append(finding)
    return [replace(finding, follows=_cause(finding, causes)) for finding in findings]


def _cause(finding: Finding, causes: Mapping[tuple[str, ...], Sequence[Finding]]) -> str:
    rule = _FOLLOWS.get(finding.rule.id, "")
    if not rule or finding.component is None:
        return ""
    candidates = causes.get(_subject(rule, finding.component), ())
    return rule if any(_explains(cause, finding) for cause in candidates) else ""


def _subject(rule: str, component: Component) -> tuple[str, ...]:
    return rule, *component.place, component.container


def _explains(cause: Finding, finding: Finding) -> bool:
    """Whether a finding of the right rule is as grave as the other one, and about the same thing."""
    if cause.severity.rank > finding.severity.rank:
        return False
    if cause.rule.id == "http-unstripped":
        return finding.said.startswith("CONVEX_SITE_ORIGIN leads to port 3211")
    return True
