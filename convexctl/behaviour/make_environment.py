"""Makes the variables of a container as the kubelet does, from `envFrom` and `env`, and then as its start script does.

Kubernetes' rules: of two `envFrom` sources with one key the later wins; `env` wins over all of them, its later entry
over its earlier; `$(NAME)` in a `value` becomes what NAME is up to there, stays as it is where NAME is not known, and
`$$` is a plain `$`; an optional reference to what is not there adds nothing; a required one keeps the pod from
starting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from convexctl.behaviour.known_keys import absent, keys_of
from convexctl.behaviour.manifests import Manifests, items, mapping, sequence, text
from convexctl.behaviour.placeholders import PLACEHOLDER, placeholders, without
from convexctl.behaviour.processes import File
from convexctl.behaviour.shell_words import QUOTED
from convexctl.behaviour.source import Source
from convexctl.behaviour.start_script import start_of, used_names
from convexctl.behaviour.variables import (
    LONGEST,
    START_SCRIPT,
    UNSEEN,
    ContainerEnvironment,
    Fault,
    Unseen,
    Variable,
)

_EXPANSION = re.compile(r"\$(?:\$|\((?P<name>[^)]{0,256})\))")
_MOST = 1_000
_SHELL = re.compile(
    r"\$(?:\{(?P<braced>\w+)(?P<rest>[^}]{0,1024})\}|\((?P<kubelet>\w*)\)|(?P<plain>[A-Za-z_]\w*)|(?P<special>.))"
)


class _Builder:
    def __init__(
        self, manifests: Manifests, source: Source, container: Mapping[str, Any], starts_backend: bool, file: File
    ) -> None:
        self.file = file
        self.starts_backend = starts_backend
        self.manifests = manifests
        self.source = source
        self.container = container
        self.variables: dict[str, Variable] = {}
        self.positions: dict[str, int] = {}
        self.unseen: list[Unseen] = []
        self.faults: list[Fault] = []
        self.used: set[str] = set()

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
        used = self.used | used_names(self.container)
        reads_all = self.starts_backend and self._start(last + 1)
        return ContainerEnvironment(
            self.source,
            self.variables,
            tuple(self.unseen),
            tuple(self.faults),
            frozenset(used),
            reads_all,
            self.positions,
        )

    def _start(self, position: int) -> bool:
        """Apply what the container's own command does; returns whether it may read and set anything."""
        start = start_of(self.container, self.file)
        source = self.source.at("command")
        for number, (name, value, depends, plain) in enumerate(start.assignments):
            if plain and name not in self.variables:
                continue
            unless = "a condition of the start script" if depends else ""
            if value is None:
                if not depends:
                    self.variables.pop(name, None)
                continue
            variable = self._shell_expanded(name, value, source)
            if depends and name in self.variables:
                unless += f": then {self.variables[name].reference or 'the manifest'} decides"
            self.variables[name] = replace(variable, unless=unless and f"{unless} leaves it unset")
            self.positions[name] = position if number >= start.before_unseen else position - 1
        if start.unseen:
            self.unseen.append(Unseen(start.unseen, "", position, source))
        return bool(start.unseen)

    def _shell_expanded(self, name: str, value: str, source: Source) -> Variable:
        pieces: list[Variable | str] = []
        end = 0
        for match in _SHELL.finditer(value):
            pieces.append(value[end : match.start()])
            end = match.end()
            other = match["braced"] or match["kubelet"] or match["plain"] or ""
            plain = not match["rest"] and not match["special"]
            pieces.append(self.variables[other] if plain and other in self.variables else UNSEEN)
        pieces.append(value[end:])
        return replace(self._joined(name, pieces, source), reference=START_SCRIPT)

    def _joined(self, name: str, pieces: list[Variable | str], source: Source) -> Variable:
        """A variable of pieces: other variables, text, and `UNSEEN` for what cannot be seen."""
        if sum(len(piece) if isinstance(piece, str) else len(piece.outline) for piece in pieces) > LONGEST:
            self.faults.append(
                Fault(source, f"{name} becomes longer than {LONGEST} bytes, which Linux hands to no process")
            )
            return Variable(name, UNSEEN, source, display="…")
        literal = "".join(
            piece.literal if isinstance(piece, Variable) else piece.replace(UNSEEN, "") for piece in pieces
        )
        outline = "".join(piece.outline if isinstance(piece, Variable) else piece for piece in pieces)
        display = "".join(
            piece.display if isinstance(piece, Variable) else piece.replace(UNSEEN, "…") for piece in pieces
        )
        outline, literal, display = (each.replace(QUOTED, "$") for each in (outline, literal, display))
        return Variable(name, outline, source, "", literal, display)

    def _from(self, position: int, source: Source, entry: Mapping[str, Any]) -> None:
        prefix = text(entry.get("prefix"))
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            reference = mapping(entry.get(key))
            name = text(reference.get("name"))
            if not name:
                continue
            keys = keys_of(self.manifests, kind, self.source.namespace, name)
            optional = reference.get("optional") is True
            if keys is None:
                self.unseen.append(Unseen(f"{kind}/{name}", prefix, position, source, optional))
                continue
            if not optional and absent(self.manifests, kind, self.source.namespace, name):
                self.faults.append(
                    Fault(source, f"{kind}/{name} does not exist, and the pod does not start without it")
                )
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
                    Fault(
                        source.at("value"), f"{name} is not a string: the API server refuses it until it is in quotes"
                    )
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
                lack = (
                    "which does not exist"
                    if absent(self.manifests, kind, self.source.namespace, its_name)
                    else ("which has no such key")
                )
                self.faults.append(Fault(source, f"{name} needs the key {key} of {kind}/{its_name}, {lack}"))
                return Variable(name, UNSEEN, source, reference=shown, display="…")
            return None
        value, _ = keys[key]
        return _from_key(name, kind, its_name, key, value, source)

    def _expanded(self, name: str, value: str, source: Source) -> Variable:
        pieces: list[Variable | str] = []
        found, value, left = placeholders(value), without(name, value), []
        end = 0
        # Behind the last one that ends, each `$(` would look for an end in vain.
        last = max(value.rfind(")") + 1, value.rfind("$$") + 2)
        for match in _EXPANSION.finditer(value, 0, last):
            pieces.append(value[end : match.start()])
            end = match.end()
            other = match["name"]
            if other is None:
                pieces.append("$")
            elif other in self.variables:
                pieces.append(self.variables[other])
                self.used.add(other)
            elif any(other.startswith(source.prefix) for source in self.unseen):
                pieces.append(UNSEEN)
            else:
                pieces.append(match[0])
                left.append(match[0])
        pieces.append(value[end:])
        whole = re.fullmatch(r"\$\((?P<name>[^)]*)\)", value)
        reference = self.variables[whole["name"]].reference if whole and whole["name"] in self.variables else ""
        if value == UNSEEN and found:
            reference = f"{PLACEHOLDER}{found[0]}"
        variables = {piece.name: piece for piece in pieces if isinstance(piece, Variable)}.values()
        parts = (part for piece in variables for part in (piece.reference, *piece.parts) if part)
        return replace(
            self._joined(name, pieces, source),
            reference=reference,
            parts=_first(parts),
            left=_first(chain(left, *(piece.left for piece in variables))),
            placeholders=_first(chain(found, *(piece.placeholders for piece in variables))),
        )


