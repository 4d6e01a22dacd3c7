"""Services, as constructs that an Ingress can point to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.naming import Component, Naming


@dataclass(frozen=True)
class Port:
    """A port of a Service: its name, its number, and the name of the container's port behind it."""

    name: str
    number: int
    target: str


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
    ) -> None:
        super().__init__(scope, id)
        self.name = f"{naming.release}-{suffix}"
        k8s.KubeService(
            self,
            "service",
            metadata=naming.metadata(suffix, component, annotations),
            spec=k8s.ServiceSpec(
                type=type,
                cluster_ip="None" if headless else None,
                selector=naming.selector(component),
                ports=[
                    k8s.ServicePort(
                        name=port.name,
                        port=port.number,
                        protocol="TCP",
                        target_port=k8s.IntOrString.from_string(port.target),
                    )
                    for port in ports
                ],
            ),
        )

    def backend(self, port: str) -> k8s.IngressBackend:
        """This Service's named port as the target of an Ingress path."""
        return k8s.IngressBackend(
            service=k8s.IngressServiceBackend(name=self.name, port=k8s.ServiceBackendPort(name=port))
        )
