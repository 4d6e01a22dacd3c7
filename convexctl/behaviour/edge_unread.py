"""What leads requests into a cluster and is not read here."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


def unread(manifests: Manifests) -> Iterator[UnreadEdge]:
    """Objects of other kinds of edges, and pods that are tunnels."""
    for manifest in manifests.of_kind(*_KINDS):
        yield UnreadEdge(source_of(manifest), f"{text(manifest.get('kind'))} is not read")
    for pod in manifests.pods():
        for source, container in pod.containers():
            image = ImageName.of(text(container.get("image"))).repository
            if match := _TUNNELS.fullmatch(image):
                yield UnreadEdge(source, f"where the tunnel {match[2]} leads is not read")
