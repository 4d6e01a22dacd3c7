"""What is in front of Convex: other workloads, logins, TLS, and what is not read."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, rule
from convexctl.audit.rules.origins import is_public, origins, reached, split_origin
from convexctl.audit.rules.routes import selects_convex
from convexctl.behaviour import Backend, Route
from convexctl.behaviour.manifests import dig, mapping, text

_PRIVATE_NAMES = (".local", ".lan", ".home", ".internal", ".test", ".invalid", ".intranet", ".ts.net")
_API = ("api", "http actions")


@rule(
    "edge-unread",
    Severity.INFORMATION,
    "Part of the edge is not read",
    reason="Requests may reach Convex by a way that this audit does not read. What it says about hosts, paths, TLS "
    "and metrics may be different for that way.",
    basis="the kinds that are read: Ingress, HTTPRoute, IngressRoute, OpenShift's Route, Services",
    parameter="ingress.*",
    change="check by hand that the API's host leads to port 3210, /http unstripped to 3210, and /metrics nowhere",
)
def edge_unread(view: View) -> Iterator[Hit]:
    """Objects of other kinds, and tunnels."""
    for unread in view.behaviour.unread:
        yield Hit(None, unread.source, f"{unread.what}: nothing is known of where it leads")


@rule(
    "route-through-other",
    Severity.INFORMATION,
    "An origin that leads through another workload",
    reason="If the host of an origin ends at a proxy, at another program or at a Service whose pods are not in sight, "
    "this audit cannot know what that makes of a request.",
    basis="Kubernetes: Services and pods",
    parameter="ingress.backend.host (the rule leads to the backend)",
    change="check by hand that it passes on paths, websockets and large bodies",
)
def route_through_other(view: View) -> Iterator[Hit]:
    """Origins that end at a container that is not Convex's."""
    for backend in view.behaviour.backends:
        seen = set()
        for name, origin in origins(backend):
            route = reached(view, origin, "/api/x" if name == "CONVEX_CLOUD_ORIGIN" else "/x")
            target = route.target if route else None
            if route is None or route.source in seen:
                continue
            if target and not target.convex:
                seen.add(route.source)
                yield Hit(backend, route.source, f"{name} leads to {target.kind}/{target.name}, which is not Convex's")
            elif target is None and not selects_convex(view, route.source.namespace, route.service):
                seen.add(route.source)
                yield Hit(backend, route.source, f"{name} leads out of sight: {route.problem}")


@rule(
    "https-without-tls",
    Severity.WARNING,
    "An https origin whose host has no TLS at the edge",
    reason="The rule for the host has no certificate. Unless TLS ends in front of this edge, clients get a certificate "
    "that they do not trust, or none.",
    basis="Kubernetes: TLS of Ingress and Gateway",
    parameter="ingress.tls with the host",
    change="add the host to `tls`, or to an HTTPS listener",
)
def https_without_tls(view: View) -> Iterator[Hit]:
    """Origins with https that a rule without TLS answers."""
    for backend in view.behaviour.backends:
        seen = set()
        for _, origin in origins(backend):
            parts = split_origin(origin)
            if parts is None or parts.scheme != "https" or parts.hostname in seen:
                continue
            route = reached(view, origin, "/api/x")
            if route and not route.tls and route.tls_known:
                seen.add(parts.hostname)
                way = f"the rule for {route.host or 'every host'}"
                if route in view.behaviour.exposed:
                    way = f"port {route.service_port} of {f'Service {route.service}' if route.service else 'the node'}"
                message = f"{origin.text} is https, and {way} has no TLS"
                unless = "what is not read of the edge ends TLS" if view.behaviour.unread else ""
                message += "" if unless else "; right only if TLS ends in front of it"
                yield Hit(backend, route.source, message, unless=unless)


@rule(
    "origin-over-http",
    Severity.WARNING,
    "A public origin over plain http",
    reason="The admin key, tokens of users and all data travel in the clear: everybody on the way can read and change "
    "them.",
    basis="the server's API and admin keys",
    parameter="ingress.tls with the host (the origins are https then)",
    change="serve the API over https, and write the origins with https://",
)
def origin_over_http(view: View) -> Iterator[Hit]:
    """API origins with http under a name or address of the internet."""
    for backend in view.behaviour.backends:
        parts = split_origin(backend.cloud_origin)
        if parts and parts.scheme == "http" and _in_the_internet(parts):
            yield Hit(backend, backend.cloud_origin.source, f"CONVEX_CLOUD_ORIGIN is {backend.cloud_origin.text}")


