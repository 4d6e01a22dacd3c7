"""Checks of the Services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _services(values: Values) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    for component, service, ports in (
        ("backend", values.service.backend, {"nodePort": "node_port", "actionsNodePort": "actions_node_port"}),
        ("dashboard", values.service.dashboard, {"nodePort": "node_port"}),
    ):
        path: Path = ("service", component)
        kind = ((*path, "type"),)
        if service.load_balancer_class and service.type != "LoadBalancer":
            yield Problem((*path, "loadBalancerClass"), f"needs type LoadBalancer, not {service.type}", kind)
        for key, field in ports.items():
            number = getattr(service, field)
            if number is None:
                continue
            if service.type == "ClusterIP":
                yield Problem((*path, key), "needs type NodePort or LoadBalancer, not ClusterIP", kind)
            if number in taken:
                yield Problem((*path, key), f"is {number}, which service.{taken[number]} has already")
            taken[number] = f"{component}.{key}"


def _unusual_ports(values: Values) -> Iterator[Problem]:
    """Ports that an API server refuses unless it was told to take them."""
    for component, key, number in (
        ("backend", "nodePort", values.service.backend.node_port),
        ("backend", "actionsNodePort", values.service.backend.actions_node_port),
        ("dashboard", "nodePort", values.service.dashboard.node_port),
    ):
        if number is not None and number not in _NODE_PORTS:
            yield Problem(
                ("service", component, key),
                f"is {number}, and a cluster refuses ports of nodes outside {_NODE_PORTS.start}-{_NODE_PORTS.stop - 1} "
                "unless its API server has another --service-node-port-range",
            )


_NODE_PORTS = range(30000, 32768)

ERRORS = (_services,)
WARNINGS = (_unusual_ports,)
