"""What the audit says of the environments that were just made: on overlays that are valid and yet unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from convex_k8s import problems

from convexctl.audit import Severity, audit
from convexctl.audit.model import Finding
from convexctl.overlays.load import overlay_file
from convexctl.synth.environment import Environment


def warnings(environments: Sequence[Environment], overlays: Path) -> list[str]:
    """Errors and warnings of the audit on each environment. `collisions` compares them with each other."""
    return [
        _line(overlay_file(overlays, environment.name), finding)
        for environment in environments
        for finding in _findings(environment)
    ]


def _findings(environment: Environment) -> Iterator[Finding]:
    told = {warning.path for warning in environment.overlay.values.warnings}
    for finding in audit(environment.manifests).findings:
        if finding.severity is not Severity.INFORMATION and _path_in_values(finding) not in told:
            yield finding


def _path_in_values(finding: Finding) -> problems.Path | None:
    """Where the overlay's own warnings, which know the line, tell such a finding; None where they never do."""
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
    return f"{file}: {subject}{rule.title}: {finding.message} [audit: {rule.id}]; see {rule.parameter}"
