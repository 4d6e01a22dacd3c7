"""Strategic merge, as `kubectl patch` and kustomize do it: lists of Kubernetes' own kinds merge by their keys."""

from __future__ import annotations

import copy
from typing import Any

from convex_k8s.json_patch import PatchError
from convex_k8s.problems import Path
from convex_k8s.values.kubernetes import types as kubernetes_types
from convex_k8s.values.kubernetes.types import Field

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_UNKNOWN = Field("", "", None, "")


def merge(document: dict[str, Any], patch: dict[str, Any], type: str) -> dict[str, Any]:
    """A copy of the document with the patch laid over it; `type` is Kubernetes' type of both, empty for a custom kind.

    `null` removes a key. Raises `PatchError`.
    """
    merged = _map(document, patch, Field(type, "", None, ""), ())
    if merged is None:
        raise PatchError((_DIRECTIVE,), "deletes the whole object, which an environment needs")
    return merged


def _map(old: Any, patch: dict[str, Any], field: Field, path: Path) -> dict[str, Any] | None:
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "delete":
        return None
    if directive not in ("merge", "replace"):
        raise PatchError((*path, _DIRECTIVE), "must be delete, replace or merge")
    result = copy.deepcopy(old) if isinstance(old, dict) and directive == "merge" else {}
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key in (_DIRECTIVE, _RETAIN):
            continue
        if key.startswith("$"):
            raise PatchError((*path, key), "is a directive that is not known here: there are $patch and $retainKeys")
        merged = _value(result.get(key), value, _field(field, key), (*path, key))
        if merged is None:
            result.pop(key, None)
        else:
            result[key] = merged
    return result


def _field(owner: Field, key: str) -> Field:
    if owner.shape == "{}":
        return Field(owner.type, "", None, "")
    return kubernetes_types.fields(owner.type).get(key, _UNKNOWN)


def _value(old: Any, new: Any, field: Field, path: Path) -> Any:
    if isinstance(new, dict):
        return _map(old, new, field, path)
    if isinstance(new, list):
        return _list(old if isinstance(old, list) else [], new, field, path)
    return copy.deepcopy(new)


def _list(old: list[Any], new: list[Any], field: Field, path: Path) -> list[Any]:
    replaced = [item for item in new if not (isinstance(item, dict) and item.get(_DIRECTIVE) == "replace")]
    if field.merge_key is None or len(replaced) < len(new):
        return copy.deepcopy(replaced)
    if not field.merge_key:
        return [*old, *(copy.deepcopy(item) for item in new if item not in old)]
    result = list(old)
    inner = Field(field.type, "", None, "")
    for index, item in enumerate(new):
        place = (*path, index)
        if not isinstance(item, dict) or item.get(field.merge_key) is None:
            raise PatchError(place, f"has no {field.merge_key}, by which this list is merged")
        keys = [entry.get(field.merge_key) if isinstance(entry, dict) else None for entry in result]
        position = keys.index(item[field.merge_key]) if item[field.merge_key] in keys else None
        if position is None and item.get(_DIRECTIVE) == "delete":
            raise PatchError(place, f"deletes {field.merge_key} {item[field.merge_key]}, which is not in the list")
        merged = _map(result[position] if position is not None else {}, item, inner, place)
        if position is None:
            result.append(merged)
        elif merged is None:
            del result[position]
        else:
            result[position] = merged
    return result
