"""Origins and the edge: who reaches what under which URL."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, obstacles, rule
from convexctl.boot import Backend, Component, Decision, Route, Source
from convexctl.boot.manifests import Manifest, dig, mapping, same_namespace, sequence, source_of, text
from convexctl.boot.quantities import quantity

LEAST_BODY = 200_000_000
LEAST_TIMEOUT_S = 300
_API_PATHS = ("/api/sync", "/version")
"""What clients, command line and dashboard ask of every API."""
_SITE_PATHS = ("/x",)
"""HTTP actions have the paths that their authors choose."""
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
    for backend in view.boot.backends:
        for name, origin in _origins(backend):
            if origin.value == "":
                yield hit(backend, origin, f"{name} is not set")


@rule(
    "origin-scheme",
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
    "origin-path",
    Severity.ERROR,
    "An API origin with a path, or an origin with a query",
    reason="The backend and its clients put their own paths behind CONVEX_CLOUD_ORIGIN, the dashboard behind "
    "NEXT_PUBLIC_DEPLOYMENT_URL: they must have none. Only the site origin may end in a path, /http. A query or a "
    "fragment belongs behind none of them.",
    basis="the server's use of its origin",
    parameter="ingress.backend.host, or convexConfig.cloudOrigin and convexConfig.deploymentUrl",
    change="give the API a host of its own, and write scheme, host and port only",
)
def origin_path(view: View) -> Iterator[Hit]:
    """URLs of the API below the root, and queries."""
    for component, name, origin in _urls(view):
        parts = _parts(origin)
        if parts and parts.path.strip("/") and name != "CONVEX_SITE_ORIGIN":
            yield hit(component, origin, f"{name} has the path {parts.path}")
        if parts and (parts.query or parts.fragment):
            yield hit(component, origin, f"{name} has a {'query' if parts.query else 'fragment'}")


@rule(
    "origin-trailing-slash",
    Severity.ERROR,
    "An origin with a slash at its end",
    reason="Paths are put behind the origin as it is, and a double slash in a URL is another path.",
    basis="the server's use of its origins",
    parameter="convexConfig.cloudOrigin, convexConfig.siteOrigin (checked)",
    change="remove the slash",
)
def origin_trailing_slash(view: View) -> Iterator[Hit]:
    """Slashes that do not belong there."""
    for component, name, origin in _urls(view):
        parts = _parts(origin)
        if parts and parts.path.endswith("/"):
            yield hit(component, origin, f"{name} ends in a slash")


@rule(
    "origin-local",
    Severity.WARNING,
    "A local origin that the backend itself cannot follow",
    reason="The pod calls its own origins: callbacks of `use node` functions go to CONVEX_CLOUD_ORIGIN, OIDC "
    "discovery to CONVEX_SITE_ORIGIN. A local name means the pod itself there, which listens without TLS, on IPv4, "
    "on 3210 and 3211, whatever port is forwarded on the computer of the user.",
    basis="the server's use of its origins; ports of the backend's image",
    parameter="convexConfig.cloudOrigin: http://localhost:3210, convexConfig.siteOrigin: http://localhost:3211",
    change="use http://localhost:3210 and http://localhost:3211, and forward these ports",
)
def origin_local(view: View) -> Iterator[Hit]:
    """Local origins with other ports."""
    for backend in view.boot.backends:
        for (name, origin), right in zip(_origins(backend), _POD_ANSWERS, strict=True):
            parts = _parts(origin)
            if parts is None or not _is_local(parts):
                continue
            there = (
                parts.hostname != "::1" and f"{parts.scheme}://localhost:{parts.port}{parts.path.rstrip('/')}" in right
            )
            if not there:
                yield hit(backend, origin, f"{name} is {origin.text}: inside the pod only {' or '.join(right)} answers")


@rule(
    "origin-unserved",
    Severity.WARNING,
    "An origin that no rule of the edge serves",
    reason="The edge among the manifests has rules for Convex, and none for this host: clients, and the pod itself "
    "for its callbacks, end elsewhere.",
    basis="Kubernetes: Ingress and HTTPRoute; the server calls its own origin",
    parameter="ingress.backend.host, ingress.site.host (the origins follow them)",
    change="add a rule for the host, or correct the origin",
)
def origin_unserved(view: View) -> Iterator[Hit]:
    """Origins whose host is nowhere, or in part only, while others are there."""
    if not any(route.role for route in view.boot.routes):
        return
    for backend in view.boot.backends:
        for (name, origin), paths in zip(_origins(backend), (_API_PATHS, _SITE_PATHS), strict=True):
            parts = _parts(origin)
            if parts is None or not _is_public(parts):
                continue
            missing = [path for path in paths if _reached(view, origin, path) is None]
            if missing:
                below = f"{parts.path.rstrip('/')}{missing[0]}" if view.boot.serves(parts.hostname or "") else ""
                yield hit(backend, origin, f"{name} is {origin.text}, and no rule serves {parts.hostname}{below}")


@rule(
    "origin-elsewhere",
    Severity.ERROR,
    "An origin that leads to something else",
    reason="CONVEX_CLOUD_ORIGIN must end at port 3210; CONVEX_SITE_ORIGIN at port 3211, or as https://<API>/http at "
    "3210. Where the rules of the edge send a host elsewhere, uploads, callbacks or HTTP actions go there. The path "
    "counts as it arrives, after what the edge rewrites: 3211 puts /http before it, 3210 needs /http in it.",
    basis="ports of the backend's image; Kubernetes: Ingress and HTTPRoute",
    parameter="ingress.backend.host, ingress.site.host (the origins follow them)",
    change="correct the origin, or the rule that serves its host",
)
def origin_elsewhere(view: View) -> Iterator[Hit]:
    """Origins whose host ends at the wrong port; the dashboard's host is a rule of its own for the site origin."""
    for backend in view.boot.backends:
        cloud, site = _reached(view, backend.cloud_origin), _reached(view, backend.site_origin)
        if cloud and cloud.target and cloud.role != "api":
            where = cloud.role or f"port {cloud.target.port}"
            yield hit(backend, backend.cloud_origin, f"CONVEX_CLOUD_ORIGIN leads to: {where}")
        for path in _API_PATHS:
            served = _reached(view, backend.cloud_origin, path)
            there = _arrives(served, backend.cloud_origin, path)
            if served and served.role == "api" and served.rewrite and there not in (None, path):
                yield hit(backend, backend.cloud_origin, f"CONVEX_CLOUD_ORIGIN: {path} is rewritten to {there}")
        there = _arrives(site, backend.site_origin, "/x")
        if site and site.role == "api" and there not in (None, "/http/x"):
            message = "CONVEX_SITE_ORIGIN leads to the API, which has HTTP actions under /http only"
            if site.rewrite:
                message += f"; the edge makes {there} of {_asked(backend.site_origin, '/x')}"
            yield hit(backend, backend.site_origin, message)
        if site and site.role == "http actions" and there not in (None, "/x"):
            message = (
                f"CONVEX_SITE_ORIGIN leads to port 3211, where /x arrives as {there}: that asks for another action"
            )
            yield hit(backend, backend.site_origin, message)
        if site and site.target and not site.role:
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
    for backend in view.boot.backends:
        site = _reached(view, backend.site_origin)
        if site and site.role == "dashboard":
            yield hit(backend, backend.site_origin, f"{backend.site_origin.text} leads to the dashboard")


