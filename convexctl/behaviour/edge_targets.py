"""From a Service's port to the container port that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexctl.behaviour.context import Context
from convexctl.behaviour.find import ACTIONS_PORT, API_PORT, Role
from convexctl.behaviour.manifests import Manifest, Manifests, Pod, dig, items, mapping, number, source_of, text
from convexctl.behaviour.model import Target
from convexctl.behaviour.source import Source

Component = tuple[Role, Context, int | None]
"""A backend or a dashboard; with a dashboard the port that it listens on."""


class Targets:
    """Follows Services to pods. `components` are the containers that run Convex."""

    def __init__(self, manifests: Manifests, components: list[Component]) -> None:
        self.manifests = manifests
        self._components: dict[Source, list[Component]] = {}
        self._targets: dict[tuple[int, str, bool], Target | None] = {}
        for component in components:
            self._components.setdefault(component[1].pod.source, []).append(component)

    def service(self, namespace: str, name: str, port: Mapping[str, Any]) -> tuple[Target | None, str]:
        """What a Service's port, by `name` or `number`, ends at; else why it ends nowhere in sight."""
        service = self.manifests.find("Service", namespace, name)
        if service is None:
            return None, f"Service {name} is not among the manifests"
        for _, entry in items(dig(service, "spec", "ports")):
            by_name = port.get("name") is not None and entry.get("name") == port.get("name")
            if by_name or (port.get("number") is not None and number(entry.get("port")) == number(port.get("number"))):
                return self.of_port(service, entry)
        return None, f"Service {name} has no port {text(port.get('name')) or text(port.get('number'))}"

    def services(self) -> set[str]:
        """The names of the Services that select a pod of Convex."""
        found = set()
        ours: dict[int, bool] = {}
        for service in self.manifests.of_kind("Service"):
            place, selector = source_of(service), mapping(dig(service, "spec", "selector"))
            pods = self.manifests.pods_with(place.namespace, selector)
            if id(pods) not in ours:
                ours[id(pods)] = any(pod.source in self._components for pod in pods)
            if ours[id(pods)]:
                found.add(place.name)
        return found

    def of_port(self, service: Manifest, port: Mapping[str, Any]) -> tuple[Target | None, str]:
        """What an entry of a Service's ports ends at; else why it ends nowhere in sight."""
        place = source_of(service)
        selector = mapping(dig(service, "spec", "selector"))
        if not selector:
            return None, f"Service {place.name} selects no pods"
        pods = self.manifests.pods_with(place.namespace, selector)
        if not pods:
            return None, f"no pod among the manifests has the labels that Service {place.name} selects"
        wanted = port.get("targetPort") or port.get("port")
        known = (id(pods), text(wanted), isinstance(wanted, str))
        if known not in self._targets:
            found = (self.in_pod(pod, wanted) for pod in pods)
            self._targets[known] = next((target for target in found if target), None)
        if target := self._targets[known]:
            return target, ""
        return None, f"no pod that Service {place.name} selects has a port {text(wanted)}"

    def in_pod(self, pod: Pod, wanted: object) -> Target | None:
        """The container port of a pod by number or name."""
        containers = list(pod.containers())
        as_number = number(wanted)
        declared: tuple[Source, Mapping[str, Any], int] | None = None
        for source, container in containers:
            for _, entry in items(container.get("ports")):
                its_number = number(entry.get("containerPort"))
                if its_number is not None and (entry.get("name") == wanted or its_number == as_number):
                    declared = declared or (source, container, its_number)
        if declared is None and as_number is None:
            return None
        its_port = declared[2] if declared else as_number or 0
        role, listener = self._listens(pod, its_port)
        source = listener or (declared[0] if declared else containers[0][0])
        name = next((text(container.get("name")) for place, container in containers if place == source), "")
        owner = pod.source
        convex = any(context.source == source for _, context, _ in self._components.get(pod.source, ()))
        return Target(owner.kind, owner.namespace, owner.name, name, its_port, role, convex)

    def _listens(self, pod: Pod, port: int) -> tuple[str, Source | None]:
        """What of Convex listens on a port of a pod, and its container."""
        for role, context, dashboard_port in self._components.get(pod.source, ()):
            if role == "backend" and port in (API_PORT, ACTIONS_PORT):
                return "api" if port == API_PORT else "http actions", context.source
            if role == "dashboard" and port == dashboard_port:
                return "dashboard", context.source
        return "", None
