"""Values of the Ingress: which public hosts there are, and which URLs the world knows."""

from __future__ import annotations

from typing import Annotated, Literal

from convex_k8s.values.base import (
    AnnotationKey,
    CertificateHost,
    Model,
    OptionalHost,
    OptionalObjectName,
    OriginLike,
    TextLike,
)

PublicOrigin = Annotated[str, OriginLike(optional=True)]
PublicSiteOrigin = Annotated[str, OriginLike(path="/http", optional=True)]
UrlPath = Annotated[
    str,
    TextLike(
        r"(?!.*(//|/\.{1,2}(/|$)|%2[fF]))/[^\s?#]*",
        "a path that begins with a slash, without //, /./, /../ or an escaped slash in it",
    ),
]


class IngressPath(Model):
    """A path of an Ingress rule."""

    path: UrlPath = "/"
    """The path."""
    path_type: Literal["Prefix", "Exact", "ImplementationSpecific"] = "Prefix"
    """How the path is compared."""


class IngressTls(Model):
    """A certificate and the hosts that it is for."""

    secret_name: OptionalObjectName = ""
    """Secret with the certificate (cert-manager makes it). Empty: the controller's default certificate."""
    hosts: list[CertificateHost] = []
    """Hosts that the certificate is for."""


class EdgeHost(Model):
    """A public host, with its paths."""

    host: OptionalHost = ""
    """Public host name."""
    paths: list[IngressPath] = [IngressPath()]
    """Paths served under that host. Dashboard and API work under `/` only."""


class IngressHost(EdgeHost):
    """A host of the Ingress. With a class, annotations or certificates of its own it gets an Ingress of its own."""

    class_name: OptionalObjectName = ""
    """IngressClass of this host alone. Empty: `ingress.className`."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations for this host alone, in addition to `ingress.annotations`; of two with one key, these win."""
    tls: list[IngressTls] = []
    """Certificates of this host alone. Empty: the entries of `ingress.tls` that have the host."""

    @property
    def has_own_object(self) -> bool:
        """Whether the host has an Ingress object to itself."""
        return bool(self.class_name or self.annotations or self.tls)


class IngressDashboard(IngressHost):
    """The host of the dashboard."""

    enabled: bool = True
    """Serve the dashboard to the outside. False: it is reached by `kubectl port-forward` only."""


class IngressBackend(IngressHost):
    """The host of the API."""

    origin: PublicOrigin = ""
    """Public URL of the API, if it is not `https://<host>`: behind a CDN or tunnel, on another port, with plain
    http."""


class IngressSite(IngressHost):
    """The host of HTTP actions."""

    origin: PublicSiteOrigin = ""
    """Public URL of HTTP actions, if it is not `https://<host>`; may end in `/http`."""


class CertManager(Model):
    """The issuer that cert-manager asks for certificates."""

    cluster_issuer: OptionalObjectName = ""
    """ClusterIssuer, for instance `letsencrypt-prod`."""
    issuer: OptionalObjectName = ""
    """Issuer in the environment's namespace."""

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations that cert-manager reads; none without an issuer."""
        named = {"cert-manager.io/cluster-issuer": self.cluster_issuer, "cert-manager.io/issuer": self.issuer}
        return {key: name for key, name in named.items() if name}


class Ingress(Model):
    """The Ingress. With it the public URLs follow from its hosts; without it, and without a Gateway, `convexConfig`
    says them."""

    enabled: bool = False
    """Make an Ingress."""
    class_name: OptionalObjectName = ""
    """IngressClass, for instance `traefik` or `nginx`. Empty: the cluster's default class."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the Ingress. If the name of the class tells which controller it is, the annotations that uploads
    and long actions need are set for you (`docs/edge.md`)."""
    dashboard: IngressDashboard = IngressDashboard()
    """Host of the dashboard. It may be the API's."""
    backend: IngressBackend = IngressBackend()
    """Host of the API: the cloud origin is `https://<host>`."""
    site: IngressSite = IngressSite()
    """Host of HTTP actions, whose origin is `https://<host>`. Empty: `https://<ingress.backend.host>/http`."""
    tls: list[IngressTls] = []
    """Certificates."""
    cert_manager: CertManager = CertManager()
    """cert-manager makes the certificates. Without `tls` the Secrets are named after the release."""
