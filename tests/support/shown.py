"""What an environment shows a reader, line by line: fields of its manifests, and what the model says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from convexctl.behaviour import Behaviour, Route, predict
from convexctl.changes.compare_objects import identity
from convexctl.synth.environment import NAMESPACE, Environment

_NAMES = (
    "name",
    "mountPath",
    "host",
    "secretName",
    "path",
    "ip",
    "key",
    "topologyKey",
    "alert",
    "hostname",
    "secretKey",
)
"""What tells the items of a list apart; where none fits, their number does."""


def lines(environment: Environment) -> list[str]:
    """`StatefulSet/convex-backend spec.replicas: 1`, `model backend engine: sqlite`, `model a.acme.io/api: backend`."""
    objects = [*environment.manifests, *yaml.safe_load_all(environment.files.get(NAMESPACE, ""))]
    of_objects = [f"{_title(each)} {text}" for each in objects for text in _leaves(each, "")]
    return [*of_objects, *_said(predict(environment.manifests))]


def _title(manifest: Mapping[str, Any]) -> str:
    """Kind and name, without namespace and without the hash of a Job's content."""
    title = identity(manifest).partition(" (")[0]
    return re.sub(r"^(Job/.*)-[0-9a-f]{6}$", r"\1", title)


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            plain = str(key).replace("_", "").replace("-", "").isalnum()
            yield from _leaves(item, f"{path}.{key}".lstrip(".") if plain else f'{path}["{key}"]')
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            own = next((item[key] for key in _NAMES if key in item), index) if isinstance(item, Mapping) else index
            yield from _leaves(item, f"{path}[{own}]")
    else:
        yield f"{path}: {json.dumps(value)}"


def _said(behaviour: Behaviour) -> Iterator[str]:
    for role, components in (("backend", behaviour.backends), ("dashboard", behaviour.dashboards)):
        for component in components:
            yield from (f"model {role} {row.name}: {row.decision.sentence}" for row in component.rows())
    for route in behaviour.routes:
        yield f"model {'https' if route.tls else 'http'}://{route.host}{route.path} ({route.path_type}): {_end(route)}"
    for route in behaviour.exposed:
        yield f"model open port {route.service}:{route.service_port}: {_end(route)}"


def _end(route: Route) -> str:
    return f"{route.role or 'nowhere'}{f' as {route.rewrite.value}' if route.rewrite else ''}"
