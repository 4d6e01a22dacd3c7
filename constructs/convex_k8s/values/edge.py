"""Values of Services, Ingress and origins: how requests reach the pods and which URLs the world knows."""

from __future__ import annotations

from typing import Annotated, Literal

from convex_k8s.values.base import (
    AnnotationKey,
    CertificateHost,
    ChartBoolean,
    Model,
    OptionalHost,
    OptionalObjectName,
    OriginLike,
    Port,
    TextLike,
)

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
Origin = Annotated[str, OriginLike()]
SiteOrigin = Annotated[str, OriginLike(path="/http")]
UrlPath = Annotated[
    str,
    TextLike(
        r"(?!.*(//|/\.{1,2}(/|$)|%2[fF]))/[^\s?#]*",
        "a path that begins with a slash, without //, /./, /../ or an escaped slash in it",
    ),
]


class BackendService(Model):
    """The Service of the backend."""

    type: ServiceType = "ClusterIP"
    """Kind of Service."""
    port: Port = 3210
    """Port of the API on the Service."""
    actions_port: Port = 3211
    """Port of the HTTP actions on the Service."""
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
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Service."""


class Service(Model):
    """The Services."""

    backend: BackendService = BackendService()
    """Service of the backend."""
    dashboard: DashboardService = DashboardService()
    """Service of the dashboard."""


class IngressPath(Model):
    """A path of an Ingress rule."""

    path: UrlPath = "/"
    """The path."""
    path_type: Literal["Prefix", "Exact", "ImplementationSpecific"] = "Prefix"
    """How the path is compared."""


class IngressHost(Model):
    """A host of the Ingress, with its paths."""

    host: OptionalHost = ""
    """Public host name."""
    paths: list[IngressPath] = [IngressPath()]
    """Paths served under that host. Dashboard and API work under `/` only."""


class IngressTls(Model):
    """A certificate and the hosts that it is for."""

    secret_name: OptionalObjectName = ""
    """Secret with the certificate (cert-manager makes it). Empty: the controller's default certificate."""
    hosts: list[CertificateHost] = []
    """Hosts that the certificate is for."""


class Ingress(Model):
    """The Ingress. With it the public URLs follow from its hosts; without it `convexConfig` says them."""

    enabled: bool = False
    """Make an Ingress."""
    class_name: OptionalObjectName = ""
    """IngressClass, for instance `traefik` or `nginx`. Empty: the cluster's default class."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Ingress. For a class with nginx in its name, and for the cluster's default class, the body
    size and time-outs that Convex needs of nginx are set."""
    dashboard: IngressHost = IngressHost()
    """Host of the dashboard."""
    backend: IngressHost = IngressHost()
    """Host of the API: the cloud origin is `https://<host>`."""
    site: IngressHost = IngressHost()
    """Host of HTTP actions, whose origin is `https://<host>`. Empty: `https://<ingress.backend.host>/http`."""
    tls: list[IngressTls] = []
    """Certificates."""


class ConvexConfig(Model):
    """Origins without Ingress, and TLS to the database."""

    cloud_origin: Origin = "http://localhost:3210"
    """Public origin of the API when Ingress is off."""
    site_origin: SiteOrigin = "http://localhost:3211"
    """Public origin of HTTP actions when Ingress is off; may end in `/http`."""
    deployment_url: Origin = "http://localhost:3210"
    """Origin of the API as the browser that shows the dashboard sees it, when Ingress is off."""
    require_ssl: ChartBoolean = True
    """Require TLS to the database, with the server's certificate verified. False: TLS is not required."""
