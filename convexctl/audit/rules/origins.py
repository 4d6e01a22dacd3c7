"""Origins: the URLs that clients get."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, obstacles, rule
from convexctl.behaviour import Backend, Component, Decision, Route

_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104


_POD_ANSWERS = (("http://localhost:3210",), ("http://localhost:3211", "http://localhost:3210/http"))
"""What the backend itself reaches under a local cloud and a local site origin."""


@rule(
    "origin-missing",
    Severity.WARNING,
    "An origin is not set",
    reason="Storage URLs, callbacks of `use node` functions and CONVEX_CLOUD_URL / CONVEX_SITE_URL inside functions "
    "are made from CONVEX_CLOUD_ORIGIN and CONVEX_SITE_ORIGIN. Without them they have no host.",
    basis="entry point of the backend's image",
    parameter="ingress.backend.host, ingress.site.host, or convexConfig.cloudOrigin and convexConfig.siteOrigin",
    change="set both to the public URLs of ports 3210 and 3211",
)
def origin_missing(view: View) -> Iterator[Hit]:
    """Origins without a value."""
    for backend in view.behaviour.backends:
        for name, origin in origins(backend):
            if origin.value == "":
                yield hit(backend, origin, f"{name} is not set")


@rule(
    "origin-without-scheme",
    Severity.ERROR,
    "An origin without a scheme",
    reason="The backend refuses an origin that does not begin with http:// or https://.",
    basis="the server's command line",
    parameter="convexConfig.cloudOrigin, convexConfig.siteOrigin (checked)",
    change="write it with its scheme",
)
def origin_scheme(view: View) -> Iterator[Hit]:
    """Origins that are a host only."""
    yield from obstacles(view, "origin")


@rule(
    "origin-with-path",
    Severity.ERROR,
    "An API origin with a path, or an origin with a query",
    reason="The backend and its clients append their own paths to CONVEX_CLOUD_ORIGIN, and the dashboard to "
    "NEXT_PUBLIC_DEPLOYMENT_URL: neither may have a path. Only the site origin may end in a path, /http. No origin "
    "may have a query or a fragment.",
    basis="the server's use of its origin",
    parameter="ingress.backend.host, or convexConfig.cloudOrigin and convexConfig.deploymentUrl",
    change="give the API a host of its own, and write scheme, host and port only",
)
def origin_path(view: View) -> Iterator[Hit]:
    """URLs of the API below the root, and queries."""
    for component, name, origin in _urls(view):
        parts = split_origin(origin)
        if parts and parts.path.strip("/") and name != "CONVEX_SITE_ORIGIN":
            yield hit(component, origin, f"{name} has the path {parts.path}")
        if parts and (parts.query or parts.fragment):
            yield hit(component, origin, f"{name} has a {'query' if parts.query else 'fragment'}")


@rule(
    "origin-trailing-slash",
    Severity.ERROR,
    "An origin with a slash at its end",
    reason="Paths are appended to the origin as it is, and a double slash in a URL is another path.",
    basis="the server's use of its origins",
    parameter="convexConfig.cloudOrigin, convexConfig.siteOrigin (checked)",
    change="remove the slash",
)
def origin_trailing_slash(view: View) -> Iterator[Hit]:
    """Slashes that do not belong there."""
    for component, name, origin in _urls(view):
        parts = split_origin(origin)
        if parts and parts.path.endswith("/"):
            yield hit(component, origin, f"{name} ends in a slash")


@rule(
    "origin-local",
    Severity.WARNING,
    "A local origin that the backend itself cannot follow",
    reason="The pod calls its own origins: callbacks of `use node` functions go to CONVEX_CLOUD_ORIGIN, OIDC "
    "discovery to CONVEX_SITE_ORIGIN. In the pod a local name means the pod itself, which listens without TLS, on "
    "IPv4, on 3210 and 3211. It does not matter which port is forwarded on the user's computer.",
    basis="the server's use of its origins; ports of the backend's image",
    parameter="convexConfig.cloudOrigin: http://localhost:3210, convexConfig.siteOrigin: http://localhost:3211",
    change="use http://localhost:3210 and http://localhost:3211, and forward these ports",
)
def origin_local(view: View) -> Iterator[Hit]:
    """Local origins with other ports."""
    for backend in view.behaviour.backends:
        for (name, origin), right in zip(origins(backend), _POD_ANSWERS, strict=True):
            parts = split_origin(origin)
            if parts is None or not is_local(parts):
                continue
            there = (
                parts.hostname != "::1" and f"{parts.scheme}://localhost:{parts.port}{parts.path.rstrip('/')}" in right
            )
            if not there:
                yield hit(backend, origin, f"{name} is {origin.text}: inside the pod only {' or '.join(right)} answers")


@rule(
    "mixed-content",
    Severity.ERROR,
    "A page over https that calls an API over http",
    reason="Browsers block calls over http from a page over https: the dashboard opens and reaches nothing.",
    basis="browsers: mixed content",
    parameter="ingress.tls for both hosts (the origins are https then)",
    change="serve the API over https, and set NEXT_PUBLIC_DEPLOYMENT_URL to its https URL",
)
def mixed_content(view: View) -> Iterator[Hit]:
    """Dashboards with TLS and an API without."""
    for dashboard in view.behaviour.dashboards:
        parts = split_origin(dashboard.deployment_url)
        pages = [route for route in view.behaviour.routes_to(dashboard) if route.tls]
        if parts and parts.scheme == "http" and pages and is_public(parts):
            message = f"https://{pages[0].host} calls {dashboard.deployment_url.text}"
            yield hit(dashboard, dashboard.deployment_url, message)


@rule(
    "page-over-http",
    Severity.WARNING,
    "A dashboard over http beside an API over https",
    reason="The admin key is typed into the dashboard: over http everybody on the way can read it, or change the "
    "page. A browser that has seen the dashboard over https insists on https for two years (HSTS), and cannot "
    "open the dashboard over http any more.",
    basis="the dashboard's image (its HSTS header); browsers",
    parameter="ingress.tls with the dashboard's host among its hosts",
    change="add the dashboard's host to the TLS hosts of its Ingress or Gateway",
)
def page_over_http(view: View) -> Iterator[Hit]:
    """Dashboards without TLS while the API's host has it, so that it does not end further out."""
    for dashboard in view.behaviour.dashboards:
        parts = split_origin(dashboard.deployment_url)
        api = reached(view, dashboard.deployment_url)
        if parts and parts.scheme == "https" and api and api.tls:
            for route in view.behaviour.routes_to(dashboard):
                if route.role == "dashboard" and not route.tls and route.tls_known and not _hides_metrics(route):
                    yield Hit(dashboard, route.source, f"{route.host or 'every host'} has no TLS, and {api.host} has")
        if parts and parts.scheme == "https" and is_public(parts):
            for route in view.behaviour.exposed_to(dashboard):
                if route.role == "dashboard" and route.tls_known and not route.tailnet:
                    way = f"Service {route.service}" if route.service else "the node"
                    message = f"port {route.service_port} of {way} opens the dashboard over plain http"
                    yield Hit(dashboard, route.source, f"{message}; the API is https")


