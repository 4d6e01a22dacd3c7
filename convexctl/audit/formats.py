"""A report as text for people, as JSON, and as SARIF 2.1.0 for code hosts."""

from __future__ import annotations

import hashlib
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from convexctl.audit import Report
from convexctl.audit.model import Finding, Rule, Severity
from convexctl.audit.reading import STDIN_NAME
from convexctl.audit.rules import RULES
from convexctl.behaviour import Component, as_dict
from convexctl.errors import printable

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}
_WIDTH = 110


def text(report: Report) -> str:
    """Tables of decisions, then the findings, worst first, each with reason and cure."""
    parts = [_table(component) for component in report.behaviour.components]
    edge = [_route(route) for route in (*report.behaviour.routes, *report.behaviour.exposed) if route.role]
    if edge:
        parts.append("\n".join(["Edge", *edge]))
    if report.findings:
        parts.append("Findings")
        parts += [_findings(rule, severity, found) for (rule, severity), found in _grouped(report).items()]
    accepted = [finding for finding in report.findings if finding.accepted]
    if accepted:
        lines = [f"  [{finding.rule.id}] {finding.source}: {finding.accepted}" for finding in accepted]
        parts.append("\n".join(["Accepted", *lines]))
    parts += [f"Not read: {note}" for note in report.notes]
    parts.append(_summary(report))
    return printable("\n\n".join(parts))


def as_json(report: Report) -> str:
    """The decisions and the findings as JSON."""
    data = {
        "decisions": as_dict(report.behaviour),
        "findings": [_finding_dict(finding) for finding in report.findings],
        "notes": list(report.notes),
        "summary": {str(severity): report.count(severity) for severity in Severity},
    }
    return json.dumps(data, indent=2)


def sarif(report: Report) -> str:
    """The findings as a SARIF log of one run, with all rules."""
    log = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "convex-k8s audit", "rules": [_sarif_rule(rule) for rule in RULES]}},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding) for finding in report.findings],
            }
        ],
    }
    return json.dumps(log, indent=2)


def _table(component: Component) -> str:
    where = f" in namespace {component.namespace}" if component.namespace else ""
    lines = [f"{component.TITLE.capitalize()} {component}, container {component.container}{where}"]
    rows = [(row.title, row.decision.sentence) for row in component.rows()]
    rows += [("Does not start", obstacle.sentence) for obstacle in component.obstacles]
    width = max(len(title) for title, _ in rows)
    for title, sentence in rows:
        lines += _wrapped(f"  {title:<{width}}  ", sentence)
    return "\n".join(lines)


def _route(route: Any) -> str:
    host = route.host or f"Service {route.service}"
    return f"  {host}{route.path} -> {route.role} ({route.target.kind}/{route.target.name}, port {route.target.port})"


def _grouped(report: Report) -> dict[tuple[Rule, Severity], list[Finding]]:
    groups: dict[tuple[Rule, Severity], list[Finding]] = {}
    for finding in report.findings:
        if finding.accepted:
            continue
        groups.setdefault((finding.rule, finding.severity), []).append(finding)
    return groups


def _findings(rule: Rule, severity: Severity, found: list[Finding]) -> str:
    lines = [f"{severity} [{rule.id}] {rule.title}"]
    for finding in found:
        if finding.place:
            lines.append(f"  at {finding.place}")
        lines += _wrapped("    " if finding.place else "  at ", f"{finding.source}: {finding.message}")
    for title, said in (("why:", rule.reason), ("ours:", rule.parameter), ("here:", rule.change)):
        lines += _wrapped(f"  {title:<6}", said)
    return "\n".join(lines)


def _wrapped(indent: str, said: str) -> Iterator[str]:
    yield from textwrap.wrap(
        said,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent.rstrip()]


def _summary(report: Report) -> str:
    errors, warnings, informations = (report.count(severity) for severity in Severity)
    return (
        f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}, "
        f"{informations} for information"
    )


def _finding_dict(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "rule": finding.rule.id,
        "severity": str(finding.severity),
        "title": finding.rule.title,
        "message": finding.message,
        "reason": finding.rule.reason,
        "parameter": finding.rule.parameter,
        "change": finding.rule.change,
        "component": str(finding.component) if finding.component else None,
        "object": {
            "kind": finding.source.kind,
            "namespace": finding.source.namespace,
            "name": finding.source.name,
            "field": finding.source.field,
        },
        "file": place.file if place else None,
        "line": place.line if place else None,
        "accepted": finding.accepted or None,
    }


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    cure = f"In an overlay: {rule.parameter}. In the manifest: {rule.change}."
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": f"{rule.reason}\n\n{cure}\n\nSource: {rule.basis}."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _sarif_result(finding: Finding) -> dict[str, Any]:
    source = finding.source
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": str(source), "kind": "object"}],
    }
    if finding.place and finding.place.file != STDIN_NAME:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(finding.place.file)},
            "region": {"startLine": finding.place.line},
        }
    identity = f"{finding.rule.id} {source.namespace} {source} {finding.message}"
    suppressed = {"suppressions": [{"kind": "inSource", "justification": finding.accepted}]} if finding.accepted else {}
    return {
        **suppressed,
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. {finding.rule.reason} Cure: {finding.rule.change}."},
        "locations": [location],
        "partialFingerprints": {
            "convexAudit/v1": hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()
        },
    }


def _uri(file: str) -> str:
    path = PurePath(file)
    if path.is_absolute():
        relative = os.path.relpath(path)
        return path.as_uri() if relative.startswith("..") else PurePath(relative).as_posix()
    return path.as_posix()
