"""The hosts that the edge serves, as Ingress and Gateway both see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from convex_k8s.values.ingress import IngressPath

if TYPE_CHECKING:
    from convex_k8s.values import Values

Edge = Literal["ingress", "gateway"]
Role = Literal["dashboard", "backend", "site"]

API_PATHS = ("/api", "/http", "/version", "/instance_name")
"""What clients, command line and HTTP actions ask of the API: the rest of a host that both share is the dashboard's."""


@dataclass(frozen=True)
class PublicHost:
    """A host of the edge: what it serves, and under which paths."""

    role: Role
    host: str
    paths: tuple[IngressPath, ...]


@dataclass(frozen=True)
class PublicHosts:
    """The hosts of one edge. A host is empty if there is none."""

    edge: Edge
    dashboard: str
    backend: str
    site: str
    paths: Mapping[Role, tuple[IngressPath, ...]]
    cloud_origin: str
    site_origin: str

    @classmethod
    def of(cls, values: Values, edge: Edge) -> PublicHosts:
        """The hosts of the Ingress or of the Gateway, whose empty ones are the Ingress's."""
        ingress, gateway = values.ingress, values.gateway
        shown = values.dashboard.enabled
        if edge == "ingress":
            dashboard = ingress.dashboard.host if shown and ingress.dashboard.enabled else ""
            backend, cloud = ingress.backend.host, ingress.backend.origin
            site, site_origin = ingress.site.host, ingress.site.origin
        else:
            shown = shown and gateway.dashboard.enabled and (bool(gateway.dashboard.host) or ingress.dashboard.enabled)
            dashboard = (gateway.dashboard.host or ingress.dashboard.host) if shown else ""
            backend = gateway.backend.host or ingress.backend.host
            cloud = gateway.backend.origin or ingress.backend.origin
            site = gateway.site.host or ingress.site.host
            site_origin = gateway.site.origin or ingress.site.origin
        cloud = cloud or f"https://{backend}"
        site_origin = site_origin or (f"https://{site}" if site else f"{cloud}/http")
        return cls(edge, dashboard, backend, site, _paths(values, edge), cloud, site_origin)

    @property
    def shared(self) -> bool:
        """Whether dashboard and API have one host."""
        return bool(self.dashboard) and self.dashboard == self.backend

    def __iter__(self) -> Iterator[PublicHost]:
        """The hosts that there are; on a shared host the API's paths come before the dashboard's."""
        api_paths = self.paths["backend"]
        if self.shared:
            api_paths = tuple(IngressPath(path=path, path_type=api_paths[0].path_type) for path in API_PATHS)
        api = PublicHost("backend", self.backend, api_paths)
        dashboard = PublicHost("dashboard", self.dashboard, self.paths["dashboard"])
        site = PublicHost("site", self.site, self.paths["site"])
        for served in (api, dashboard, site) if self.shared else (dashboard, api, site):
            if served.host:
                yield served


def _paths(values: Values, edge: Edge) -> Mapping[Role, tuple[IngressPath, ...]]:
    """The paths of each host, from where the host itself is."""
    roles: tuple[Role, ...] = ("dashboard", "backend", "site")
    own = {role: getattr(values.gateway, role) for role in roles if edge == "gateway"}
    hosts = {role: own[role] if role in own and own[role].host else getattr(values.ingress, role) for role in roles}
    return {role: tuple(host.paths) or (IngressPath(),) for role, host in hosts.items()}
