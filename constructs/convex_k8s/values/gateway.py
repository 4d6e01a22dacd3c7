"""Values of the Gateway API: routes to a Gateway that exists, or a Gateway of the environment's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from convex_k8s.values.base import (
    AnnotationKey,
    CertificateHost,
    Model,
    NamespaceName,
    ObjectName,
    OptionalHost,
    OptionalObjectName,
    Port,
    TextLike,
)
from convex_k8s.values.ingress import EdgeHost, PublicOrigin, PublicSiteOrigin

SectionName = Annotated[
    str,
    TextLike(
        r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
        "the name of a listener (lower-case letters, digits, dashes)",
        longest=253,
    ),
]


class ParentRef(Model):
    """A Gateway that the routes attach to."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: NamespaceName = ""
    """Namespace of the Gateway. Empty: that of the environment. Its listeners must allow routes from here."""
    section_name: SectionName | None = None
    """Listener of the Gateway. Not set: every listener whose host fits."""
    port: Port | None = None
    """Port of the listeners. Not set: every port."""


class CertificateRef(Model):
    """A Secret with a certificate."""

    name: ObjectName
    """Name of the Secret."""
    namespace: NamespaceName = ""
    """Namespace of the Secret. With another than the environment's a ReferenceGrant is made there."""


class ListenerTls(Model):
    """How a listener ends TLS."""

    certificate_refs: Annotated[list[CertificateRef], Field(max_length=64)] = []
    """Secrets with certificates. Empty: `<releaseName>-<listener>-tls`, which cert-manager may make."""


class Listener(Model):
    """A listener of the Gateway."""

    name: SectionName
    """Name of the listener."""
    hostname: CertificateHost | None = None
    """Host that it serves, perhaps with `*.` in front. Not set: every host."""
    port: Port = 443
    """Port that it listens on."""
    protocol: Literal["HTTPS", "HTTP"] = "HTTPS"
    """Protocol. HTTPS ends TLS here."""
    tls: ListenerTls = ListenerTls()
    """Certificates, for HTTPS."""


class CreateGateway(Model):
    """A Gateway of the environment's own."""

    class_name: OptionalObjectName = ""
    """GatewayClass. Set it to have a Gateway made."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Gateway. The annotation that `ingress.certManager` asks for is added."""
    listeners: Annotated[list[Listener], Field(max_length=64)] = []
    """Listeners. Empty: one for each public host, HTTPS on 443, or HTTP on 80 if its origin is http."""


class GatewayHost(EdgeHost):
    """A public host of the Gateway."""

    host: OptionalHost = ""
    """Public host name. Empty: the host of the same name under `ingress`."""


class GatewayDashboard(GatewayHost):
    """The host of the dashboard."""

    enabled: bool = True
    """Serve the dashboard to the outside. False: it is reached by `kubectl port-forward` only."""


class GatewayBackend(GatewayHost):
    """The host of the API."""

    origin: PublicOrigin = ""
    """Public URL of the API, if it is not `https://<host>`. Empty: `ingress.backend.origin`."""


class GatewaySite(GatewayHost):
    """The host of HTTP actions. Without one they are under `/http` of the API."""

    origin: PublicSiteOrigin = ""
    """Public URL of HTTP actions, if it is not `https://<host>`. Empty: `ingress.site.origin`."""
    rewrite: bool = True
    """Serve the host from `/http` of the API's port. False: from port 3211, which admits 4 requests at a time, for a
    controller that cannot rewrite paths."""


class Gateway(Model):
    """Routes of the Gateway API (`gateway.networking.k8s.io/v1`), in the place of the Ingress or beside it."""

    enabled: bool = False
    """Make an HTTPRoute for each public host."""
    parent_refs: Annotated[list[ParentRef], Field(max_length=31)] = []
    """Gateways that exist and serve the routes."""
    create: CreateGateway = CreateGateway()
    """A Gateway of the environment's own."""
    dashboard: GatewayDashboard = GatewayDashboard()
    """Host of the dashboard. It may be the API's."""
    backend: GatewayBackend = GatewayBackend()
    """Host of the API: the cloud origin is `https://<host>`."""
    site: GatewaySite = GatewaySite()
    """Host of HTTP actions."""
