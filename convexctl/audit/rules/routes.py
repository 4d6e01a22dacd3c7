"""Routes: which request ends where."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, rule
from convexctl.audit.rules.origins import asked, is_public, origins, port_of, reached, split_origin
from convexctl.behaviour import Decision, Route
from convexctl.behaviour.manifests import dig, mapping, source_of

_API_PATHS = ("/api/sync", "/api/storage/upload")
"""What clients, command line and dashboard ask of every API: nothing but paths under /api."""


_SITE_PATHS = ("/x",)
"""HTTP actions have the paths that their authors choose."""


@rule(
    "origin-unserved",
    Severity.WARNING,
    "An origin that no rule of the edge serves",
    reason="The manifests have rules of the edge for Convex, and none for this host. Clients, and the pod's own "
    "callbacks, reach something else or nothing.",
    basis="Kubernetes: Ingress and HTTPRoute; the server calls its own origin",
    parameter="ingress.backend.host, ingress.site.host (the origins follow them)",
    change="add a rule for the host, or correct the origin",
)
def origin_unserved(view: View) -> Iterator[Hit]:
    """Origins whose host is nowhere, or in part only, while others are there."""
    if view.behaviour.unread or not any(route.role for route in view.behaviour.routes):
        return
    for backend in view.behaviour.backends:
        for (name, origin), paths in zip(origins(backend), (_API_PATHS, _SITE_PATHS), strict=True):
            parts = split_origin(origin)
            if parts is None or not is_public(parts):
                continue
            if (port := port_of(parts)) not in (80, 443):
                host = parts.hostname or ""
                if view.behaviour.serves(host) and not (reached(view, origin, paths[0]) or view.behaviour.opened(port)):
                    message = f"{name} is {origin.text}, and the rules for {host} serve ports 80 and 443"
                    yield Hit(backend, origin.source, message, unless=f"port {port} leads to one of them")
                continue
            missing = [path for path in paths if reached(view, origin, path) is None]
            if missing:
                below = f"{parts.path.rstrip('/')}{missing[0]}" if view.behaviour.serves(parts.hostname or "") else ""
                yield hit(backend, origin, f"{name} is {origin.text}, and no rule serves {parts.hostname}{below}")


@rule(
    "origin-elsewhere",
    Severity.ERROR,
    "An origin that leads to something else",
    reason="CONVEX_CLOUD_ORIGIN must end at port 3210. CONVEX_SITE_ORIGIN must end at port 3211, or as "
    "https://<API>/http at 3210. If the rules of the edge send a host elsewhere, uploads, callbacks or HTTP "
    "actions go there. What counts is the path that reaches the backend, after any rewrite at the edge. Port 3211 "
    "adds /http to that path. At port 3210 it must begin with /http already.",
    basis="ports of the backend's image; Kubernetes: Ingress and HTTPRoute",
    parameter="ingress.backend.host, ingress.site.host (the origins follow them)",
    change="correct the origin, or the rule that serves its host",
)
def origin_elsewhere(view: View) -> Iterator[Hit]:
    """Origins whose host ends at the wrong port; the dashboard's host is a rule of its own for the site origin."""
    for backend in view.behaviour.backends:
        cloud, site = reached(view, backend.cloud_origin), reached(view, backend.site_origin, "/x")
        if cloud and cloud.target and cloud.target.convex and cloud.role != "api":
            where = cloud.role or f"port {cloud.target.port}"
            yield hit(backend, backend.cloud_origin, f"CONVEX_CLOUD_ORIGIN leads to: {where}")
        for path in _API_PATHS:
            served = reached(view, backend.cloud_origin, path)
            there = _arrives(served, backend.cloud_origin, path)
            if served and served.role == "api" and served.rewrite and there not in (None, path):
                yield hit(backend, backend.cloud_origin, f"CONVEX_CLOUD_ORIGIN: {path} is rewritten to {there}")
        there = _arrives(site, backend.site_origin, "/x")
        if site and site.role == "api" and there not in (None, "/http/x"):
            message = "CONVEX_SITE_ORIGIN leads to the API, which has HTTP actions under /http only"
            if site.rewrite:
                message += f"; the edge makes {there} of {asked(backend.site_origin, '/x')}"
            yield hit(backend, backend.site_origin, message)
        if site and site.role == "http actions" and there not in (None, "/x"):
            message = (
                f"CONVEX_SITE_ORIGIN leads to port 3211, where /x arrives as {there}: that asks for another action"
            )
            yield hit(backend, backend.site_origin, message)
        if site and site.target and site.target.convex and not site.role:
            yield hit(backend, backend.site_origin, f"CONVEX_SITE_ORIGIN leads to: port {site.target.port}")


