"""Audit: what manifests of Convex, ours or anybody's, really do, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convexctl.audit.accepted import reason
from convexctl.audit.model import Finding, Hit, Rule, Severity, View
from convexctl.audit.reading import Documents
from convexctl.audit.rules import RULES
from convexctl.behaviour import Behaviour, Role, predict
from convexctl.behaviour.manifests import Manifests, flat, source_of

__all__ = ["RULES", "Finding", "Report", "Rule", "Severity", "audit"]


@dataclass(frozen=True)
class Report:
    """What an audit says: the decisions, and the findings, worst first."""

    behaviour: Behaviour
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What of the input was not read, and why."""

    def count(self, severity: Severity) -> int:
        """How many findings have a severity."""
        return sum(finding.severity is severity and not finding.accepted for finding in self.findings)

    def fails(self, least: Severity) -> bool:
        """Whether there is a finding at least as bad."""
        return any(finding.severity.rank <= least.rank and not finding.accepted for finding in self.findings)


def audit(
    manifests: Iterable[Mapping[str, Any]],
    *,
    documents: Documents | None = None,
    images: Mapping[str, Role] | None = None,
    complete: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Report:
    """Judge manifests.

    `documents` knows their lines, `images` are further image names (see `predict`), `complete` the kinds of which
    every object that exists is among the manifests, `notes` is what was not read.
    """
    index = Manifests(sorted(flat(manifests), key=_order), complete=complete)
    model = predict(index, images=images)
    view = View(index, model)
    findings = [_finding(index, rule, found, documents) for rule in RULES for found in rule.check(view)]
    return Report(model, tuple(sorted(findings, key=lambda finding: finding.severity.rank)), tuple(notes))


def _order(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """The order in which objects are judged, so that the order in which they are given does not matter."""
    source = source_of(manifest)
    return source.kind, source.namespace, source.name


def _finding(index: Manifests, rule: Rule, found: Hit, documents: Documents | None) -> Finding:
    severity = found.severity or rule.severity
    message = found.message
    if found.unless:
        severity = severity.one_less
        message += f" (unless {found.unless})"
    place = documents.place(found.source) if documents else None
    return Finding(rule, severity, found.component, found.source, message, place, reason(index, rule.id, found))
