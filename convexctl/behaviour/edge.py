"""Which host and path of the edge reach which container port."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.behaviour.edge_exposed import exposed
from convexctl.behaviour.edge_gateway import http_route
from convexctl.behaviour.edge_ingress import ingress
from convexctl.behaviour.edge_openshift import is_openshift, openshift_route
from convexctl.behaviour.edge_targets import Component, Targets
from convexctl.behaviour.edge_traefik import ingress_route
from convexctl.behaviour.edge_unread import unread
from convexctl.behaviour.manifests import Manifests
from convexctl.behaviour.model import Route, UnreadEdge


class Edge:
    """The routes of a set of manifests."""

    def __init__(self, manifests: Manifests, components: list[Component]) -> None:
        self._manifests = manifests
        self._targets = Targets(manifests, components)
        self._unread: list[UnreadEdge] = []

    def routes(self) -> Iterator[Route]:
        """The routes of Ingresses, HTTPRoutes, Traefik's IngressRoutes and OpenShift's Routes."""
        for manifest in self._manifests.of_kind("Ingress"):
            yield from ingress(self._targets, manifest)
        for manifest in self._manifests.of_kind("HTTPRoute"):
            yield from http_route(self._targets, manifest)
        for manifest in self._manifests.of_kind("IngressRoute"):
            for found in ingress_route(self._targets, manifest):
                if isinstance(found, Route):
                    yield found
                else:
                    self._unread.append(found)
        for manifest in self._manifests.of_kind("Route"):
            if is_openshift(manifest):
                yield from openshift_route(self._targets, manifest)

    def exposed(self) -> Iterator[Route]:
        """The ports that are open outside the cluster by themselves: LoadBalancer, NodePort, hostPort, hostNetwork."""
        return exposed(self._targets)

    def unread(self) -> Iterator[UnreadEdge]:
        """What leads requests into the cluster and is not read here. Complete after `routes` has ended."""
        yield from self._unread
        yield from unread(self._manifests, self._targets.services())
