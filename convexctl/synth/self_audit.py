"""The audit of the environments that were just made, for overlays that are valid and yet unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from convex_k8s.problems import Path as KeyPath
from convex_k8s.problems import Problem
from convex_k8s.values.audit import AUDIT_RULES

from convexctl.audit import Finding, Severity, audit
from convexctl.audit.accepted import unknown
from convexctl.overlays.names import overlay_file
from convexctl.synth.environment import Environment


class Told(NamedTuple):
    """The audit's errors and warnings for an environment, and what is accepted, with the reasons."""

    warnings: list[str]
    accepted: list[str]


def told(environment: Environment, overlays: Path) -> Told:
    """Audit an environment. `collisions` compares several with each other."""
    file = overlay_file(overlays, environment.overlay.file_name)
    findings = audit(environment.manifests, model=environment.behaviour).findings
    warnings = [_line(file, finding) for finding in _open(environment, findings)]
    warnings += _surplus(environment, file, findings)
    warnings += (f"{file}: {problem}" for problem in unknown(environment.manifests, set(AUDIT_RULES)))
    accepted = (finding for finding in findings if finding.accepted)
    return Told(warnings, [f"{_line(file, finding)}: {finding.accepted}" for finding in accepted])


def _open(environment: Environment, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Errors and warnings that nobody accepted, and that the overlay's own warnings do not tell."""
    told = {warning.path for warning in environment.overlay.values.warnings}
    for finding in findings:
        told_already = finding.accepted or finding.severity is Severity.INFORMATION
        if not told_already and _path_in_values(finding) not in told:
            yield finding


def _surplus(environment: Environment, file: Path, findings: Sequence[Finding]) -> list[str]:
    """What the overlay itself accepts and the audit does not find. An inherited acceptance may be for others."""
    overlay, found = environment.overlay, {finding.rule.id for finding in findings}
    paths: list[KeyPath] = [("audit", "ignore", rule) for rule in overlay.values.audit.ignore if rule not in found]
    own = [path for path in paths if overlay.source and overlay.source.at(path).file == str(file)]
    return overlay.faults([Problem(path, "the audit does not find this here: remove it") for path in own])


def _path_in_values(finding: Finding) -> KeyPath | None:
    """Where the overlay's own warnings, which know the line, tell such a finding; None if they never do."""
    match finding.rule.id:
        case "data-lost-with-pod":
            return "backend", "persistence", "enabled"
        case "instance-secret-unstable":
            return "instance", "existingSecret"
        case "tag-latest" | "tag-skew" | "tag-unknown" if finding.component:
            return finding.component.TITLE, "image", "tag"
        case "origin-local":
            return "convexConfig", "cloudOrigin" if finding.source.keys()[-1] == "CONVEX_CLOUD_ORIGIN" else "siteOrigin"
        case "dead-variable" | "unread-variable":
            return "backend", "env", str(finding.source.keys()[-1])
        case _:
            return None


def _line(file: Path, finding: Finding) -> str:
    subject = f"{finding.component}: " if finding.component else ""
    rule = finding.rule
    line = f"{file}: {subject}{rule.title}: {finding.message} [audit: {rule.id}]"
    return line if finding.accepted else f"{line}; see {rule.parameter}"
