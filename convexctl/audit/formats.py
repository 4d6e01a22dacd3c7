"""A report as JSON, and as SARIF 2.1.0 for code hosts; `text` is in a file of its own."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import PurePath
from typing import Any

from convexctl.audit.model import Finding, Report, Rule, Severity
from convexctl.audit.reading import STDIN_NAME
from convexctl.audit.rules import RULES
from convexctl.audit.text_format import text
from convexctl.behaviour import as_dict

__all__ = ["as_json", "sarif", "text"]

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}


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
        "follows": finding.follows or None,
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