@rule(
    "http-unstripped",
    Severity.ERROR,
    "/http goes to port 3211 as it is",
    reason="Port 3211 is a proxy that puts /http before every path itself: a request for /http/x that reaches it with "
    "its prefix asks for an action called /http/x. Port 3210 takes /http/x as it is, and admits 128 requests "
    "where 3211 admits 4.",
    basis="the server's proxy for HTTP actions",
    parameter="none needed: HTTP actions are served under https://<ingress.backend.host>/http",
    change="send /http to port 3210, or strip the prefix",
)
def http_unstripped(view: View) -> Iterator[Hit]:
    """Paths under /http that end at 3211."""
    for backend in view.boot.backends:
        for route in view.boot.routes_to(backend):
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
    for backend in view.boot.backends:
        for route in view.boot.routes_to(backend):
            if route.role == "http actions":
                yield Hit(backend, route.source, f"{route.host or 'every host'}{route.path} goes to port 3211")


@rule(
    "sub-path",
    Severity.ERROR,
    "Dashboard or API under a sub-path",
    reason="Neither works below a path: the dashboard asks for its files at /, and clients put /api behind the origin.",
    basis="the dashboard's build; clients of the API",
    parameter="ingress.dashboard.host and ingress.backend.host, each with the path /",
    change="give each a host of its own and the path /",
)
def sub_path(view: View) -> Iterator[Hit]:
    """Hosts where a component has no rule at the root."""
    for component in view.boot.components:
        role = "dashboard" if component.TITLE == "dashboard" else "api"
        routes = [route for route in view.boot.routes_to(component) if route.role == role]
        at_root = {route.host for route in routes if _is_root(route)}
        for route in routes:
            # On 3210 these are real paths; /metrics is a rule that hides what another host serves.
            real = re.match(r"/(http|api|version|metrics)(/|$)", route.path)
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
    """Rules to Services of Convex whose port leads nowhere."""
    for component in view.boot.components:
        for route in view.boot.routes_to(component):
            if route.target and not route.role:
                message = f"{route.host}{route.path} ends at port {route.target.port}, where nothing listens"
                yield Hit(component, route.source, message)
    for route in view.boot.routes:
        if route.target is None:
            service = view.manifests.find("Service", route.source.namespace, route.service)
            if service is not None and _selects_convex(view, service):
                yield Hit(None, route.source, f"{route.host}{route.path}: {route.problem}")


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
    for dashboard in view.boot.dashboards:
        parts = _parts(dashboard.deployment_url)
        pages = [route for route in view.boot.routes_to(dashboard) if route.tls]
        if parts and parts.scheme == "http" and pages and _is_public(parts):
            message = f"https://{pages[0].host} calls {dashboard.deployment_url.text}"
            yield hit(dashboard, dashboard.deployment_url, message)


