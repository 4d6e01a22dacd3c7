"""Each parameter has an overlay in the test data that sets it otherwise than its default.

So each has a snapshot, is checked against the schemas of Kubernetes, and is read by the model of behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from convex_k8s.values import Values
from convex_k8s.values.base import Model

from tests.support.overlay_cases import CASES

FIXED = {
    "replicaCount": "must be 1",
    "backend.securityContext.runAsUser": "must be 0",
    "backend.securityContext.runAsNonRoot": "must be false",
}
"""Parameters that have one right value."""


def models_in(annotation: Any) -> Iterator[type[Model]]:
    """The models that a list, or a value that may be null, consists of."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def keys_of(model: type[Model], path: str = "") -> Iterator[str]:
    """The keys below a model. Those of items are listed once, by the name of their model."""
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Model):
            yield from keys_of(field.annotation, f"{key}.")
            continue
        yield key
        for item in models_in(field.annotation):
            yield from keys_of(item, f"{item.__name__}: ")


def keys_set_in(value: Model, path: str = "") -> Iterator[str]:
    """The keys whose values are not the defaults, in the same form."""
    for name, field in type(value).model_fields.items():
        key, own = f"{path}{field.alias or name}", getattr(value, name)
        inside = isinstance(field.annotation, type) and issubclass(field.annotation, Model)
        if not inside and (field.is_required() or own != field.get_default(call_default_factory=True)):
            yield key
        for item in own if isinstance(own, list) else [own]:
            if isinstance(item, Model):
                yield from keys_set_in(item, f"{key}." if inside else f"{type(item).__name__}: ")


def test_every_parameter_is_set_in_an_overlay() -> None:
    tried = {key for case in CASES for key in keys_set_in(case.overlay().values)}
    every = list(dict.fromkeys(keys_of(Values)))
    assert len(every) > 300
    assert {key for key in every if key not in tried} == FIXED.keys()
