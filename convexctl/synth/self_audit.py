"""What the audit says of the environments that were just made: on overlays that are valid and yet unusual."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from convex_k8s import problems

from convexctl.audit import Severity, audit
from convexctl.audit.model import Finding
from convexctl.overlays.load import overlay_file
from convexctl.synth.environment import Environment


def warnings(environments: Sequence[Environment], overlays: Path) -> list[str]:
    """Errors and warnings of the audit on each environment, and on any two that may share a namespace."""
    alone = {environment.name: list(_findings(environment)) for environment in environments}
    lines = [
        _line(overlay_file(overlays, environment.name), finding)
        for environment in environments
        for finding in alone[environment.name]
    ]
    for group in _by_namespace(environments):
        for one, other in itertools.combinations(group, 2):
            if one.overlay.values.release_name == other.overlay.values.release_name:
                # They are meant for different clusters.
                continue
            known = {_line(Path(), finding) for finding in (*alone[one.name], *alone[other.name])}
            found = (finding for finding in _findings(one, other) if _line(Path(), finding) not in known)
            file = overlay_file(overlays, other.name)
            lines += [_line(file, finding, f"in one namespace with {one.name}: ") for finding in found]
    return lines


def _by_namespace(environments: Iterable[Environment]) -> Iterable[list[Environment]]:
    groups: dict[str, list[Environment]] = {}
    for environment in environments:
        groups.setdefault(environment.overlay.values.namespace, []).append(environment)
    return groups.values()


def _findings(*environments: Environment) -> Iterator[Finding]:
    told = {warning.path for environment in environments for warning in environment.overlay.values.warnings}
    report = audit(itertools.chain.from_iterable(environment.manifests for environment in environments))
    for finding in report.findings:
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


def _line(file: Path, finding: Finding, company: str = "") -> str:
    subject = f"{finding.component}: " if finding.component else ""
    rule = finding.rule
    return f"{file}: {company}{subject}{rule.title}: {finding.message} [audit: {rule.id}]; see {rule.parameter}"