@rule(
    "page-over-http",
    Severity.WARNING,
    "A dashboard over http beside an API over https",
    reason="The admin key is typed into the dashboard: over http everybody on the way can read it, or change the "
    "page. Browsers that have seen the dashboard over https once insist on it for two years (HSTS), and end at "
    "a closed door.",
    basis="the dashboard's image (its HSTS header); browsers",
    parameter="ingress.tls with the dashboard's host among its hosts",
    change="add the dashboard's host to the TLS hosts of its Ingress or Gateway",
)
def page_over_http(view: View) -> Iterator[Hit]:
    """Dashboards without TLS while the API's host has it, so that it does not end further out."""
    for dashboard in view.boot.dashboards:
        parts = _parts(dashboard.deployment_url)
        api = _reached(view, dashboard.deployment_url)
        if parts and parts.scheme == "https" and api and api.tls:
            for route in view.boot.routes_to(dashboard):
                if route.role == "dashboard" and not route.tls and not _hides_metrics(route):
                    yield Hit(dashboard, route.source, f"{route.host or 'every host'} has no TLS, and {api.host} has")


@rule(
    "cluster-only-url",
    Severity.ERROR,
    "A URL for browsers that only the cluster can resolve",
    reason="NEXT_PUBLIC_DEPLOYMENT_URL is called by the browser, and storage URLs made from the origins are opened by "
    "clients: a Service's name means nothing to them.",
    basis="the dashboard's image; the server's use of its origins",
    parameter="ingress.backend.host, or convexConfig.deploymentUrl and convexConfig.cloudOrigin",
    change="use the URL under which the browser reaches the API (with port-forward: http://localhost:3210)",
)
def cluster_only_url(view: View) -> Iterator[Hit]:
    """Cluster DNS where a browser must follow."""
    for dashboard in view.boot.dashboards:
        parts = _parts(dashboard.deployment_url)
        if parts and _is_cluster_only(parts):
            yield hit(
                dashboard, dashboard.deployment_url, f"NEXT_PUBLIC_DEPLOYMENT_URL is {dashboard.deployment_url.text}"
            )
    for backend in view.boot.backends:
        for name, origin in _origins(backend):
            parts = _parts(origin)
            if parts and _is_cluster_only(parts):
                yield hit(backend, origin, f"{name} is {origin.text}")


