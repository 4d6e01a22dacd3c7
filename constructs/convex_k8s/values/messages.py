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
    if place := _in_our_words(model, path):
        return f"is not a parameter: did you mean {place}?"
    if path == ("backend", "replicas"):
        return "is not a parameter: the backend has one pod, always. backend.paused stops it"
    if _kubernetes_own(path):
        return "is not a parameter, and a field of Kubernetes' own: set it with patches (docs/extending.md)"
    siblings = [name for name, _ in _fields(_model_at(model, path[:-1]))]
    same = {name.lower(): name for name in siblings}.get(_plain(key))
    # Below `keys` are names of keys, and no credentials.
    if not same and "keys" not in path[:-1] and (place := _credential(path)):
        return f"is not a parameter: credentials stay in the Secret ({place}), and the command `secrets` asks for them"
    elsewhere = [known for known in all_keys(model) if known[-1] == key and _near(model, path, known)]
    if (close := meant(key, siblings)) and not (elsewhere and len(path) == 1):
        return f"is not a parameter: did you mean {dotted((*path[:-1], close))}?"
    if elsewhere:
        # The name of a key in a Secret is the least likely of them.
        near = sorted(elsewhere, key=lambda known: "keys" in known)[:4]
        return f"is not a parameter here: did you mean {' or '.join(dotted(known) for known in near)}?"
    known = ", ".join(siblings)
    return f"is not a parameter; known here: {known}" if known else "is not a parameter"


_OTHER_WORDS = {
    "containers": "{0}.extraContainers",
    "database": "instance.name",
    "databasename": "instance.name",
    "dbname": "instance.name",
    "domain": "ingress.backend.host",
    "env": "{0}.env",
    "environment": "{0}.env",
    "envvars": "{0}.env",
    "extraenv": "{0}.env",
    "fullnameoverride": "releaseName",
    "hosts": "{0}.backend.host",
    "imagepullpolicy": "{0}.image.pullPolicy",
    "imagepullsecrets": "imagePullSecrets",
    "image.name": "{0}.image.repository",
    "image.repository": "backend.image.repository",
    "ingressclassname": "{0}.className",
    "instance.keys.secret": "instance.keys.instanceSecret",
    "instancename": "instance.name",
    "livenessprobe": "{0}.probes.liveness",
    "nameoverride": "releaseName",
    "readinessprobe": "{0}.probes.readiness",
    "replicas": "{0}.replicaCount",
    "service": "service.{0}",
    "serviceaccountname": "{0}.serviceAccount.name",
    "sidecars": "{0}.extraContainers",
    "ssl": "convexConfig.requireSsl",
    "sslmode": "convexConfig.requireSsl",
    "startupprobe": "{0}.probes.startup",
    "type": "{0}.backend.type",
    "volumemounts": "{0}.extraVolumeMounts",
    "volumes": "{0}.extraVolumes",
}
"""Parameters under the names that Kubernetes and other charts have for them; `{0}` is the section.

A name of one word counts at the top and directly in a section, a longer one everywhere.
"""


def _in_our_words(model: type[Model], path: Path) -> str:
    """The parameter that does what is meant, if it has another name here; empty if there is none."""
    words = [_plain(str(part)) for part in path]
    names = [".".join(words[start:]) for start in range(len(words))]
    if len(path) > _IN_A_SECTION:
        names.pop()
    place = next((_OTHER_WORDS[name] for name in names if name in _OTHER_WORDS), "")
    place = place.format(path[0] if len(path) > 1 else "backend")
    return place if tuple(place.split(".")) in all_keys(model) else ""


_IN_A_SECTION = 2


def _kubernetes_own(path: Path) -> bool:
    """Whether Kubernetes has a field of that name in what the section of the overlay makes."""
    from convex_k8s.values.kubernetes import types as kubernetes_types

    types = {
        "backend": ("PodSpec", "Container", "StatefulSetSpec"),
        "dashboard": ("PodSpec", "Container", "DeploymentSpec"),
        "service": ("ServiceSpec",),
        "ingress": ("IngressSpec",),
    }.get(str(path[0]), ())
    if path[1:2] == ("securityContext",):
        return len(path) > _IN_A_SECTION and bool(kubernetes_types.owners(str(path[-1]), _SECURITY))
    return len(path) == _IN_A_SECTION and bool(kubernetes_types.owners(str(path[-1]), types))


_SECURITY = ("PodSecurityContext", "SecurityContext")


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
        if _plain(key) == "adminkey":
            return f"{section}.adminKeySecret" if section in ("backup", "functions") else "backend.secretsName"
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
    if len(path) > _IN_A_SECTION and len(known) >= len(path):
        return known[:2] == path[:2]
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
