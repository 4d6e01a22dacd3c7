"""Kubernetes' own types: which fields an object has, of which type, and how its lists merge.

`types.json` has them, made from Kubernetes' schemas by `make kubernetes-types`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from convex_k8s.problems import Path, Problem
from convex_k8s.values.kubernetes import allowed_values, field_checks, struct_checks
from convex_k8s.values.messages import meant, must_be, not_one_of
from convex_k8s.values.quantities import QUANTITY

OLDEST = "1.27"
"""Fields that came later are not in the typed structs of cdk8s-plus-27."""
_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeSnapshotClass",
    }
)
"""Kinds without a namespace, beside those whose name begins with `Cluster`."""


@dataclass(frozen=True)
class Field:
    """A field of a type. `shape` is `[]` for a list and `{}` for a map of `type`; `merge_key` is None if a list is
    replaced as a whole, and empty if a list of plain values is added to."""

    type: str
    shape: str
    merge_key: str | None
    since: str

    @classmethod
    def parse(cls, text: str) -> Field:
        """Read `[]EnvVar#name@1.29`."""
        match = re.fullmatch(r"(\[\]|\{\})?([^#@]+)(?:#(\w*))?(?:@([0-9.]+))?", text)
        assert match  # noqa: S101
        return cls(match[2], match[1] or "", match[3], match[4] or "")


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files("convex_k8s.values.kubernetes").joinpath("types.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@functools.cache
def fields(type: str) -> Mapping[str, Field]:
    """The fields of a type by name; empty for a plain type and for an unknown type."""
    entry = _table()["types"].get(type)
    return {name: Field.parse(text) for name, text in entry["fields"].items()} if entry else {}


def required(type: str) -> list[str]:
    """The fields that an object of the type must have."""
    entry = _table()["types"].get(type)
    return list(entry["required"]) if entry else []


def type_of(api_version: str, kind: str) -> str:
    """The type of an object; empty for a custom kind and for a kind that is not known here."""
    return str(_table()["kinds"].get(f"{api_version}/{kind}", ""))


def owners(name: str, types: tuple[str, ...]) -> list[str]:
    """Those of the types that have a field of that name."""
    return [type for type in types if name in fields(type)]


def without_nulls(value: Any) -> Any:
    """The value without the keys that are null, which mean "not set" as everywhere in an overlay."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def faults(spec: str, value: Any, path: Path = (), newest: str = OLDEST) -> Iterator[Problem]:
    """What is wrong with a value that must be of the type `spec` (`Affinity`, `[]Volume`), by paths below `path`.

    A field that came after `newest` is wrong too; with an empty one none is.
    """
    field = Field.parse(spec)
    if field.shape == "[]":
        yield from _faults_of_list(field, value, path, newest)
    elif field.shape == "{}":
        yield from _faults_of_map(field, value, path, newest)
    elif fields(field.type):
        yield from _faults_of_struct(field.type, value, path, newest)
    elif fault := PLAIN[field.type](value):
        yield Problem(path, fault)


def _faults_of_list(field: Field, value: Any, path: Path, newest: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, must_be("list_type", value))
        return
    found = [fault for index, item in enumerate(value) for fault in faults(field.type, item, (*path, index), newest)]
    yield from found
    if field.merge_key and field.type not in ("ContainerPort", "ServicePort", "TopologySpreadConstraint"):
        keys = [item.get(field.merge_key) for item in value if isinstance(item, dict)]
        for index, key in enumerate(keys):
            if key is not None and key in keys[:index]:
                yield Problem((*path, index), f"has the {field.merge_key} of another one in the list: {key}")
    for problem in () if found else struct_checks.list_faults(field.type, value):
        yield Problem((*path, *problem.path), problem.message)


def _faults_of_map(field: Field, value: Any, path: Path, newest: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, must_be("dict_type", value))
        return
    for key, item in value.items():
        yield from faults(field.type, item, (*path, key), newest)


def _faults_of_struct(type: str, value: Any, path: Path, newest: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, must_be("dict_type", value))
        return
    found = list(_faults_of_fields(type, value, path, newest))
    yield from found
    together = {key: item for key, item in value.items() if item is not None}
    for problem in () if found else struct_checks.faults(type, together):
        yield Problem((*path, *problem.path), problem.message)


def _faults_of_fields(type: str, value: dict[str, Any], path: Path, newest: str) -> Iterator[Problem]:
    known = fields(type)
    for key, item in value.items():
        if key not in known:
            yield Problem((*path, key), unknown_field(type, key))
        elif newest and known[key].since:
            yield Problem(
                (*path, key), f"came with Kubernetes {known[key].since}: set it with patches (docs/extending.md)"
            )
        elif item is not None:
            yield from _faults_of_field(f"{type}.{key}", known[key], item, (*path, key), newest)
    misspelt = {meant(key, known) for key in value if key not in known}
    missing = [name for name in required(type) if value.get(name) is None and name not in misspelt]
    missing += [
        name
        for name in allowed_values.NOT_EMPTY.get(type, ())
        if name not in missing and name not in misspelt and not value.get(name)
    ]
    if missing:
        yield Problem(path, f"has no {' and no '.join(missing)}")


def _faults_of_field(name: str, field: Field, value: Any, path: Path, newest: str) -> Iterator[Problem]:
    """What is wrong with the type of a field's value or, if that is right, with the value."""
    found = list(faults(_spec(field), value, path, newest))
    yield from found
    if found:
        return
    if choices := allowed_values.CHOICES.get(name):
        for item in value if isinstance(value, list) else [value]:
            if item not in choices:
                yield Problem(path, not_one_of(item, choices))
    elif (check := field_checks.FIELDS.get(name)) and (fault := check(value)):
        yield Problem(path, fault)


def _spec(field: Field) -> str:
    return f"{field.shape}{field.type}" + (f"#{field.merge_key}" if field.merge_key else "")


def unknown_field(type: str, key: str) -> str:
    """The message for a key that a type does not have."""
    names = list(fields(type))
    close = meant(key, names)
    if close:
        return f"is not a field of {type}: did you mean {close}?"
    return f"is not a field of {type}; it has: {', '.join(names)}"


def _quantity(value: Any) -> str:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    fits = isinstance(text, str) and re.fullmatch(rf"[+-]?{QUANTITY}", text)
    return "" if fits else "must be a Kubernetes quantity like 500m, 2 or 5Gi"


def _of(kind: str, *types: type) -> Callable[[Any], str]:
    def fault(value: Any) -> str:
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return "" if fits else must_be(kind, value)

    return fault


PLAIN: dict[str, Callable[[Any], str]] = {
    "string": _of("string_type", str),
    "integer": _of("int_type", int),
    "number": _of("float_type", int, float),
    "boolean": _of("bool_type", bool),
    "int-or-string": _of("int_or_string", int, str),
    "quantity": _quantity,
    "any": lambda _: "",
}


def cluster_wide(manifest: dict[str, Any]) -> bool:
    """Whether an object has no namespace, as far as its kind says. CloudNativePG's `Cluster` has one."""
    kind: str = manifest["kind"]
    return kind in _CLUSTER_WIDE or (kind.startswith("Cluster") and kind != "Cluster")
