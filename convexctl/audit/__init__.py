"""Audit: what manifests of Convex, ours or anybody's, really do, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION

from convexctl.audit.accepted import reason
from convexctl.audit.causes import explained
from convexctl.audit.model import Finding, Hit, Report, Rule, Severity, View
from convexctl.audit.reading import Documents
from convexctl.audit.rules import RULES
from convexctl.behaviour import Behaviour, Role, predict
from convexctl.behaviour.manifests import Manifests, dig, flat, mapping, source_of

__all__ = ["RULES", "Finding", "Report", "Rule", "Severity", "audit"]


def audit(
    manifests: Iterable[Mapping[str, Any]],
    *,
    documents: Documents | None = None,
    images: Mapping[str, Role] | None = None,
    complete: Iterable[str] = (),
    notes: Iterable[str] = (),
    model: Behaviour | None = None,
) -> Report:
    """Judge manifests.

    `documents` knows their lines, `images` are further image names (see `predict`), `complete` the kinds of which
    every object that exists is among the manifests, `notes` is what was not read, and `model` is what the manifests
    do, if `predict` was asked before.
    """
    index = Manifests(sorted(flat(manifests), key=_order), complete=complete)
    model = model or predict(index, images=images)
    view = View(index, model)
    findings = [_finding(index, rule, found, documents) for rule in RULES for found in rule.check(view)]
    findings.sort(key=lambda finding: finding.severity.rank)
    return Report(model, tuple(explained(findings)), tuple(notes))


def _order(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """The order in which objects are judged, so that the order in which they are given does not matter."""
    source = source_of(manifest)
    return source.kind, source.namespace, source.name


def _finding(index: Manifests, rule: Rule, found: Hit, documents: Documents | None) -> Finding:
    severity = found.severity or rule.severity
    return Finding(
        rule,
        severity.one_less if found.unless else severity,
        found.component,
        found.source,
        found.message,
        found.unless,
        documents.place(found.source) if documents else None,
        accepted=reason(index, rule.id, found),
        own=_own(index, found),
    )


def _own(index: Manifests, found: Hit) -> bool:
    """Whether the object of a hit, or the workload that it is about, was made from an overlay of this project."""
    source, component = found.source, found.component
    places = [(source.kind, source.namespace, source.name), *([component.place] if component else [])]
    metadata = [mapping(dig(index.find(*place), "metadata")) for place in places]
    return any(
        OVERLAY_ANNOTATION in mapping(each.get("annotations"))
        or mapping(each.get("labels")).get("app.kubernetes.io/managed-by") == "convex-k8s"
        for each in metadata
    )