@rule(
    "cluster-only-url",
    Severity.ERROR,
    "A URL for browsers that only the cluster can resolve",
    reason="NEXT_PUBLIC_DEPLOYMENT_URL is called by the browser, and storage URLs made from the origins are opened by "
    "clients: a Service's name means nothing to them.",
    basis="the dashboard's image; the server's use of its origins",
    parameter="ingress.backend.host, or convexConfig.deploymentUrl and convexConfig.cloudOrigin",
    change="use the URL under which the browser reaches the API (with port-forward: http://localhost:3210)",
    least=Severity.INFORMATION,
)
def cluster_only_url(view: View) -> Iterator[Hit]:
    """Cluster DNS where a browser must follow."""
    for dashboard in view.behaviour.dashboards:
        parts = split_origin(dashboard.deployment_url)
        if parts and is_cluster_only(parts):
            yield hit(
                dashboard, dashboard.deployment_url, f"NEXT_PUBLIC_DEPLOYMENT_URL is {dashboard.deployment_url.text}"
            )
    for backend in view.behaviour.backends:
        for name, origin in origins(backend):
            parts = split_origin(origin)
            if parts and is_cluster_only(parts):
                inside = not at_edge(view, backend)
                hint = ": right only if nobody outside the cluster uses it" if inside else ""
                severity = Severity.INFORMATION if inside else None
                yield hit(backend, origin, f"{name} is {origin.text}{hint}", severity)


