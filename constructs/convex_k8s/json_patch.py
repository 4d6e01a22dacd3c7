"""JSON Patch (RFC 6902) on plain data."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from convex_k8s.problems import Path


class PatchError(ValueError):
    """A patch that cannot be applied. `path` is the way into the patch, `message` what is wrong there."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def apply(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """A copy of the document after all operations, in their order. Raises `PatchError`."""
    result = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            result = _apply_one(result, operation)
        except PatchError as fault:
            raise PatchError((index, *fault.path), fault.message) from None
    return result


def _apply_one(document: Any, operation: Mapping[str, Any]) -> Any:
    where = pointer(operation, "path")
    match operation["op"]:
        case "add":
            return _add(document, where, copy.deepcopy(operation["value"]), "path")
        case "remove":
            _remove(document, where, "path")
        case "replace":
            _get(document, where, "path")
            return _set(document, where, copy.deepcopy(operation["value"]))
        case "test":
            if _get(document, where, "path") != operation["value"]:
                raise PatchError(("path",), f"is a test, and {operation['path']} has another value")
        case kind:
            source = pointer(operation, "from")
            value = copy.deepcopy(_get(document, source, "from"))
            if kind == "move":
                _remove(document, source, "from")
            return _add(document, where, value, "path")
    return document


def pointer(operation: Mapping[str, Any], field: str) -> list[str]:
    """The steps of a JSON pointer: `/metadata/annotations/a~1b` leads to `a/b`."""
    return [step.replace("~1", "/").replace("~0", "~") for step in str(operation[field]).split("/")[1:]]


def _get(document: Any, steps: list[str], field: str) -> Any:
    node = document
    for depth, step in enumerate(steps):
        key = _key(node, step)
        known = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
        if key in known:
            node = node[key]
        else:
            raise PatchError((field,), _nothing_at(node, steps[:depth], step))
    return node


def _nothing_at(node: Any, above: list[str], step: str) -> str:
    place = "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in above)
    if isinstance(node, dict):
        return f"leads nowhere: there is no {step} in {place}; it has {', '.join(sorted(node)) or 'nothing'}"
    if isinstance(node, list):
        return f"leads nowhere: {place} is a list of {len(node)}, counted from 0"
    return f"leads nowhere: {place} is a plain value"


def _key(node: Any, step: str) -> str | int:
    return int(step) if isinstance(node, list) and step.isascii() and step.isdigit() else step


def _add(document: Any, steps: list[str], value: Any, field: str) -> Any:
    if steps:
        parent = _get(document, steps[:-1], field)
        if isinstance(parent, list):
            key = len(parent) if steps[-1] == "-" else _key(parent, steps[-1])
            if not isinstance(key, int) or key > len(parent):
                raise PatchError((field,), _nothing_at(parent, steps[:-1], steps[-1]))
            parent.insert(key, value)
            return document
        if not isinstance(parent, dict):
            raise PatchError((field,), _nothing_at(parent, steps[:-1], steps[-1]))
    return _set(document, steps, value)


def _set(document: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    parent = _get(document, steps[:-1], "path")
    parent[_key(parent, steps[-1])] = value
    return document


def _remove(document: Any, steps: list[str], field: str) -> None:
    _get(document, steps, field)
    if not steps:
        raise PatchError((field,), "is the whole object, which an environment needs")
    parent = _get(document, steps[:-1], field)
    del parent[_key(parent, steps[-1])]