@rule(
    "deployment-url",
    Severity.WARNING,
    "The dashboard does not know the API",
    reason="The dashboard calls NEXT_PUBLIC_DEPLOYMENT_URL, which is the API's origin as the browser sees it. Without "
    "it, or with another than the backend's CONVEX_CLOUD_ORIGIN, it shows another deployment or none.",
    basis="the dashboard's image",
    parameter="convexConfig.deploymentUrl, or ingress.backend.host (both are set from it)",
    change="set it to the value of CONVEX_CLOUD_ORIGIN",
)
def deployment_url(view: View) -> Iterator[Hit]:
    """Dashboards without the API's URL, or with that of no backend here."""
    for dashboard in view.boot.dashboards:
        url = dashboard.deployment_url
        if url.value == "":
            yield hit(dashboard, url, "NEXT_PUBLIC_DEPLOYMENT_URL is not set")
            continue
        parts = _parts(url)
        clouds = [_parts(backend.cloud_origin) for backend in view.boot.backends]
        known = {_origin_of(cloud) for cloud in clouds if cloud}
        if parts and known and len(clouds) == len(known) and _origin_of(parts) not in known:
            message = f"NEXT_PUBLIC_DEPLOYMENT_URL is {url.text}, CONVEX_CLOUD_ORIGIN {', '.join(sorted(known))}"
            yield hit(dashboard, url, message)


@rule(
    "admin-key-prefilled",
    Severity.ERROR,
    "The dashboard hands out the admin key",
    reason="NEXT_PUBLIC_ADMIN_KEY is part of the page: everybody who opens it has the admin key, and with it all data.",
    basis="the dashboard's image",
    parameter="none: it is never set",
    change="remove NEXT_PUBLIC_ADMIN_KEY, and change the instance secret: the key is known",
)
def admin_key_prefilled(view: View) -> Iterator[Hit]:
    """Admin keys in the page; where no rule of the edge leads to it, that is good to know only."""
    for dashboard in view.boot.dashboards:
        if dashboard.admin_key.value is None:
            continue
        ways = at_edge(view, dashboard)
        if ways:
            where = ways[0].host or f"Service {ways[0].service}"
            yield hit(dashboard, dashboard.admin_key, f"everybody who opens {where} gets the admin key")
        else:
            message = "everybody who reaches the page gets the admin key"
            yield hit(dashboard, dashboard.admin_key, message, Severity.INFORMATION)


@rule(
    "metrics-public",
    Severity.WARNING,
    "Metrics are open to the world",
    reason="/metrics is served on 3210 and on 3211, without credentials, unless DISABLE_METRICS_ENDPOINT is exactly "
    "`true`: names of functions and tables, and how much each is used.",
    basis="the server's metrics route",
    parameter="backend.metrics.enabled: false, or true with the rules that hide /metrics (made by themselves)",
    change='set DISABLE_METRICS_ENDPOINT: "true", or give /metrics a rule that leads elsewhere, on both hosts',
)
def metrics_public(view: View) -> Iterator[Hit]:
    """Hosts of the edge where /metrics reaches the backend."""
    for backend in view.boot.backends:
        if backend.metrics.value is not True:
            continue
        seen = set()
        for route in at_edge(view, backend):
            host = route.host
            answers = route if route in view.boot.exposed else view.boot.reached(host, "/metrics")
            if host in seen or answers is None or answers.role not in ("api", "http actions"):
                continue
            seen.add(host)
            where = f"{host or f'Service {route.service}'}/metrics"
            yield Hit(
                backend, answers.source, f"{where} is open ({backend.metrics.why})", unless=backend.metrics.unless
            )


@rule(
    "nginx-body-size",
    Severity.WARNING,
    "nginx takes bodies of 1 MB",
    reason="A push of functions may have 200 MB, an HTTP action 20 MiB, and an upload has no limit. nginx refuses "
    "what is over its own limit, 1 MB unless said otherwise, with 413.",
    basis="limits of the server; the default of ingress-nginx (its own ConfigMap, out of sight here, may raise it)",
    parameter="ingress.className: nginx (the annotation is set by itself), or ingress.annotations",
    change='annotate the Ingress: nginx.ingress.kubernetes.io/proxy-body-size: "0"',
)
def nginx_body_size(view: View) -> Iterator[Hit]:
    """Ingresses of nginx in front of a backend with a small body size."""
    for backend, ingress in _nginx(view):
        annotations = mapping(dig(ingress, "metadata", "annotations"))
        key, value = _annotation(annotations, "proxy-body-size", "client-max-body-size")
        if value is None:
            yield Hit(backend, source_of(ingress, "metadata", "annotations"), "no body size is set: 1 MB")
        elif not _takes(value):
            yield Hit(backend, source_of(ingress, "metadata", "annotations", key), f"the body size is {value}")


