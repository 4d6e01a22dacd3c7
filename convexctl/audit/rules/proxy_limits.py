"""Limits of proxies: body size and time-outs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, rule
from convexctl.behaviour import Backend, Route, Source
from convexctl.behaviour.edge_ingress import ingress_class
from convexctl.behaviour.manifests import Manifest, dig, mapping, sequence, source_of, text
from convexctl.behaviour.quantities import quantity

LEAST_BODY = 200_000_000


LEAST_TIMEOUT_S = 300


@rule(
    "nginx-body-size-small",
    Severity.WARNING,
    "nginx takes bodies of 1 MB",
    reason="A push of functions may have 200 MB and an HTTP action 20 MiB. An upload has no limit. nginx answers 413 "
    "to a body above its own limit, which is 1 MB by default.",
    basis="limits of the server; the default of ingress-nginx (its own ConfigMap, out of sight here, may raise it)",
    parameter="ingress.className: nginx (the annotation is then set for you), or ingress.annotations",
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
    "nginx-timeout-short",
    Severity.WARNING,
    "nginx gives up after a minute",
    reason="A response must begin within 300 s (HTTP_SERVER_TIMEOUT_SECONDS). nginx gives up after 60 s by default, "
    "which cuts long actions and the polling of logs.",
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
    "gateway-timeout-short",
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
    for backend in view.behaviour.backends:
        seen = set()
        for route in view.behaviour.routes_to(backend):
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


@rule(
    "proxy-timeout-short",
    Severity.WARNING,
    "A load balancer gives up before the backend answers",
    reason="A response must begin within 300 s (HTTP_SERVER_TIMEOUT_SECONDS). By default an ALB gives up after 60 s, "
    "HAProxy after 50 s, OpenShift's router and Google's load balancer after 30 s, which cuts long actions and the "
    "polling of logs; Google's cuts every websocket then, too.",
    basis="the server's time-outs; defaults of the controllers",
    parameter="ingress.annotations",
    change="raise the time-out to 300 s or more: idle_timeout.timeout_seconds, timeout-server, "
    "haproxy.router.openshift.io/timeout, or timeoutSec of a BackendConfig",
)
def proxy_timeout_short(view: View) -> Iterator[Hit]:
    """Controllers beside nginx with a short time-out in front of a backend."""
    seen = set()
    for backend in view.behaviour.backends:
        for route in view.behaviour.routes_to(backend):
            key = (route.source.kind, route.source.namespace, route.source.name)
            if key in seen or route.role not in ("api", "http actions"):
                continue
            seen.add(key)
            manifest = view.manifests.find(*key)
            said = _short(view, manifest, route) if manifest is not None else ""
            if manifest is not None and said:
                yield Hit(backend, source_of(manifest, "metadata", "annotations"), said)


def _short(view: View, manifest: Manifest, route: Route) -> str:
    annotations = mapping(dig(manifest, "metadata", "annotations"))
    if route.source.kind == "Route":
        return _too_short(annotations.get("haproxy.router.openshift.io/timeout"), 30, "the router's time-out")
    if route.source.kind != "Ingress":
        return ""
    name = ingress_class(manifest)
    if "alb" in name.split("-") or any(str(key).startswith("alb.ingress.") for key in annotations):
        attributes = text(annotations.get("alb.ingress.kubernetes.io/load-balancer-attributes"))
        match = re.search(r"idle_timeout\.timeout_seconds=([0-9]{1,9})", attributes)
        return _too_short(match[1] if match else None, 60, "the ALB's idle time-out")
    if "haproxy" in name:
        for key in ("haproxy.org/timeout-server", "haproxy-ingress.github.io/timeout-server"):
            if key in annotations:
                return _too_short(annotations[key], 50, "HAProxy's time-out for servers")
        return _too_short(None, 50, "HAProxy's time-out for servers")
    if name in ("gce", "gce-internal"):
        return _too_short(_of_backend_config(view, route), 30, "the time-out of Google's load balancer")
    return ""


def _too_short(value: object, default: int, what: str) -> str:
    seconds = default if value is None else _seconds(text(value))
    if seconds is None or seconds >= LEAST_TIMEOUT_S:
        return ""
    return f"{what} is {seconds} s{'' if value is not None else ', the default'}"


def _of_backend_config(view: View, route: Route) -> object:
    service = view.manifests.find("Service", route.source.namespace, route.service)
    named = text(mapping(dig(service, "metadata", "annotations")).get("cloud.google.com/backend-config"))
    names = re.findall(r":\s*\"([^\"]{1,253})\"", named[:1024])
    for name in names:
        config = view.manifests.find("BackendConfig", route.source.namespace, name)
        if config is None:
            return "unknown"
        if (seconds := dig(config, "spec", "timeoutSec")) is not None:
            return seconds
    return None


def _nginx(view: View) -> Iterator[tuple[Backend, Manifest]]:
    """The Ingresses of an nginx class that lead to a backend, each once."""
    seen = set()
    for backend in view.behaviour.backends:
        for route in view.behaviour.routes_to(backend):
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
