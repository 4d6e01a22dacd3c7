"""What leads requests into a cluster and is not read here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from convexctl.behaviour.find import ImageName
from convexctl.behaviour.manifests import Manifests, source_of, text
from convexctl.behaviour.model import UnreadEdge

_KINDS = (
    *("VirtualService", "IstioGateway", "ServiceEntry", "TLSRoute", "TCPRoute", "GRPCRoute", "UDPRoute"),
    *(
        "IngressRouteTCP",
        "IngressRouteUDP",
        "TraefikService",
        "HTTPProxy",
        "Mapping",
        "AmbassadorMapping",
        "TCPMapping",
    ),
    *("VirtualServer", "VirtualServerRoute", "TransportServer", "ApisixRoute", "TCPIngress", "KongIngress"),
    *(
        "Tunnel",
        "ClusterTunnel",
        "TunnelBinding",
        "AccessTunnel",
        "NgrokEdge",
        "HTTPSEdge",
        "CloudEndpoint",
        "AgentEndpoint",
    ),
    *(
        "KnativeRoute",
        "DomainMapping",
        "HTTPScaledObject",
        "RouteTable",
        "APIRule",
        "CiliumEnvoyConfig",
        "MultiClusterIngress",
    ),
    *("ApplicationGateway", "VirtualGateway", "GatewayRoute", "HTTPEdge", "TailscaleService"),
)
_TUNNELS = re.compile(r"(.*/)?(cloudflared|ngrok|frpc|frps|newt|inlets(-pro)?|boringproxy|zrok|bore)")
"""Images of programs that lead requests in from outside by a connection of their own."""


_LIKE_AN_EDGE = re.compile(
    r"route|ingress|proxy|tunnel|gateway|virtual|host|mapping|edge|endpoint|domain|frontend|binding|expose|listener",
    re.I,
)
_NOT_THE_EDGE = ("Ingress", "HTTPRoute", "IngressRoute", "Route", "ServiceBinding", *_KINDS)
"""Kinds that are read or named anyway, and one that brings nobody in."""
_MOST_VALUES = 2_000
"""Values of one object that are looked at."""


def unread(manifests: Manifests, services: Collection[str]) -> Iterator[UnreadEdge]:
    """Objects of other kinds of edges, and pods that are tunnels; `services` are the names of Convex's Services."""
    for manifest in manifests.of_kind(*_KINDS):
        yield UnreadEdge(source_of(manifest), f"{text(manifest.get('kind'))} is not read")
    for manifest in manifests.of_other_groups():
        kind = text(manifest.get("kind"))
        if kind not in _NOT_THE_EDGE and _LIKE_AN_EDGE.search(kind) and _names(manifest.get("spec"), services):
            yield UnreadEdge(source_of(manifest), f"{kind} is not read")
    for pod in manifests.pods():
        for source, container in pod.containers():
            image = ImageName.of(text(container.get("image"))).repository
            if match := _TUNNELS.fullmatch(image):
                yield UnreadEdge(source, f"where the tunnel {match[2]} leads is not read")


def _names(spec: object, services: Collection[str]) -> bool:
    """Whether an object names one of the Services, alone or in an address."""
    waiting, seen = [spec], 0
    while waiting and services and seen < _MOST_VALUES:
        value = waiting.pop()
        seen += 1
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and re.split(r"[.:/]", value.rpartition("//")[2], maxsplit=1)[0] in services:
            return True
    return False