@rule(
    "site-on-dashboard",
    Severity.ERROR,
    "The site origin is the dashboard's host",
    reason="HTTP actions are called under CONVEX_SITE_ORIGIN: webhooks, OIDC discovery and callbacks of logins go to "
    "the dashboard, which knows none of them.",
    basis="the server's site origin; a fall-back that the Helm chart had",
    parameter="ingress.site.host, or none: it falls back to https://<ingress.backend.host>/http",
    change="set CONVEX_SITE_ORIGIN to https://<API host>/http",
)
def site_on_dashboard(view: View) -> Iterator[Hit]:
    """Site origins that the dashboard answers."""
    for backend in view.behaviour.backends:
        site = reached(view, backend.site_origin, "/x")
        if site and site.role == "dashboard":
            yield hit(backend, backend.site_origin, f"{backend.site_origin.text} leads to the dashboard")


@rule(
    "http-unstripped",
    Severity.ERROR,
    "/http reaches port 3211 with its prefix",
    reason="Port 3211 is a proxy that puts /http before every path itself: a request for /http/x that reaches it with "
    "its prefix asks for an action called /http/x. Port 3210 takes /http/x as it is, and admits 128 requests "
    "where 3211 admits 4.",
    basis="the server's proxy for HTTP actions",
    parameter="none needed: HTTP actions are served under https://<ingress.backend.host>/http",
    change="send /http to port 3210, or strip the prefix",
)
def http_unstripped(view: View) -> Iterator[Hit]:
    """Paths under /http that end at 3211."""
    for backend in view.behaviour.backends:
        for route in view.behaviour.routes_to(backend):
            if route.role == "http actions" and route.rewrite is None and re.match(r"/http(/|$|\()", route.path):
                yield Hit(backend, route.source, f"{route.host}{route.path} goes to port 3211 without a rewrite")


@rule(
    "actions-bottleneck",
    Severity.INFORMATION,
    "HTTP actions go through port 3211",
    reason="Port 3211 is a proxy to /http on 3210 that admits 4 requests at a time; 3210 admits 128.",
    basis="the server's proxy for HTTP actions",
    parameter="leave ingress.site.host empty",
    change="use https://<API host>/http as the site origin",
)
def actions_bottleneck(view: View) -> Iterator[Hit]:
    """Public rules that end at 3211."""
    for backend in view.behaviour.backends:
        for route in view.behaviour.routes_to(backend):
            if route.role == "http actions":
                yield Hit(backend, route.source, f"{route.host or 'every host'}{route.path} goes to port 3211")


@rule(
    "sub-path",
    Severity.ERROR,
    "Dashboard or API under a sub-path",
    reason="Neither works below a path: the dashboard asks for its files at /, and clients append /api to the origin.",
    basis="the dashboard's build; clients of the API",
    parameter="ingress.dashboard.host and ingress.backend.host, each with the path /",
    change="give each a host of its own and the path /",
)
def sub_path(view: View) -> Iterator[Hit]:
    """Hosts where a component has no rule at the root."""
    for component in view.behaviour.components:
        role = "dashboard" if component.TITLE == "dashboard" else "api"
        routes = [route for route in view.behaviour.routes_to(component) if route.role == role]
        at_root = {route.host for route in routes if _is_root(route)}
        for route in routes:
            # On 3210 these are real paths; /metrics is a rule that hides what another host serves.
            real = re.match(r"/(http|api|version|instance_name|metrics)(/|$)", route.path)
            if route.host not in at_root and not real:
                yield Hit(component, route.source, f"the {role} is served under {route.host}{route.path}")


