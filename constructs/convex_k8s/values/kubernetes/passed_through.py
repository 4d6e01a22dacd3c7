"""Kubernetes' own structures in an overlay, checked field by field and passed through."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from convex_k8s.values.base import wrong_inside
from convex_k8s.values.kubernetes import types


def _checked(spec: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        value = types.without_nulls(value)
        problems = list(types.faults(spec, value))
        if problems:
            raise wrong_inside(problems)
        return value

    return BeforeValidator(check)


_MAP = WithJsonSchema({"type": "object"})
_LIST = WithJsonSchema({"type": "array", "items": {"type": "object"}})

Affinity = Annotated[Any, _checked("Affinity"), _MAP]
TopologySpreadConstraints = Annotated[Any, _checked("[]TopologySpreadConstraint#topologyKey"), _LIST]
HostAliases = Annotated[Any, _checked("[]HostAlias#ip"), _LIST]
Containers = Annotated[Any, _checked("[]Container#name"), _LIST]
Volumes = Annotated[Any, _checked("[]Volume#name"), _LIST]
VolumeMounts = Annotated[Any, _checked("[]VolumeMount#mountPath"), _LIST]
