"""The variables of a container, as the kubelet makes them from `envFrom` and `env`.

Kubernetes' rules: of two `envFrom` sources with one key the later wins; `env` wins over all of them, its later entry
over its earlier; `$(NAME)` in a `value` becomes what NAME is up to there, stays as it is where NAME is not known, and
`$$` is a plain `$`; an optional reference to what is not there adds nothing; a required one keeps the pod from
starting.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from convexctl.behaviour.manifests import Manifests, items, mapping, sequence, text
from convexctl.behaviour.source import Source
from convexctl.wording import listed

UNSEEN = "\ufdd0"
"""Stands in an outline for a piece that cannot be seen: a character that no text has."""
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://).*@|^[^\s@:]*:.*@", re.DOTALL)
"""User and password of a URL, up to the last `@`: an unescaped `/` in a password hides where they end."""
_EXPANSION = re.compile(r"\$(?:\$|\((?P<name>[^)]*)\))")


@dataclass(frozen=True)
class Variable:
    """A variable that is set. Its value stays out of `repr`: it may be a secret."""

    name: str
    outline: str = field(repr=False)
    """The value, with `UNSEEN` for every piece that cannot be seen."""
    source: Source
    """The field that sets it: an `env` entry, or a key of a ConfigMap or Secret."""
    reference: str = ""
    """`Secret/name[KEY]` or `ConfigMap/name[KEY]`, where it comes from one; `field …` from the pod's own fields."""
    literal: str = field(default="", repr=False)
    """What stands as text in a pod or ConfigMap: the value without the pieces that come from elsewhere."""
    display: str = field(default="", repr=False)
    """The value with `…` for every piece that is unseen or comes from a Secret."""
    unless: str = ""
    """What is out of sight and would leave it unset."""

    @property
    def text(self) -> str | None:
        """The value, or None where it cannot be seen in full."""
        return None if UNSEEN in self.outline else self.outline

    @property
    def from_secret(self) -> bool:
        """Whether the whole value comes from a Secret."""
        return self.reference.startswith("Secret/")


@dataclass(frozen=True)
class Unseen:
    """An `envFrom` source whose keys cannot be seen."""

    reference: str
    """`Secret/name` or `ConfigMap/name`."""
    prefix: str
    position: int
    source: Source

    def may_set(self, name: str) -> bool:
        """Whether one of its keys can become the variable."""
        return name.startswith(self.prefix)


@dataclass(frozen=True)
class Fault:
    """What keeps the container from starting: the field, and what is wrong with it."""

    source: Source
    message: str


@dataclass(frozen=True)
class Reading:
    """A variable as far as it can be seen. Where it is not set, `source` is the container's list of variables."""

    name: str
    variable: Variable | None
    source: Source
    may_set: tuple[str, ...]
    """The `envFrom` sources out of sight that may set it, or set it otherwise."""

    @property
    def filled(self) -> bool:
        """Whether it is set and not empty, which is what the entry point asks for most."""
        return self.variable is not None and self.variable.outline != ""

    @property
    def empty(self) -> bool:
        """Whether it is set to nothing."""
        return self.variable is not None and self.variable.outline == ""

    @property
    def text(self) -> str | None:
        """The value, empty where it is not set, None where it cannot be seen in full."""
        return "" if self.variable is None else self.variable.text

    @property
    def reference(self) -> str:
        """The Secret or ConfigMap key that it comes from; empty for a value in the pod itself."""
        return self.variable.reference if self.variable else ""

    @property
    def hidden(self) -> bool:
        """Whether nothing of it may or can be shown: it is a Secret's, or out of sight."""
        return self.variable is not None and self.variable.display == "…"

    @property
    def shown(self) -> str:
        """What may be shown of it, which also tells two settings apart: its text, or where it comes from.

        What stands before the host of a URL may be a password, and is `…`.
        """
        if self.variable is None:
            return ""
        if self.hidden:
            return self.variable.reference
        return _USER_INFO.sub(lambda match: f"{match['scheme'] or ''}…@", self.variable.display)

    @property
    def unless(self) -> str:
        """What is out of sight and would make it otherwise."""
        return unless(self)