@rule(
    "api-filtered",
    Severity.WARNING,
    "A login, an allow-list or a CORS filter in front of the API",
    reason="Browsers, the command line, webhooks and the pod's own callbacks call the API from anywhere and without "
    "such a login. The backend answers CORS for every origin itself. A filter that does not know the header "
    "Convex-Client blocks browsers. A filter for the dashboard must not cover the API's host.",
    basis="clients of the server; headers of the browser client",
    parameter="ingress.dashboard.annotations, instead of ingress.annotations, which are for every host",
    change="put the filter on an Ingress that serves only the dashboard",
)
def api_filtered(view: View) -> Iterator[Hit]:
    """Filters on rules that lead to the API."""
    for backend in view.behaviour.backends:
        seen = set()
        for route in view.behaviour.routes_to(backend):
            for what in route.filters:
                key = (route.source.kind, route.source.namespace, route.source.name, what)
                if route.role in _API and key not in seen:
                    seen.add(key)
                    yield Hit(backend, route.source, f"{route.host or 'every host'}{route.path} has {what}")


@rule(
    "host-twice",
    Severity.WARNING,
    "One host and path in two objects of the edge",
    reason="Two rules take the same requests and lead to different Services: which one answers depends on the "
    "controller, and may change at a restart.",
    basis="controllers of Ingress and Gateway",
    parameter="ingress.backend.host: a host that no other environment has",
    change="remove the rule that is not meant, or give each environment its own host",
)
def host_twice(view: View) -> Iterator[Hit]:
    """Rules of different objects with one host and path and different Services."""
    places: dict[tuple[str, str, str], list[Route]] = {}
    for route in view.behaviour.routes:
        if route.host and not _canary(view, route):
            key = (route.host.lower(), route.path, _class(view, route))
            places.setdefault(key, []).append(route)
    for (host, path, _), routes in places.items():
        one, *others = sorted(routes, key=lambda route: str(route.source))
        different = [route for route in others if _object(route) != _object(one) and _service(route) != _service(one)]
        if different and any(route.role for route in routes):
            other = different[0]
            message = f"{host}{path} leads to Service {other.service}, and in {one.source.kind}/{one.source.name} to "
            yield Hit(None, other.source, f"{message}Service {one.service}")


@rule(
    "shared-origin",
    Severity.WARNING,
    "Two backends with one public origin",
    reason="Clients of both backends ask one host, and one of the two answers. The other backend has no clients, and "
    "its uploads, callbacks and logins end at the first.",
    basis="the server's public origins",
    parameter="ingress.backend.host, convexConfig.cloudOrigin: another for each environment",
    change="give each backend a host and an origin of its own; a standby copy in another cluster may share it",
)
def shared_origin(view: View) -> Iterator[Hit]:
    """Backends that name one public origin of the API."""
    first: dict[str, Backend] = {}
    for backend in view.behaviour.backends:
        parts = split_origin(backend.cloud_origin)
        if parts is None or not is_public(parts):
            continue
        one = first.setdefault(parts.netloc.lower(), backend)
        if one.place != backend.place:
            where = f" in namespace {one.namespace}" if one.namespace != backend.namespace else ""
            yield hit(backend, backend.cloud_origin, f"{one}{where} has the same origin, {backend.cloud_origin.text}")


@rule(
    "metrics-edge-unseen",
    Severity.INFORMATION,
    "Metrics are on, and the edge is not in sight",
    reason="/metrics is served on 3210 and 3211 without credentials. The manifests have no rule that leads to the "
    "backend, so this audit cannot know whether the world reaches it.",
    basis="the server's metrics route",
    parameter="backend.metrics.enabled: false",
    change='set DISABLE_METRICS_ENDPOINT: "true", or check that the edge does not serve /metrics',
)
def metrics_edge_unseen(view: View) -> Iterator[Hit]:
    """Backends with metrics and without a rule in sight."""
    for backend in view.behaviour.backends:
        unseen = not at_edge(view, backend) or bool(view.behaviour.unread)
        if backend.metrics.value is True and unseen:
            yield Hit(backend, backend.metrics.source, f"metrics are served {backend.metrics.text}")


def _in_the_internet(parts: SplitResult) -> bool:
    host = (parts.hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return is_public(parts) and not host.endswith(_PRIVATE_NAMES)


def _object(route: Route) -> tuple[str, str, str]:
    return route.source.kind, route.source.namespace, route.source.name


def _service(route: Route) -> tuple[str, str]:
    return route.source.namespace, route.service


def _class(view: View, route: Route) -> str:
    """The class of an Ingress; rules of two classes are answered by two controllers."""
    manifest = view.manifests.find(*_object(route))
    return text(dig(manifest, "spec", "ingressClassName")) if route.source.kind == "Ingress" else ""


def _canary(view: View, route: Route) -> bool:
    annotations = mapping(dig(view.manifests.find(*_object(route)), "metadata", "annotations"))
    return text(annotations.get("nginx.ingress.kubernetes.io/canary")) == "true"
