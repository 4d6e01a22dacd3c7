"""An overlay in the making: values by parameter, why each was set, and at the end only what differs from defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convex_k8s import knobs
from convex_k8s.problems import dotted
from convex_k8s.secrecy import named_like_a_secret, shows_a_secret
from convex_k8s.values import Values
from convex_k8s.values.base import Model

from convexctl.behaviour.manifests import dig, text
from convexctl.located_yaml import Located

DEFAULTS: dict[str, Any] = Values().model_dump(by_alias=True)
"""The defaults of all parameters, as an overlay would write them."""
_WHERE_SECRETS_GO = (
    "put it into a Secret that the overlay names (a variable: under backend.envFrom); until then the environment does "
    "not have it"
)


@dataclass
class Draft:
    """An overlay in the making."""

    values: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)
    """What was read off the release itself and why, by parameter."""
    lost: list[str] = field(default_factory=list)
    """What of the release has no place in an overlay, each with what can be done."""

    def get(self, key: str) -> Any:
        """The value of a parameter; None if it is not set."""
        return dig(self.values, *key.split("."))

    def put(self, key: str, value: Any, why: str = "") -> None:
        """Set a parameter. `why` is reported if that changes the parameter."""
        *path, last = key.split(".")
        inner = self.values
        for part in path:
            following = inner.get(part)
            inner[part] = inner = dict(following) if isinstance(following, Mapping) else {}
        default = dig(DEFAULTS, *key.split("."))
        if why and not _same(inner.get(last, default), value):
            self.notes[key] = why
        inner[last] = value

    def take_secrets_out(self) -> None:
        """Take away every value that may be a secret, wherever it is from, and name its place among what is lost."""
        places: list[str] = []
        self.values = _without_secrets(self.values, (), places)
        for place in places:
            self.notes.pop(place, None)
            self.lost.append(f"{place}, which looks like a secret: {_WHERE_SECRETS_GO}")

    def drop(self, key: str) -> None:
        """Take a parameter away."""
        *path, last = key.split(".")
        inner = dig(self.values, *path) if path else self.values
        if isinstance(inner, dict):
            inner.pop(last, None)
        self.notes.pop(key, None)


def _without_secrets(value: Any, path: tuple[str | int, ...], places: list[str]) -> Any:
    """`value` without the texts that may be secrets; their places go to `places`, without such a text in them."""
    if isinstance(value, Mapping):
        kept = {}
        for key, item in value.items():
            place: tuple[str | int, ...] = (*path, "a key" if shows_a_secret(str(key)) else str(key))
            if shows_a_secret(str(key)) or _is_secret(item, place):
                places.append(dotted(place))
            else:
                kept[key] = _without_secrets(item, place, places)
        return kept
    if isinstance(value, list):
        kept_items = []
        for index, item in enumerate(value):
            place = (*path, index)
            if _is_secret(item, place):
                places.append(dotted(place))
            else:
                kept_items.append(_without_secrets(item, place, places))
        return kept_items
    return value


def _is_secret(value: Any, path: tuple[str | int, ...]) -> bool:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return False
    name = str(path[-1])
    named = path[:-1] == ("backend", "env") and name not in knobs.knobs() and named_like_a_secret(name)
    return named or shows_a_secret(str(value))


def split(model: type[Model], given: Located, path: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    """The values that are parameters, and the places of those that are not. What is null is as if it were not there."""
    fields = {spec.alias or name: spec for name, spec in model.model_fields.items()}
    known: dict[str, Any] = {}
    unknown: list[str] = []
    for key, item in given.value.items():
        if key not in fields:
            unknown.append(f"{dotted((*path, key))} ({item.place}), which is not a parameter here")
            continue
        inner = fields[key].annotation
        if isinstance(inner, type) and issubclass(inner, Model) and isinstance(item.value, dict):
            known[key], more = split(inner, item, (*path, key))
            unknown += more
        elif isinstance(item.value, str) and shows_a_secret(item.value):
            unknown.append(f"{dotted((*path, key))} ({item.place}), which looks like a secret: {_WHERE_SECRETS_GO}")
        elif item.value is not None:
            known[key] = item.plain()
    return known, unknown


def switched_on(values: dict[str, Any]) -> dict[str, Any]:
    """The chart's own values, without the values of parts that are switched off, which have no effect."""
    draft = Draft(dict(values))
    for section in ("ingress", "postgres", "mysql", "backend.persistence"):
        if _as_boolean(draft.get(f"{section}.enabled")) is False:
            draft.put(section, {})
    return draft.values


def _as_boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def laid_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`top` over `base`: maps merge key by key, anything else replaces."""
    merged = dict(base)
    for key, item in top.items():
        below = merged.get(key)
        merged[key] = laid_over(below, item) if isinstance(below, Mapping) and isinstance(item, Mapping) else item
    return merged


def differing(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from the defaults, in the order of the parameters."""

    def below(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
        kept = {}
        for key in sorted(given, key=lambda name: list(defaults).index(name) if name in defaults else len(defaults)):
            item, default = given[key], defaults.get(key)
            if isinstance(item, Mapping) and isinstance(default, Mapping) and default:
                item = below(item, default)
                if not item:
                    continue
            elif _same(item, default):
                continue
            kept[key] = item
        return kept

    return {"releaseName": values["releaseName"], **below(values, DEFAULTS)}


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: `"true"` in quotes is the chart's way to write a boolean."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    scalars = isinstance(one, str | int | float) and isinstance(other, str | int | float)
    return text(one) == text(other) if scalars else one == other
