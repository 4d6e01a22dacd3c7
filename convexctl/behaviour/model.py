"""What the behaviour model says about a set of manifests."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from convexctl.behaviour.decisions import Backend, Component, Dashboard, Decision, Row, Value
from convexctl.behaviour.routes import Rewrite, Route, Target, UnreadEdge, precedence

__all__ = [
    "Backend",
    "Behaviour",
    "Component",
    "Dashboard",
    "Decision",
    "Rewrite",
    "Route",
    "Row",
    "Target",
    "UnreadEdge",
    "Value",
]

_Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Behaviour:
    """What a set of manifests makes of Convex."""

    backends: tuple[Backend, ...]
    dashboards: tuple[Dashboard, ...]
    routes: tuple[Route, ...]
    """What the rules of the edge send where."""
    exposed: tuple[Route, ...]
    """Ports that are open outside the cluster by themselves: LoadBalancer, NodePort, hostPort."""
    unread: tuple[UnreadEdge, ...] = ()
    """What may lead requests to Convex and is not read."""

    @property
    def components(self) -> tuple[Component, ...]:
        """Backends, then dashboards."""
        return (*self.backends, *self.dashboards)

    def routes_to(self, component: Component) -> tuple[Route, ...]:
        """The routes that end at a component's container."""
        return tuple(self._by_target[0].get(_place(component), ()))

    def exposed_to(self, component: Component) -> tuple[Route, ...]:
        """The open ports that end at a component's container."""
        return tuple(self._by_target[1].get(_place(component), ()))

    def serves(self, host: str) -> bool:
        """Whether a rule of the edge has the host."""
        return any(route.serves(host) for route in self._candidates(host))

    def reached(self, host: str, path: str, port: int | None = None) -> Route | None:
        """The route that answers a request: an exact host before a wildcard, then an exact path, then the longest.

        Among rules of Traefik's their priority decides. With a `port` only the rules that serve it count. Of two rules
        that are alike, which is left to the controllers, the one that leads to a backend counts.
        """
        request = host, path, port
        if request not in self._answers:
            self._answers[request] = self._answer(*request)
        return self._answers[request]

    def _answer(self, host: str, path: str, port: int | None) -> Route | None:
        fitting = [
            route
            for route in self._candidates(host)
            if route.serves(host) and route.takes(path) and (port is None or route.ports is None or port in route.ports)
        ]
        if fitting and all(route.priority is not None for route in fitting):
            return max(fitting, key=lambda route: route.priority or 0)
        return max(fitting, key=lambda route: (*precedence(route), route.role in ("api", "http actions")), default=None)

    @functools.cached_property
    def _answers(self) -> dict[tuple[str, str, int | None], Route | None]:
        """What is known of requests: many backends may have one host, and each asks for the same paths."""
        return {}

    def opened(self, port: int) -> tuple[Route, ...]:
        """The open ports of a number."""
        return tuple(self._by_port.get(port, ()))

    @functools.cached_property
    def _by_port(self) -> dict[int, list[Route]]:
        found: dict[int, list[Route]] = {}
        for route in self.exposed:
            for port in route.ports or ():
                found.setdefault(port, []).append(route)
        return found

    def _candidates(self, host: str) -> Iterable[Route]:
        by_host, others = self._by_host
        return (*by_host.get(host.lower(), ()), *others)

    @functools.cached_property
    def _by_host(self) -> tuple[dict[str, list[Route]], list[Route]]:
        by_host: dict[str, list[Route]] = {}
        others: list[Route] = []
        for route in self.routes:
            if route.by_label or route.host in ("", "*") or route.host.startswith("*."):
                others.append(route)
            else:
                by_host.setdefault(route.host.lower(), []).append(route)
        return by_host, others

    @functools.cached_property
    def _by_target(self) -> tuple[dict[_Place, list[Route]], dict[_Place, list[Route]]]:
        return _by_place(self.routes), _by_place(self.exposed)


def _by_place(routes: Iterable[Route]) -> dict[_Place, list[Route]]:
    found: dict[_Place, list[Route]] = {}
    for route in routes:
        if route.target:
            found.setdefault(_place(route.target), []).append(route)
    return found


def _place(what: Component | Target) -> _Place:
    return what.kind, what.namespace, what.name, what.container