@dataclass(frozen=True)
class ContainerEnvironment:
    """All variables of a container, what may add to them unseen, and what is wrong with their sources."""

    source: Source
    variables: Mapping[str, Variable]
    unseen: tuple[Unseen, ...]
    faults: tuple[Fault, ...]
    _positions: Mapping[str, int] = field(default_factory=dict, repr=False)

    def read(self, name: str) -> Reading:
        """A variable, with what could make it otherwise."""
        variable = self.variables.get(name)
        after = self._positions.get(name, -1)
        may_set = [source.reference for source in self.unseen if source.position > after and source.may_set(name)]
        source = variable.source if variable else self.source.at("env")
        return Reading(name, variable, source, tuple(dict.fromkeys(may_set)))

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables.values())


def unless(*readings: Reading) -> str:
    """What is out of sight and would make any of the readings otherwise, in one text; empty where nothing would."""
    conditions = [reading.variable.unless for reading in readings if reading.variable and reading.variable.unless]
    names = [reading.name for reading in readings if reading.may_set]
    if names:
        sources = dict.fromkeys(source for reading in readings for source in reading.may_set)
        conditions.append(f"{listed(list(sources))} sets {listed(names)}")
    return " or ".join(conditions)


class _Builder:
    def __init__(self, manifests: Manifests, source: Source, container: Mapping[str, Any]) -> None:
        self.manifests = manifests
        self.source = source
        self.container = container
        self.variables: dict[str, Variable] = {}
        self.positions: dict[str, int] = {}
        self.unseen: list[Unseen] = []
        self.faults: list[Fault] = []

    def build(self) -> ContainerEnvironment:
        for position, (step, entry) in enumerate(items(self.container.get("envFrom"))):
            self._from(position, self.source.at("envFrom", step.position), entry)
        last = len(sequence(self.container.get("envFrom")))
        for step, entry in items(self.container.get("env")):
            variable = self._variable(self.source.at("env", step), entry)
            if variable is None:
                continue
            previous = self.variables.get(variable.name)
            if variable.unless and previous is not None and not previous.unless:
                variable = _either(variable, previous)
            self.variables[variable.name] = variable
            self.positions[variable.name] = last
        return ContainerEnvironment(self.source, self.variables, tuple(self.unseen), tuple(self.faults), self.positions)

    def _from(self, position: int, source: Source, entry: Mapping[str, Any]) -> None:
        prefix = text(entry.get("prefix"))
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            reference = mapping(entry.get(key))
            name = text(reference.get("name"))
            if not name:
                continue
            keys = keys_of(self.manifests, kind, self.source.namespace, name)
            if keys is None:
                self.unseen.append(Unseen(f"{kind}/{name}", prefix, position, source))
                continue
            for its_key, (value, place) in keys.items():
                variable = prefix + its_key
                self.positions[variable] = position
                self.variables[variable] = _from_key(variable, kind, name, its_key, value, place)

    def _variable(self, source: Source, entry: Mapping[str, Any]) -> Variable | None:
        name = text(entry.get("name"))
        if not name:
            return None
        value = entry.get("value")
        if value not in (None, ""):
            if not isinstance(value, str):
                self.faults.append(
                    Fault(source.at("value"), f"{name} is no string: the API server refuses it until it is in quotes")
                )
            return self._expanded(name, text(value), source)
        value_from = mapping(entry.get("valueFrom"))
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            if key in value_from:
                return self._from_reference(name, kind, mapping(value_from[key]), source)
        if value_from:
            path = text(mapping(value_from.get("fieldRef")).get("fieldPath")) or "of the pod"
            return Variable(name, UNSEEN, source, reference=f"field {path}", display="…")
        return Variable(name, "", source)

    def _from_reference(self, name: str, kind: str, reference: Mapping[str, Any], source: Source) -> Variable | None:
        its_name, key = text(reference.get("name")), text(reference.get("key"))
        shown = f"{kind}/{its_name}[{key}]"
        optional = reference.get("optional") is True
        keys = keys_of(self.manifests, kind, self.source.namespace, its_name)
        if keys is None:
            unless = f"{kind}/{its_name} has no key {key}" if optional else ""
            return Variable(name, UNSEEN, source, reference=shown, display="…", unless=unless)
        if key not in keys:
            if not optional:
                self.faults.append(Fault(source, f"{name} needs the key {key} of {kind}/{its_name}, which has none"))
                return Variable(name, UNSEEN, source, reference=shown, display="…")
            return None
        value, _ = keys[key]
        return _from_key(name, kind, its_name, key, value, source)

    def _expanded(self, name: str, value: str, source: Source) -> Variable:
        literal: list[str] = []
        outline: list[str] = []
        display: list[str] = []
        end = 0
        for match in _EXPANSION.finditer(value):
            plain = value[end : match.start()]
            end = match.end()
            other = match["name"]
            if other is None:
                plain += "$"
            elif other not in self.variables:
                plain += match[0]
            for pieces in (literal, outline, display):
                pieces.append(plain)
            if other is not None and other in self.variables:
                outline.append(self.variables[other].outline)
                literal.append(self.variables[other].literal)
                display.append(self.variables[other].display)
        for pieces in (literal, outline, display):
            pieces.append(value[end:])
        whole = re.fullmatch(r"\$\((?P<name>[^)]*)\)", value)
        reference = self.variables[whole["name"]].reference if whole and whole["name"] in self.variables else ""
        return Variable(name, "".join(outline), source, reference, "".join(literal), "".join(display))


