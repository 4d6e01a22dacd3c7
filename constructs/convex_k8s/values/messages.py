"""What a wrong value is called in front of a user: the words for the errors that the type checks find."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic_core import ErrorDetails

from convex_k8s.problems import Path, dotted
from convex_k8s.secrecy import named_like_a_secret, shown
from convex_k8s.values.base import Model

_KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a map of keys and values",
    "list_type": "a list",
    "model_type": "a map of keys and values",
    "int_or_string": "a whole number or a string",
}


def message_for(model: type[Model], path: Path, detail: ErrorDetails) -> str:
    """The message for one error of the type checks at `path` of `model`."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "convex":
            return str(context["text"])
        case "extra_forbidden":
            return _unknown_key(model, path)
        case "missing":
            return "is missing"
        case "literal_error":
            return not_one_of(value, [choice.strip("'") for choice in re.split(", | or ", str(context["expected"]))])
        case "greater_than_equal":
            return f"must be at least {context['ge']}{_shown_plainly(value)}"
        case "less_than_equal":
            return f"must be at most {context['le']}{_shown_plainly(value)}"
    return must_be(kind, value) if kind in _KINDS else f"is wrong: {detail['msg']}"


def must_be(kind: str, value: Any) -> str:
    """The message for a value of another type than `kind`, which is one of pydantic's kinds of error."""
    return f"must be {_KINDS[kind]}{_instead_of(kind, value)}"


_SHORT = 4
"""In a word of so few letters half of a match is chance: `auth` is not `audit`."""


def meant(key: str, known: Iterable[str]) -> str:
    """The known key that a wrong one was probably meant to be; empty if none is close."""
    lowered = {name.lower(): name for name in known}
    plain = _plain(key)
    if swapped := [name for name in lowered if sorted(name) == sorted(plain)]:
        return lowered[swapped[0]]
    close = difflib.get_close_matches(plain, lowered, n=1, cutoff=0.65 if len(plain) > _SHORT else 0.75)
    return lowered[close[0]] if close else ""


def not_one_of(value: Any, choices: Sequence[str]) -> str:
    """The message for a value that is not one of the choices."""
    close = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.6)
    listed = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return f"must be {listed}{shown(value)}" + (f": did you mean {close[0]}?" if close else "")


def _shown_plainly(value: Any) -> str:
    return f", not {value}" if isinstance(value, int | float) else ""


def _instead_of(kind: str, value: Any) -> str:
    match value:
        case None:
            return "; it is empty"
        case bool() if kind == "string_type":
            return ", not a boolean: put it in quotes"
        case int() | float() if kind == "string_type":
            return ", not a number: put it in quotes"
        case str() if kind in ("int_type", "int_from_float") and value.isdigit():
            return f", not a string: write {value} without quotes"
        case str() if kind == "bool_type" and value.lower() in ("true", "false", "yes", "no", "on", "off"):
            return (
                f", not a string: write {'true' if value.lower() in ('true', 'yes', 'on') else 'false'} without quotes"
            )
        case dict():
            return ", not a map"
        case list():
            return ", not a list"
        case _:
            return shown(value)


def _unknown_key(model: type[Model], path: Path) -> str:
    key = str(path[-1])
    if _kubernetes_own(path):
        return "is not a parameter, and a field of Kubernetes' own: set it with patches (docs/extending.md)"
    siblings = [name for name, _ in _fields(_model_at(model, path[:-1]))]
    same = {name.lower(): name for name in siblings}.get(_plain(key))
    # Below `keys` are names of keys, and no credentials.
    if not same and "keys" not in path[:-1] and (place := _credential(path)):
        return f"is not a parameter: credentials stay in the Secret ({place}), and the command `secrets` asks for them"
    if close := _spelt_otherwise(key, siblings) or meant(key, siblings):
        return f"is not a parameter: did you mean {dotted((*path[:-1], close))}?"
    elsewhere = [known for known in all_keys(model) if known[-1] == key and _near(model, path, known)]
    if elsewhere:
        # The name of a key in a Secret is the least likely of them.
        near = sorted(elsewhere, key=lambda known: "keys" in known)[:4]
        return f"is not a parameter here: did you mean {' or '.join(dotted(known) for known in near)}?"
    known = ", ".join(siblings)
    return f"is not a parameter; known here: {known}" if known else "is not a parameter"