@rule(
    "site-origin-is-api",
    Severity.ERROR,
    "The site origin equals the API's",
    reason="Under the API's origin HTTP actions are at /http only. With CONVEX_SITE_ORIGIN equal to "
    "CONVEX_CLOUD_ORIGIN webhooks, logins and OIDC discovery ask the API for paths that it does not have.",
    basis="the server's site origin; routes of port 3210",
    parameter="convexConfig.siteOrigin, or none: it falls back to https://<ingress.backend.host>/http",
    change="set CONVEX_SITE_ORIGIN to the API's origin with /http behind it",
)
def site_origin_is_api(view: View) -> Iterator[Hit]:
    """Equal origins, unless the edge parts the paths of one host."""
    for backend in view.behaviour.backends:
        cloud, site = backend.cloud_origin, backend.site_origin
        parts = split_origin(site)
        if parts is None or cloud.value != site.value or reached(view, site, "/x") is not None:
            continue
        found = hit(backend, site, f"both origins are {site.text}")
        unless = "" if is_local(parts) else "the edge parts the paths of the host"
        yield Hit(found.component, found.source, found.message, unless=found.unless or unless)


def origins(backend: Backend) -> tuple[tuple[str, Decision], tuple[str, Decision]]:
    """The cloud and the site origin, each with its name."""
    return ("CONVEX_CLOUD_ORIGIN", backend.cloud_origin), ("CONVEX_SITE_ORIGIN", backend.site_origin)


def split_origin(decision: Decision) -> SplitResult | None:
    """The parts of a URL in sight; None for one that is not, or is none."""
    if not isinstance(decision.value, str) or not re.match(r"https?://", decision.value) or "…" in decision.value:
        return None
    try:
        parts = urlsplit(decision.value)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _urls(view: View) -> Iterator[tuple[Component, str, Decision]]:
    """Every URL of Convex in a pod's variables, with the variable."""
    for backend in view.behaviour.backends:
        for name, origin in origins(backend):
            yield backend, name, origin
    for dashboard in view.behaviour.dashboards:
        yield dashboard, "NEXT_PUBLIC_DEPLOYMENT_URL", dashboard.deployment_url


def is_local(parts: SplitResult) -> bool:
    """Whether a host is the machine itself."""
    host = parts.hostname or ""
    return host in _LOCAL or host.startswith("127.") or host.endswith(".localhost")


def is_public(parts: SplitResult) -> bool:
    """Whether the edge's rules would name a host: it is not an address, a local name or a name of the cluster's DNS."""
    host = parts.hostname or ""
    if is_local(parts) or is_cluster_only(parts):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def is_cluster_only(parts: SplitResult) -> bool:
    """Whether only pods can resolve a host."""
    host = (parts.hostname or "").rstrip(".")
    if host in _LOCAL or ":" in host:
        return False
    return "." not in host or host.endswith((".svc", ".cluster.local")) or ".svc." in host


def reached(view: View, origin: Decision, path: str = "/api/x") -> Route | None:
    """The rule, or the open port, that answers a request for a path below an origin.

    None if that cannot be known: an origin with a port is answered by that port, whoever opens it.
    """
    parts = split_origin(origin)
    if parts is None or is_local(parts) or is_cluster_only(parts):
        return None
    port = port_of(parts)
    found = view.behaviour.reached(parts.hostname or "", asked(origin, path), port) if is_public(parts) else None
    if found or port in (80, 443):
        return found
    ways = view.behaviour.opened(port)
    return ways[0] if len({way.role for way in ways}) == 1 else None


def port_of(parts: SplitResult) -> int:
    """The port that a client asks under a URL."""
    return parts.port or {"http": 80, "https": 443}[parts.scheme]


def asked(origin: Decision, path: str) -> str:
    """The path of a request below an origin."""
    parts = split_origin(origin)
    return f"{parts.path.rstrip('/') if parts else ''}{path}"


def _hides_metrics(route: Route) -> bool:
    return route.path.rstrip("/") == "/metrics"
