"""The behaviour model: plain manifests in, what the pods will really do out.

A pure function that knows the images' rules and nothing of the values and constructs of this project, so that a mistake
on one side shows on the other. It reads no file, no clock and no cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convexctl.behaviour.backend import backend
from convexctl.behaviour.compare import Change, as_dict, compare
from convexctl.behaviour.context import Context
from convexctl.behaviour.dashboard import dashboard
from convexctl.behaviour.edge import Edge
from convexctl.behaviour.find import Role, find
from convexctl.behaviour.manifests import Manifests
from convexctl.behaviour.model import (
    Backend,
    Behaviour,
    Component,
    Dashboard,
    Decision,
    Rewrite,
    Route,
    Row,
    Target,
    UnreadEdge,
)
from convexctl.behaviour.source import Source

__all__ = [
    "Backend",
    "Behaviour",
    "Change",
    "Component",
    "Dashboard",
    "Decision",
    "Rewrite",
    "Role",
    "Route",
    "Row",
    "Source",
    "Target",
    "UnreadEdge",
    "as_dict",
    "compare",
    "predict",
]


def predict(
    manifests: Iterable[Mapping[str, Any]] | Manifests, *, images: Mapping[str, Role] | None = None
) -> Behaviour:
    """What the manifests make of Convex.

    `manifests` are whole objects, `List` kinds too; what has the wrong shape reads as empty. `images` names further
    images that are a backend or a dashboard: `{"registry.example.com/our-convex": "backend"}`.
    """
    index = manifests if isinstance(manifests, Manifests) else Manifests(manifests)
    backends: list[Backend] = []
    dashboards: list[Dashboard] = []
    components: list[tuple[Role, Context, int | None]] = []
    for found in find(index, images or {}):
        context = Context.of(index, found)
        if found.role == "backend":
            backends.append(backend(context))
            components.append((found.role, context, None))
        else:
            board = dashboard(context)
            dashboards.append(board)
            port = board.port.value if board.port else None
            components.append((found.role, context, port if isinstance(port, int) else None))
    edge = Edge(index, components)
    routes = tuple(edge.routes())
    return Behaviour(tuple(backends), tuple(dashboards), routes, tuple(edge.exposed()), tuple(edge.unread()))
