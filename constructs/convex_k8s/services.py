"""Services, as constructs that Ingress and HTTPRoute can point to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.naming import Component, Naming


@dataclass(frozen=True)
class Port:
    """A port of a Service: its name, its number, and the name or number of the container's port behind it."""

    name: str
    number: int
    target: str | int
    node_port: int | None = None


class ComponentService(Construct):
    """A Service in front of a component's pods."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        naming: Naming,
        suffix: str,
        component: Component,
        ports: list[Port],
        *,
        type: str = "ClusterIP",
        headless: bool = False,
        annotations: Mapping[str, str] | None = None,
        load_balancer_class: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.name = f"{naming.release}-{suffix}"
        self.numbers = {port.name: port.number for port in ports}
        self.service = k8s.KubeService(
            self,
            "service",
            metadata=naming.metadata(suffix, component, annotations, labels),
            spec=k8s.ServiceSpec(
                type=type,
                load_balancer_class=load_balancer_class or None,
                cluster_ip="None" if headless else None,
                selector=naming.selector(component),
                ports=[
                    k8s.ServicePort(
                        name=port.name,
                        port=port.number,
                        node_port=port.node_port,
                        protocol="TCP",
                        target_port=k8s.IntOrString.from_number(port.target)
                        if isinstance(port.target, int)
                        else k8s.IntOrString.from_string(port.target),
                    )
                    for port in ports
                ],
            ),
        )

    def reference(self, port: str) -> dict[str, Any]:
        """This Service's named port as a `backendRef` of an HTTPRoute, which knows numbers only."""
        return {"group": "", "kind": "Service", "name": self.name, "port": self.numbers[port], "weight": 1}

    def backend(self, port: str) -> k8s.IngressBackend:
        """This Service's named port as the target of an Ingress path."""
        return k8s.IngressBackend(
            service=k8s.IngressServiceBackend(name=self.name, port=k8s.ServiceBackendPort(name=port))
        )
