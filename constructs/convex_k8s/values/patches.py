"""Values of the open end: patches of the objects that an overlay makes, and objects of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from convex_k8s.problems import Path, Problem
from convex_k8s.values.base import Model, wrong, wrong_inside
from convex_k8s.values.kubernetes import kinds as kubernetes_kinds
from convex_k8s.values.kubernetes import types as kubernetes_types
from convex_k8s.values.labels import SELECTOR

_OPERATIONS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise wrong(f"must be a regular expression: {error}") from None
    return value


def _selector(value: str) -> str:
    if not re.fullmatch(SELECTOR, value):
        raise wrong("must be a label selector like app=convex-backend, or tier in (a,b)")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
LabelSelector = Annotated[str, AfterValidator(_selector)]


class PatchTarget(Model):
    """Which objects a patch is for: all that fit everything that is said. The texts are regular expressions for the
    whole of a name, as in kustomize."""

    group: Pattern = ""
    """API group, for instance `apps`."""
    version: Pattern = ""
    """API version, for instance `v1`."""
    kind: Pattern = ""
    """Kind, for instance `StatefulSet`."""
    name: Pattern = ""
    """Name of the object, for instance `convex-backend` or `.*-svc`."""
    namespace: Pattern = ""
    """Namespace of the object."""
    label_selector: LabelSelector = ""
    """Labels of the object, as `kubectl get -l` takes them."""
    annotation_selector: LabelSelector = ""
    """Annotations of the object, in the same form."""


def _body(value: Any) -> Any:
    if isinstance(value, str):
        raise wrong("must be a list of operations or a map, not a text: leave out the | in front of it")
    if isinstance(value, dict) and value:
        return value
    if not isinstance(value, list) or not value:
        raise wrong("must be a list of operations (JSON Patch), or a map that is laid over the object")
    problems = [problem for index, operation in enumerate(value) for problem in _faults(operation, (index,))]
    if problems:
        raise wrong_inside(problems)
    return value


def _faults(operation: Any, path: Path) -> Iterator[Problem]:
    kind = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(operation, dict) or kind not in _OPERATIONS:
        place = (*path, "op") if isinstance(operation, dict) and "op" in operation else path
        yield Problem(place, f"must be an operation with op: {', '.join(_OPERATIONS)}")
        return
    wanted = ("path", *_OPERATIONS[kind])
    for key in wanted:
        if key not in operation:
            yield Problem(path, f"has no {key}, which {kind} needs")
        elif key in ("path", "from") and not (isinstance(operation[key], str) and operation[key][:1] in ("/", "")):
            yield Problem((*path, key), "must be a JSON pointer like /spec/template/spec/runtimeClassName")
    for key in operation:
        if key not in ("op", *wanted):
            yield Problem((*path, key), f"means nothing with op {kind}: remove it")


PatchBody = Annotated[
    Any,
    BeforeValidator(_body),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}),
]


class Patch(Model):
    """A change of objects after they are made."""

    target: PatchTarget
    """Which objects: at least `kind` or `name`. A patch that fits none is an error."""
    patch: PatchBody
    """A list of JSON Patch operations, or a map that is laid over the object (strategic merge; `null` removes a key,
    `$patch: delete` an item of a list)."""


NOT_HERE = {
    "List": "is a list: write its items one by one",
    "Namespace": "is made by createNamespace, in a file of its own: deleting the environment would delete it",
}
"""Kinds that are no extra objects, and why."""


def secret_fault(manifest: dict[str, Any]) -> str:
    """What is wrong with a Secret that holds data; empty for every other object."""
    if manifest.get("kind") == "Secret" and any(manifest.get(key) for key in ("data", "stringData")):
        return "is a Secret with data, and an overlay must not hold one: see docs/secrets.md for who may make it"
    return ""


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise wrong("must be a whole object, with apiVersion, kind, metadata and what its kind has")
    problems = list(_faults_of_object(value))
    if problems:
        raise wrong_inside(problems)
    return value


def _faults_of_object(manifest: dict[str, Any]) -> Iterator[Problem]:
    given = manifest.get("metadata")
    metadata: dict[str, Any] = given if isinstance(given, dict) else {}
    missing = [key for key in ("apiVersion", "kind") if not (isinstance(manifest.get(key), str) and manifest[key])]
    if not (isinstance(metadata.get("name"), str) and metadata["name"]):
        missing.append("metadata.name")
    if missing:
        yield Problem((), f"has no {' and no '.join(missing)}")
        return
    kind = manifest["kind"]
    if kind in NOT_HERE or kind.endswith("List"):
        yield Problem(("kind",), NOT_HERE.get(kind, NOT_HERE["List"]))
        return
    if fault := secret_fault(manifest):
        yield Problem((), fault)
    for key in ("labels", "annotations"):
        if not isinstance(metadata.get(key) or {}, dict):
            yield Problem(("metadata", key), "must be a map of keys and values")
            return
    yield from kubernetes_kinds.version_fault(manifest["apiVersion"], kind)
    if fault := kubernetes_kinds.name_fault(manifest):
        yield Problem(("metadata", "name"), fault)
    if type := kubernetes_types.type_of(manifest["apiVersion"], kind):
        yield from kubernetes_types.faults(type, kubernetes_types.without_nulls(manifest), (), newest="")
    else:
        yield from kubernetes_types.faults("ObjectMeta", kubernetes_types.without_nulls(metadata), ("metadata",), "")


ExtraObject = Annotated[
    Any,
    BeforeValidator(_object),
    WithJsonSchema({"type": "object", "required": ["apiVersion", "kind", "metadata"]}),
]