_OTHER_WORDS = {"extraenv": "env", "envvars": "env", "environment": "env", "secret": "instanceSecret"}
"""Parameters under the names that other charts have for them."""


def _spelt_otherwise(key: str, siblings: Sequence[str]) -> str:
    name = _OTHER_WORDS.get(_plain(key), "")
    return name if name in siblings else ""


def _kubernetes_own(path: Path) -> bool:
    """Whether Kubernetes has a field of that name in what the section of the overlay makes."""
    from convex_k8s.values import kubernetes_types

    types = {
        "backend": ("PodSpec", "Container", "StatefulSetSpec"),
        "dashboard": ("PodSpec", "Container", "DeploymentSpec"),
        "service": ("ServiceSpec",),
        "ingress": ("IngressSpec",),
    }.get(str(path[0]), ())
    return len(path) > 1 and bool(kubernetes_types.owners(str(path[-1]), types))


_IN_THE_SECRET = {
    "postgres": "postgres.existingSecret",
    "mysql": "mysql.existingSecret",
    "s3": "s3.existingSecret",
    "instance": "instance.existingSecret",
}
"""Sections whose credentials are in a Secret, and the parameter that names it."""
_CONNECTION = {
    "url", "uri", "dsn", "connectionstring", "databaseurl", "host", "hostname", "port", "user", "username", "database",
    "dbname", "accesskey", "accesskeyid", "secretkey", "secretaccesskey", "instancesecret", "secret", "key",
}  # fmt: skip
"""What such a Secret holds, in the spellings of other charts."""


def _credential(path: Path) -> str:
    """The parameter that names the Secret for a key that would hold a credential; empty for another key."""
    key, section = str(path[-1]), str(path[0])
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-.]", "_", key)
    in_section = len(path) > 1 and section in _IN_THE_SECRET
    if in_section and (named_like_a_secret(words) or _plain(key) in _CONNECTION):
        return _IN_THE_SECRET[section]
    if (named_like_a_secret(words) and _plain(key) not in ("secret", "key")) or _plain(key) in _ALWAYS:
        if _plain(key) == "adminkey" and section == "backend":
            return "backend.secretsName"
        if section in ("backend", "dashboard"):
            return "backend.envFrom"
        return "postgres.existingSecret, s3.existingSecret or instance.existingSecret"
    return ""


_ALWAYS = {"databaseurl", "dsn", "connectionstring", "instancesecret", "accesskeyid", "secretaccesskey"}


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _near(model: type[Model], path: Path, known: Path) -> bool:
    """Whether a parameter of the same name elsewhere may be meant: it is in the same section, or none was said."""
    sections = {name for name, _ in _fields(model)}
    return known[0] == path[0] or len(path) == 1 or path[0] not in sections


@functools.cache
def all_keys(model: type[Model]) -> tuple[Path, ...]:
    """The paths of all keys below `model`, lists left out, in the order of the models."""

    def below(model: type[Model], path: Path) -> Iterator[Path]:
        for name, annotation in _fields(model):
            yield (*path, name)
            if isinstance(annotation, type) and issubclass(annotation, Model):
                yield from below(annotation, (*path, name))

    return tuple(below(model, ()))


def _fields(model: type[Model] | None) -> list[tuple[str, Any]]:
    if model is None:
        return []
    return [(field.alias or name, field.annotation) for name, field in model.model_fields.items()]


def _model_at(model: type[Model] | None, path: Path) -> type[Model] | None:
    for part in path:
        if isinstance(part, int):
            continue
        annotation = dict(_fields(model)).get(part)
        inner = get_args(annotation) if get_origin(annotation) is not None or get_args(annotation) else (annotation,)
        model = next((kind for kind in _flatten(inner) if isinstance(kind, type) and issubclass(kind, Model)), None)
    return model


def _flatten(kinds: tuple[Any, ...]) -> Iterator[Any]:
    for kind in kinds:
        yield from _flatten(get_args(kind)) if get_args(kind) else (kind,)