@rule(
    "nginx-timeout",
    Severity.WARNING,
    "nginx gives up after a minute",
    reason="A response must begin within 300 s (HTTP_SERVER_TIMEOUT_SECONDS). nginx gives up after 60 s unless said "
    "otherwise, which cuts long actions and the polling of logs.",
    basis="the server's time-outs; the default of ingress-nginx (its own ConfigMap, out of sight here, may raise it)",
    parameter="ingress.className: nginx (the annotations are set by themselves), or ingress.annotations",
    change='annotate the Ingress: nginx.ingress.kubernetes.io/proxy-read-timeout: "300"',
)
def nginx_timeout(view: View) -> Iterator[Hit]:
    """Ingresses of nginx in front of a backend with a short time-out."""
    for backend, ingress in _nginx(view):
        annotations = mapping(dig(ingress, "metadata", "annotations"))
        key, value = _annotation(annotations, "proxy-read-timeout", "proxy-read-timeout")
        if value is None:
            yield Hit(backend, source_of(ingress, "metadata", "annotations"), "no read time-out is set: 60 s")
        elif (_seconds(value) or 0) < LEAST_TIMEOUT_S:
            yield Hit(backend, source_of(ingress, "metadata", "annotations", key), f"the read time-out is {value}")


@rule(
    "gateway-timeout",
    Severity.WARNING,
    "An HTTPRoute gives up before the backend answers",
    reason="A response must begin within 300 s (HTTP_SERVER_TIMEOUT_SECONDS). A shorter time-out of the rule cuts long "
    "actions and the polling of logs, and with many gateways the websocket of every client too.",
    basis="the server's time-outs; the Gateway API's timeouts (`0s` means none)",
    parameter="none: routes are made without time-outs",
    change="remove timeouts from the rule, or set them to 300s or more",
)
def gateway_timeout(view: View) -> Iterator[Hit]:
    """Rules of an HTTPRoute to a backend with a short time-out."""
    for backend in view.boot.backends:
        seen = set()
        for route in view.boot.routes_to(backend):
            source = route.source
            rule_source = Source(source.kind, source.namespace, source.name, source.path[:3])
            if source.kind != "HTTPRoute" or rule_source in seen or not route.role:
                continue
            seen.add(rule_source)
            manifest = view.manifests.find(source.kind, source.namespace, source.name)
            rules = sequence(dig(manifest, "spec", "rules"))
            timeouts = mapping(mapping(rules[int(str(source.path[2]))]).get("timeouts"))
            for key in ("request", "backendRequest"):
                value = text(timeouts.get(key))
                seconds = _duration(value)
                if seconds is not None and 0 < seconds < LEAST_TIMEOUT_S:
                    yield Hit(backend, rule_source.at("timeouts", key), f"{key} is {value}")


def _origins(backend: Backend) -> tuple[tuple[str, Decision], tuple[str, Decision]]:
    return ("CONVEX_CLOUD_ORIGIN", backend.cloud_origin), ("CONVEX_SITE_ORIGIN", backend.site_origin)


def _parts(decision: Decision) -> SplitResult | None:
    """The parts of a URL in sight; None for one that is not, or is none."""
    if not isinstance(decision.value, str) or not re.match(r"https?://", decision.value) or "…" in decision.value:
        return None
    try:
        parts = urlsplit(decision.value)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _origin_of(parts: SplitResult) -> str:
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    default = port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}{'' if default else f':{port}'}"


def _urls(view: View) -> Iterator[tuple[Component, str, Decision]]:
    """Every URL of Convex that a pod is told, with its variable."""
    for backend in view.boot.backends:
        for name, origin in _origins(backend):
            yield backend, name, origin
    for dashboard in view.boot.dashboards:
        yield dashboard, "NEXT_PUBLIC_DEPLOYMENT_URL", dashboard.deployment_url