def build_environment(manifests: Manifests, source: Source, container: Mapping[str, Any]) -> ContainerEnvironment:
    """The environment of a container; `source` is the container in its object."""
    return _Builder(manifests, source, container).build()


def keys_of(manifests: Manifests, kind: str, namespace: str, name: str) -> dict[str, tuple[str | None, Source]] | None:
    """The keys of a ConfigMap or Secret with their values and places, or None where it is not among the manifests.

    A value is None where only the key can be seen: data that is null, or an object that makes the Secret elsewhere.
    """
    manifest = manifests.find(kind, namespace, name)
    if manifest is None:
        return None
    place = Source(kind, text(mapping(manifest.get("metadata")).get("namespace")), name)
    keys: dict[str, tuple[str | None, Source]] = {}
    for key, value in _by_name(manifest.get("data")):
        keys[key] = (_decoded(value) if kind == "Secret" else text(value), place.at("data", key))
    if kind == "Secret":
        for key, value in _by_name(manifest.get("stringData")):
            keys[key] = (None if value is None else text(value), place.at("stringData", key))
    return keys


def _by_name(data: object) -> list[tuple[str, object]]:
    """The entries of a map; a key that is no string, which Kubernetes refuses, reads as text."""
    return [(str(key), value) for key, value in mapping(data).items()]


def _decoded(value: object) -> str | None:
    if value is None:
        return None
    try:
        return base64.b64decode(text(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _from_key(name: str, kind: str, its_name: str, key: str, value: str | None, place: Source) -> Variable:
    literal = value if kind == "ConfigMap" and value is not None else ""
    outline = UNSEEN if value is None else value
    display = outline if kind == "ConfigMap" and value is not None else "…"
    return Variable(name, outline, place, f"{kind}/{its_name}[{key}]", literal, display)


def _either(optional: Variable, otherwise: Variable) -> Variable:
    """A variable from an optional reference, where `envFrom` sets it too and stays when the reference leads nowhere."""
    where = f"{optional.unless}: then {otherwise.reference} decides"
    return replace(optional, unless=where)
