"""A report as text for people: the errors first, what is odd, then each finding with reason and fix."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from convexctl.audit.model import Finding, Report, Rule, Severity
from convexctl.audit.unusual_decisions import odd_rows
from convexctl.behaviour import Component, Decision, Row
from convexctl.terminal import printable
from convexctl.wording import listed

_WIDTH = 110
_LINES_OF_HEAD = 10
_PLACES = 5
"""Places of one rule that are shown without `--verbose`."""
_COMPONENTS = 20
"""Backends and dashboards whose decisions are shown without `--verbose`."""


class _Block(NamedTuple):
    """The findings of one rule, and the findings of other rules that follow from them."""

    rule: Rule
    severity: Severity
    found: list[Finding]
    following: list[Finding]


def text(report: Report, *, verbose: bool = False) -> str:
    """The report in full with `verbose`, else what a reader has to know first."""
    return printable("\n\n".join(_Text(report, verbose).parts()))


class _Text:
    """Writes a report. Conditions that it shortens to `*` are collected on the way, and explained at the end."""

    def __init__(self, report: Report, verbose: bool) -> None:
        self.report = report
        self.verbose = verbose
        self.hedges: dict[str, dict[str, None]] = {}
        """The sources out of sight, each with the variables that it may set."""

    def parts(self) -> Iterator[str]:
        blocks = _blocks(self.report.findings)
        yield from self._head(blocks)
        components = self.report.behaviour.components
        shown = components if self.verbose else components[:_COMPONENTS]
        yield from (self._table(component) for component in shown)
        if len(components) > len(shown):
            yield f"... and {len(components) - len(shown)} more backends and dashboards (--verbose shows them)"
        if self.verbose:
            yield from self._edge()
        if blocks:
            yield "Findings"
            yield from (self._block(block) for block in blocks)
        accepted = [finding for finding in self.report.findings if finding.accepted]
        if accepted:
            lines = [f"  [{finding.rule.id}] {finding.source}: {finding.accepted}" for finding in accepted]
            yield "\n".join(["Accepted", *lines])
        yield from (f"Not read: {note}" for note in self.report.notes)
        yield from self._conditions()
        if not self.verbose:
            yield "--verbose shows every decision and reason, --explain RULE what is known of a rule."
        yield self._summary(blocks)

    def _head(self, blocks: Sequence[_Block]) -> Iterator[str]:
        """Each error with its place and its fix, in at most ten lines."""
        errors = list(
            dict.fromkeys(
                (f"{finding.place or finding.source}: error", finding.rule)
                for block in blocks
                for finding in block.found
                if finding.severity is Severity.ERROR
            )
        )
        if not errors:
            return
        brief = len(errors) * 2 > _LINES_OF_HEAD
        most = len(errors) if len(errors) <= _LINES_OF_HEAD else _LINES_OF_HEAD - 1
        lines: list[str] = []
        for where, rule in errors[:most]:
            if brief:
                lines.append(f"{where} [{rule.id}]: {_shortened(rule.change)}")
            else:
                lines += [f"{where}: {rule.title} [{rule.id}]", _shortened(f"  fix: {rule.change}")]
        if len(errors) > most:
            lines.append(f"... and {len(errors) - most} more errors, below")
        yield "\n".join(lines)

    def _table(self, component: Component) -> str:
        where = f" in namespace {component.namespace}" if component.namespace else ""
        lines = [f"{component.TITLE.capitalize()} {component}, container {component.container}{where}"]
        rows: list[Row] = list(component.rows() if self.verbose else odd_rows(component))
        shown = [(row.title, self._sentence(component, row.decision)) for row in rows]
        shown += [("Does not start", self._sentence(component, obstacle)) for obstacle in component.obstacles]
        width = max((len(title) for title, _ in shown), default=0)
        for title, sentence in shown:
            lines += _wrapped(f"  {title:<{width}}  ", sentence)
        return "\n".join(lines)

    def _edge(self) -> Iterator[str]:
        behaviour = self.report.behaviour
        routes = [_route(route) for route in (*behaviour.routes, *behaviour.exposed) if route.role]
        if routes:
            yield "\n".join(["Edge", *routes])

    def _block(self, block: _Block) -> str:
        rule = block.rule
        lines = [f"{block.severity} [{rule.id}] {rule.title}"]
        found = _differing(block.found)
        for finding in found if self.verbose else found[:_PLACES]:
            if finding.place:
                lines.append(f"  at {finding.place}")
            less = "" if finding.severity is block.severity else f" ({finding.severity})"
            said = f"{finding.source}: {self._hedged(finding.component, finding.said, finding.unless)}{less}"
            lines += _wrapped("    " if finding.place else "  at ", said)
        if not self.verbose and len(found) > _PLACES:
            lines.append(f"  ... and {len(found) - _PLACES} more places (--verbose shows them)")
        follows = dict.fromkeys(
            f"{self._hedged(finding.component, finding.said, finding.unless)} [{finding.rule.id}]"
            for finding in block.following
        )
        for said in follows if self.verbose else list(follows)[:_PLACES]:
            lines += _wrapped("  so:   ", said)
        if not self.verbose and len(follows) > _PLACES:
            lines.append(f"  ... and {len(follows) - _PLACES} more of these (--verbose shows them)")
        for title, said in self._remarks(block):
            lines += _wrapped(f"  {title:<6}", said)
        return "\n".join(lines)

    def _remarks(self, block: _Block) -> Iterator[tuple[str, str]]:
        """Reason and fixes. Information is short; parameters are for manifests that were made here."""
        if self.verbose or block.severity is not Severity.INFORMATION:
            yield "why:", block.rule.reason
        if any(finding.own for finding in block.found):
            yield "ours:", block.rule.parameter
        if self.verbose or block.severity is not Severity.INFORMATION:
            yield "here:", block.rule.change

    def _sentence(self, component: Component, decision: Decision) -> str:
        return self._hedged(component, decision.text, decision.unless)

    def _hedged(self, component: Component | None, said: str, unless: str) -> str:
        """A sentence with its condition. What a source out of sight may set is said once for all, at the end."""
        if not unless:
            return said
        references = [source.reference for source in component.environment.unseen] if component else []
        one = "|".join(re.escape(reference) for reference in references)
        found = re.search(rf"(?:^| or )((?:{one})(?:(?:, | or )(?:{one}))*) sets (.+)$", unless) if one else None
        if self.verbose or found is None:
            return f"{said} (unless {unless})"
        self.hedges.setdefault(found[1], {}).update(dict.fromkeys(re.split(r", | or ", found[2])))
        rest = unless[: found.start()]
        return f"{said} (unless {rest}) *" if rest else f"{said} *"

    def _conditions(self) -> Iterator[str]:
        for source, names in self.hedges.items():
            keyed = re.fullmatch(r"Secret/(\S+)", source)
            how = f" (say which keys it has: --secret {keyed[1]}=KEY,KEY)" if keyed else ""
            yield "\n".join(_wrapped("* ", f"unless {source} sets {listed(list(names))}{how}"))

    def _summary(self, blocks: Sequence[_Block]) -> str:
        counts = [
            sum(finding.severity is severity for block in blocks for finding in block.found) for severity in Severity
        ]
        errors, warnings, informations = counts
        return (
            f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}, "
            f"{informations} for information"
        )


def _differing(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that read differently: a route that leads to several backends is one place with one fault."""
    return list({(each.place, each.source, each.said, each.unless): each for each in findings}.values())


def _blocks(findings: Sequence[Finding]) -> list[_Block]:
    """The findings that nobody accepted, one block for each rule, worst first."""
    blocks: dict[str, _Block] = {}
    standing = [finding for finding in findings if not finding.accepted]
    for finding in standing:
        if not finding.follows:
            blocks.setdefault(finding.rule.id, _Block(finding.rule, finding.severity, [], [])).found.append(finding)
    for finding in standing:
        if finding.follows:
            blocks[finding.follows].following.append(finding)
    return list(blocks.values())


def _route(route: Any) -> str:
    host = route.host or f"Service {route.service}"
    return f"  {host}{route.path} -> {route.role} ({route.target.kind}/{route.target.name}, port {route.target.port})"


def _shortened(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3].rstrip()}..."


def _wrapped(indent: str, said: str) -> Iterator[str]:
    yield from textwrap.wrap(
        said,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent.rstrip()]