def build_environment(
    manifests: Manifests, source: Source, container: Mapping[str, Any], file: File, *, starts_backend: bool
) -> ContainerEnvironment:
    """The environment of a container; `source` is the container in its object.

    `starts_backend` says that its command leads to the backend, so that a start script's variables count; `file`
    hands out the scripts that are mounted.
    """
    return _Builder(manifests, source, container, starts_backend, file).build()


def _first(found: Iterable[str]) -> tuple[str, ...]:
    """Each once, and no more of them than anybody reads: what a variable is made of, its users have from it."""
    return tuple(dict.fromkeys(islice(found, _MOST)))


def _from_key(name: str, kind: str, its_name: str, key: str, value: str | None, place: Source) -> Variable:
    outline = UNSEEN if value is None else without(name, value)
    plain = outline if kind == "ConfigMap" and value is not None else None
    literal, display = ("", "…") if plain is None else (plain.replace(UNSEEN, ""), plain.replace(UNSEEN, "…"))
    found = placeholders(value or "")
    return Variable(name, outline, place, f"{kind}/{its_name}[{key}]", literal, display, placeholders=found)


def _either(optional: Variable, otherwise: Variable) -> Variable:
    """A variable from an optional reference, where `envFrom` sets it too and stays when the reference leads nowhere."""
    where = f"{optional.unless}: then {otherwise.reference} decides"
    return replace(optional, unless=where)
