"""Decisions as plain data, and what differs between two sets of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from convexctl.behaviour.model import Behaviour, Component, Decision, Route
from convexctl.behaviour.source import Source


@dataclass(frozen=True)
class Change:
    """A decision that differs. `before` or `after` is None if there is no such decision on that side."""

    component: Component
    """The component as it is afterwards, or as it was where it is gone."""
    name: str
    """The field of the component; empty if the component itself came or went."""
    title: str
    before: Decision | None
    after: Decision | None


def as_dict(behaviour: Behaviour) -> dict[str, Any]:
    """Everything that the model says, as data for JSON."""
    return {
        "backends": [_component(component) for component in behaviour.backends],
        "dashboards": [_component(component) for component in behaviour.dashboards],
        "routes": [_route(route) for route in behaviour.routes],
        "exposed": [_route(route) for route in behaviour.exposed],
    }


def compare(before: Behaviour, after: Behaviour) -> list[Change]:
    """The decisions that differ, component by component.

    Components are the same when kind, namespace, name and container are; where each side has one of a kind, these two
    are compared whatever they are called.
    """
    changes: list[Change] = []
    for old, new in (*_pairs(before.backends, after.backends), *_pairs(before.dashboards, after.dashboards)):
        component = new or old
        if component is None:
            continue
        if old is None or new is None:
            changes.append(Change(component, "", component.TITLE, _identity(old), _identity(new)))
            continue
        if _identity_value(old) != _identity_value(new):
            changes.append(Change(component, "", component.TITLE, _identity(old), _identity(new)))
        changes += _differences(old, new)
    return changes


def _differences(old: Component, new: Component) -> Iterator[Change]:
    rows_before = {row.name: row for row in old.rows()}
    rows_after = {row.name: row for row in new.rows()}
    for name in dict.fromkeys((*rows_before, *rows_after)):
        row_before, row_after = rows_before.get(name), rows_after.get(name)
        one, other = row_before and row_before.decision, row_after and row_after.decision
        if one is None or other is None or plain(one.value) != plain(other.value):
            row = row_after or row_before
            yield Change(new, name, row.title if row else name, one, other)


def _pairs(
    before: tuple[Component, ...], after: tuple[Component, ...]
) -> Iterator[tuple[Component | None, Component | None]]:
    if len(before) == 1 and len(after) == 1:
        yield before[0], after[0]
        return
    olds = {_identity_value(component): component for component in before}
    news = {_identity_value(component): component for component in after}
    for key in dict.fromkeys((*olds, *news)):
        yield olds.get(key), news.get(key)


def _identity_value(component: Component) -> tuple[str, ...]:
    return component.kind, component.namespace, component.name, component.container


def _identity(component: Component | None) -> Decision | None:
    if component is None:
        return None
    value = _identity_value(component)
    return Decision(value, str(component), "its object", component.source)


def _component(component: Component) -> dict[str, Any]:
    return {
        "kind": component.kind,
        "namespace": component.namespace,
        "name": component.name,
        "container": component.container,
        "decisions": {row.name: {"title": row.title, **_decision(row.decision)} for row in component.rows()},
        "obstacles": [_decision(obstacle) for obstacle in component.obstacles],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "value": plain(decision.value),
        "text": decision.text,
        "why": decision.why,
        "unless": decision.unless,
        "source": _source(decision.source),
    }


def _source(source: Source) -> dict[str, str]:
    return {"kind": source.kind, "namespace": source.namespace, "name": source.name, "field": source.field}


_ROUTE = ("host", "path", "path_type", "service", "service_port", "target", "problem", "tls")


def _route(route: Route) -> dict[str, Any]:
    shown = {key: value for key, value in asdict(route).items() if key in _ROUTE}
    if route.target:
        shown["target"] = {key: value for key, value in asdict(route.target).items() if key != "convex"}
    rewrite = None if route.rewrite is None else str(route.rewrite)
    return {**shown, "rewrite": rewrite, "source": _source(route.source)}


def plain(value: object) -> Any:
    """A decision's value with lists and dicts in the place of tuples and mappings."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value