@rule(
    "route-nowhere",
    Severity.ERROR,
    "A rule of the edge that ends at no open port",
    reason="The backend listens on 3210 and 3211, the dashboard on 6791 (or its PORT), whatever a container's list of "
    "ports says. A rule that names another port, or one that the Service does not have, is answered with 502 "
    "or 503.",
    basis="ports of the images; Kubernetes: Services and named ports",
    parameter="service.backend.*, service.dashboard.* (Services and rules are made together)",
    change="correct targetPort or the rule's port",
)
def route_nowhere(view: View) -> Iterator[Hit]:
    """Rules to Services of Convex whose port leads nowhere; for /metrics that is how it is closed."""
    for component in view.behaviour.components:
        for route in view.behaviour.routes_to(component):
            if route.target and not route.role and route.target.convex and route.path != "/metrics":
                message = f"{route.host}{route.path} ends at port {route.target.port}, where nothing listens"
                yield Hit(component, route.source, message)
    for route in view.behaviour.routes:
        if route.target is None and selects_convex(view, route.source.namespace, route.service):
            yield Hit(None, route.source, f"{route.host}{route.path}: {route.problem}")


@rule(
    "metrics-public",
    Severity.WARNING,
    "Metrics are open to the world",
    reason="/metrics is served on 3210 and on 3211, without credentials, unless DISABLE_METRICS_ENDPOINT is exactly "
    "`true`: names of functions and tables, and how much each is used.",
    basis="the server's metrics route",
    parameter="backend.metrics.enabled: false, or true with the rules that hide /metrics (made by themselves)",
    change='set DISABLE_METRICS_ENDPOINT: "true", or give /metrics a rule that leads elsewhere, on both hosts',
    least=Severity.INFORMATION,
)
def metrics_public(view: View) -> Iterator[Hit]:
    """Hosts of the edge where /metrics reaches the backend."""
    for backend in view.behaviour.backends:
        if backend.metrics.value is not True:
            continue
        seen = set()
        opened = view.behaviour.exposed_to(backend)
        for route in at_edge(view, backend):
            host = route.host
            answers = route if route in opened else view.behaviour.reached(host, "/metrics")
            if host in seen or answers is None or answers.role not in ("api", "http actions"):
                continue
            if answers.arrives("/metrics") not in (None, "/metrics"):
                continue
            seen.add(host)
            where = f"{host or (f'Service {route.service}' if route.service else 'the node')}/metrics"
            to_whom = " to the tailnet" if answers.tailnet else ""
            message = f"{where} is open{to_whom} ({backend.metrics.why})"
            severity = Severity.INFORMATION if answers.tailnet else None
            yield Hit(backend, answers.source, message, severity, backend.metrics.unless)


def _arrives(route: Route | None, origin: Decision, path: str) -> str | None:
    """The path that a container is asked for when somebody asks for a path below an origin."""
    return None if route is None else route.arrives(asked(origin, path))


def _is_root(route: Route) -> bool:
    """Whether a rule serves a whole host, and hands the paths on as they are."""
    if re.fullmatch(r"/|/\*|/?\(/\|\$\)\(\.\*\)|/?\(?\.\*\)?|/\(\.\*\)", route.path):
        return True
    return all(route.takes(path) and route.arrives(path) == path for path in ("/", "/x/y"))


def selects_convex(view: View, namespace: str, name: str) -> bool:
    """Whether a Service is in sight and selects a pod of Convex."""
    service = view.manifests.find("Service", namespace, name)
    selector = mapping(dig(service, "spec", "selector"))
    if service is None or not selector:
        return False
    place = source_of(service)
    owners = {(component.kind, component.name) for component in view.behaviour.components}
    return any((pod.kind, pod.source.name) in owners for pod in view.manifests.pods_with(place.namespace, selector))
