"""Values of Services, and of origins without an edge."""

from __future__ import annotations

from typing import Annotated, Literal

from convex_k8s.values.base import (
    QUALIFIED,
    AnnotationKey,
    ChartBoolean,
    Model,
    OriginLike,
    Port,
    TextLike,
)

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
Origin = Annotated[str, OriginLike()]
SiteOrigin = Annotated[str, OriginLike(path="/http")]

LoadBalancerClass = Annotated[
    str, TextLike(QUALIFIED, "the name of a class of load balancers like service.k8s.aws/nlb", optional=True)
]


class BackendService(Model):
    """The Service of the backend."""

    type: ServiceType = "ClusterIP"
    """Kind of Service."""
    port: Port = 3210
    """Port of the API on the Service."""
    actions_port: Port = 3211
    """Port of the HTTP actions on the Service."""
    node_port: Port | None = None
    """Port of the API on every node, for type NodePort or LoadBalancer. Not set: Kubernetes chooses."""
    actions_node_port: Port | None = None
    """Port of the HTTP actions on every node."""
    load_balancer_class: LoadBalancerClass = ""
    """Which load balancer, for type LoadBalancer. Kubernetes allows no change of it."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Service."""


class DashboardService(Model):
    """The Service of the dashboard."""

    type: ServiceType = "ClusterIP"
    """Kind of Service."""
    port: Port = 80
    """Port on the Service."""
    target_port: Port = 6791
    """Port that the dashboard listens on inside its container."""
    node_port: Port | None = None
    """Port on every node, for type NodePort or LoadBalancer. Not set: Kubernetes chooses."""
    load_balancer_class: LoadBalancerClass = ""
    """Which load balancer, for type LoadBalancer. Kubernetes allows no change of it."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Service."""


class Service(Model):
    """The Services."""

    backend: BackendService = BackendService()
    """Service of the backend."""
    dashboard: DashboardService = DashboardService()
    """Service of the dashboard."""


class ConvexConfig(Model):
    """Origins without Ingress and Gateway, and TLS to the database."""

    cloud_origin: Origin = "http://localhost:3210"
    """Public origin of the API when Ingress and Gateway are off."""
    site_origin: SiteOrigin = "http://localhost:3211"
    """Public origin of HTTP actions when Ingress and Gateway are off; may end in `/http`."""
    deployment_url: Origin = "http://localhost:3210"
    """Origin of the API as the browser that shows the dashboard sees it, when Ingress and Gateway are off."""
    require_ssl: ChartBoolean = True
    """Require TLS to the database, with the server's certificate verified. False: TLS is not required."""
