"""Rules, what they find, and what they look at."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from convexctl.behaviour import Behaviour, Component, Decision, Route, Source
from convexctl.behaviour.manifests import Manifests
from convexctl.behaviour.variables import Reading
from convexctl.located_yaml import Place


class Severity(enum.StrEnum):
    """How bad a finding is: `error` loses data or does not work, `warning` will hurt, `information` is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)

    @property
    def one_less(self) -> Severity:
        """The next one down; of the lowest itself."""
        return list(Severity)[min(self.rank + 1, len(Severity) - 1)]


@dataclass(frozen=True)
class View:
    """What the rules look at: the manifests and what the behaviour model makes of them."""

    manifests: Manifests
    behaviour: Behaviour


@dataclass(frozen=True)
class Hit:
    """A place where a rule is broken: what is wrong there, in a sentence that shows no secret.

    `severity` is given where it is less than the rule's. `unless` names what is out of sight and would make it right:
    the hit counts one degree less then.
    """

    component: Component | None
    source: Source
    message: str
    severity: Severity | None = None
    unless: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule: what is looked for, why it matters, where that is known from, and the two cures."""

    id: str
    severity: Severity
    title: str
    reason: str
    """What upstream or Kubernetes does, and what follows."""
    basis: str
    """Where the reason comes from: the part of upstream's image or of Kubernetes that behaves so."""
    parameter: str
    """The parameter of this project's overlays that says it right."""
    change: str
    """What to change in the manifest itself."""
    check: Callable[[View], Iterable[Hit]]
    least: Severity
    """The lowest severity that it is printed with, beside what a condition takes off."""


@dataclass(frozen=True)
class Finding:
    """A hit of a rule with its place."""

    rule: Rule
    severity: Severity
    component: Component | None
    source: Source
    said: str
    """What is wrong, without the condition."""
    unless: str
    """What is out of sight and would make it right."""
    place: Place | None
    """File and line; None if the manifests came from a cluster."""
    accepted: str = ""
    """Why somebody accepted it; empty if nobody did."""
    own: bool = False
    """Whether the object was made from an overlay of this project."""
    follows: str = ""
    """The rule of the finding that explains this one; empty for a cause of its own."""

    @property
    def message(self) -> str:
        """What is wrong, with the condition."""
        return f"{self.said} (unless {self.unless})" if self.unless else self.said


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


Check = Callable[[View], Iterator[Hit]]


def rule(
    id: str,
    severity: Severity,
    title: str,
    *,
    reason: str,
    basis: str,
    parameter: str,
    change: str,
    least: Severity | None = None,
) -> Callable[[Check], Rule]:
    """Make a rule of a check."""

    def make(check: Check) -> Rule:
        return Rule(id, severity, title, reason, basis, parameter, change, check, least or severity)

    return make


def hit(component: Component, decision: Decision, message: str, severity: Severity | None = None) -> Hit:
    """A hit at the field that made a decision.

    A variable in sight is taken at its word. What something out of sight would only add is as certain as the decision.
    """
    variable = next((variable for variable in component.environment if variable.source == decision.source), None)
    return Hit(component, decision.source, message, severity, variable.unless if variable else decision.unless)


def hit_variable(component: Component, reading: Reading, message: str, severity: Severity | None = None) -> Hit:
    """A hit at a variable. A variable that is set is certain, whatever may set others."""
    unless = reading.variable.unless if reading.variable else reading.unless
    return Hit(component, reading.source, message, severity, unless)


def obstacles(view: View, *kinds: str) -> Iterator[Hit]:
    """The obstacles of some kinds that the behaviour model sees."""
    for component in view.behaviour.components:
        for obstacle in component.obstacles:
            if obstacle.value in kinds:
                yield hit(component, obstacle, obstacle.text)


def at_edge(view: View, component: Component) -> list[Route]:
    """The routes by which the world outside the cluster reaches a component."""
    return [*view.behaviour.routes_to(component), *view.behaviour.exposed_to(component)]