def _is_local(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return host in _LOCAL or host.startswith("127.") or host.endswith(".localhost")


def _is_public(parts: SplitResult) -> bool:
    """Whether a host is one that the edge's rules would name: no address, no local name, no cluster DNS."""
    host = parts.hostname or ""
    if _is_local(parts) or _is_cluster_only(parts):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _is_cluster_only(parts: SplitResult) -> bool:
    host = (parts.hostname or "").rstrip(".")
    if host in _LOCAL or ":" in host:
        return False
    return "." not in host or host.endswith((".svc", ".cluster.local")) or ".svc." in host


def _reached(view: View, origin: Decision, path: str = "/x") -> Route | None:
    """The rule that answers a request for a path below an origin."""
    parts = _parts(origin)
    if parts is None or not _is_public(parts):
        return None
    return view.boot.reached(parts.hostname or "", _asked(origin, path))


def _arrives(route: Route | None, origin: Decision, path: str) -> str | None:
    """The path that a container is asked for when somebody asks for a path below an origin."""
    return None if route is None else route.arrives(_asked(origin, path))


def _asked(origin: Decision, path: str) -> str:
    """The path of a request below an origin."""
    parts = _parts(origin)
    return f"{parts.path.rstrip('/') if parts else ''}{path}"


def _hides_metrics(route: Route) -> bool:
    return route.path.rstrip("/") == "/metrics"


def _is_root(route: Route) -> bool:
    """Whether a rule serves a whole host, and hands the paths on as they are."""
    if re.fullmatch(r"/|/\*|/?\(/\|\$\)\(\.\*\)|/?\(?\.\*\)?|/\(\.\*\)", route.path):
        return True
    return all(route.takes(path) and route.arrives(path) == path for path in ("/", "/x/y"))


def _selects_convex(view: View, service: Manifest) -> bool:
    selector = mapping(dig(service, "spec", "selector"))
    place = source_of(service)
    owners = {(component.kind, component.name) for component in view.boot.components}
    return bool(selector) and any(
        (pod.kind, pod.source.name) in owners
        and same_namespace(pod.source.namespace, place.namespace)
        and all(pod.labels.get(key) == value for key, value in selector.items())
        for pod in view.manifests.pods()
    )


def _nginx(view: View) -> Iterator[tuple[Backend, Manifest]]:
    """The Ingresses of an nginx class that lead to a backend, each once."""
    seen = set()
    for backend in view.boot.backends:
        for route in view.boot.routes_to(backend):
            key = (route.source.kind, route.source.namespace, route.source.name)
            if route.source.kind != "Ingress" or key in seen:
                continue
            seen.add(key)
            ingress = view.manifests.find(*key)
            if ingress is not None and _is_nginx(ingress):
                yield backend, ingress


def _is_nginx(ingress: Manifest) -> bool:
    annotations = mapping(dig(ingress, "metadata", "annotations"))
    names = text(dig(ingress, "spec", "ingressClassName")), text(annotations.get("kubernetes.io/ingress.class"))
    named = any("nginx" in name for name in names)
    return named or (not any(names) and any(key.startswith("nginx.") for key in annotations))


def _annotation(annotations: Manifest, community: str, f5: str) -> tuple[str, str | None]:
    for key in (f"nginx.ingress.kubernetes.io/{community}", f"nginx.org/{f5}"):
        if key in annotations:
            return key, text(annotations[key])
    return "", None


def _takes(size: str) -> bool:
    """Whether a body size of nginx's (`0`: no limit; k, m and g are powers of 1024) is enough."""
    value = quantity(re.sub(r"(?i)([kmg])$", lambda match: f"{match[1].upper()}i", size))
    return value is not None and (value == 0 or value >= LEAST_BODY)


def _seconds(value: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,18})(s|m|h)?", value)
    return int(match[1]) * {"m": 60, "h": 3600}.get(match[2] or "s", 1) if match else None


def _duration(value: str) -> float | None:
    """Seconds of a duration of the Gateway API: `1h30m`, `10s`, `500ms`."""
    if not re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", value):
        return None
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"([0-9]+)(ms|h|m|s)", value))


RULES = (
    origin_missing,
    origin_scheme,
    origin_path,
    origin_trailing_slash,
    origin_local,
    origin_unserved,
    origin_elsewhere,
    site_on_dashboard,
    http_unstripped,
    actions_bottleneck,
    sub_path,
    route_nowhere,
    mixed_content,
    page_over_http,
    cluster_only_url,
    deployment_url,
    admin_key_prefilled,
    metrics_public,
    nginx_body_size,
    nginx_timeout,
    gateway_timeout,
)
