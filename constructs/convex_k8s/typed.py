"""Kubernetes' own structures, as an overlay passes them through, made into cdk8s's typed structs."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from typing import Any

from cdk8s_plus_27 import k8s


def typed(struct: Any, value: Any) -> Any:
    """The value, which is known to be right, as an instance of a struct of cdk8s (`k8s.Affinity`)."""
    if struct is k8s.Quantity:
        return k8s.Quantity.from_string(str(value))
    if struct is k8s.IntOrString:
        whole = isinstance(value, int)
        return k8s.IntOrString.from_number(value) if whole else k8s.IntOrString.from_string(value)
    if not isinstance(value, dict):
        return value
    parameters = _parameters(struct)
    given = {}
    for key, item in value.items():
        name, hint = parameters[key.lower()]
        given[name] = _by_hint(hint, item)
    return struct(**given)


def typed_list(struct: Any, values: list[Any]) -> list[Any]:
    """A list of them."""
    return [typed(struct, value) for value in values]


def _by_hint(hint: Any, value: Any) -> Any:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _by_hint(next(kind for kind in inner if kind is not type(None)), value)
    if isinstance(value, list) and inner:
        return [_by_hint(inner[0], item) for item in value]
    if isinstance(value, dict) and len(inner) == 2:
        return {key: _by_hint(inner[1], item) for key, item in value.items()}
    return typed(hint, value) if inspect.isclass(hint) and hint.__module__ == k8s.__name__ else value


@functools.cache
def _parameters(struct: Any) -> dict[str, tuple[str, Any]]:
    """The parameters of a struct with their types, by the field's name in lower case: `hostIPC` is `host_ipc`."""
    hints = typing.get_type_hints(struct.__init__)
    return {name.replace("_", ""): (name, hint) for name, hint in hints.items() if name != "return"}
