"""Routes of an Ingress, with what the annotations of its controller make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.edge_traefik import middlewares
from convexctl.behaviour.manifests import Manifest, dig, mapping, sequence, source_of, text
from convexctl.behaviour.model import Rewrite, Route

_NGINX = "nginx.ingress.kubernetes.io/"
_TRAEFIK = "traefik.ingress.kubernetes.io/router."
_UNREAD_REWRITES = re.compile(
    r"haproxy\.org/path-rewrite|haproxy(-ingress\.github\.io|\.router\.openshift\.io)/rewrite-target|nginx\.org/rewrites|"
    r"(nginx\.ingress\.kubernetes\.io|nginx\.org)/(configuration|server|location)-snippets?|"
    r"appgw\.ingress\.kubernetes\.io/backend-path-prefix|konghq\.com/plugins|alb\.ingress\.kubernetes\.io/transforms\..*"
)
"""Annotations that may change a path in a way that is not read."""
_OWN_TLS = re.compile(
    r"alb\.ingress\.kubernetes\.io/(certificate-arn|listen-ports|ssl-redirect)|networking\.gke\.io/managed-certificates|"
    r"ingress\.gcp\.kubernetes\.io/pre-shared-cert|appgw\.ingress\.kubernetes\.io/appgw-ssl-certificate|"
    r"kubernetes\.azure\.com/tls-cert-keyvault-uri"
)
"""Annotations by which a controller has the host's certificate without `tls` in the Ingress."""
_TUNNELS = ("cloudflare", "ngrok")


def ingress_class(ingress: Manifest) -> str:
    """The name of an Ingress's class, from its field or the old annotation."""
    annotations = mapping(dig(ingress, "metadata", "annotations"))
    return text(dig(ingress, "spec", "ingressClassName")) or text(annotations.get("kubernetes.io/ingress.class"))


def ingress(targets: Targets, manifest: Manifest) -> Iterator[Route]:
    """The routes of an Ingress."""
    namespace = source_of(manifest).namespace
    spec = mapping(manifest.get("spec"))
    tailnet = ingress_class(manifest) == "tailscale"
    rewrite, filters = _changes(targets, manifest)
    common: dict[str, Any] = {"filters": filters, "tailnet": tailnet and not _funnel(manifest), "by_label": tailnet}
    if default := mapping(dig(spec, "defaultBackend", "service")):
        name = text(default.get("name"))
        target, problem = targets.service(namespace, name, mapping(default.get("port")))
        yield Route(
            host=_tailscale_host(manifest) if tailnet else "",
            path="/",
            path_type="Prefix",
            service=name,
            service_port=_shown(default),
            target=target,
            problem=problem,
            tls=tailnet or _own_tls(manifest),
            rewrite=rewrite,
            source=source_of(manifest, "spec", "defaultBackend"),
            **common,
        )
    for rule_index, rule in enumerate(sequence(spec.get("rules"))):
        host = _tailscale_host(manifest) if tailnet else text(mapping(rule).get("host"))
        for path_index, entry in enumerate(sequence(dig(rule, "http", "paths"))):
            service = mapping(dig(entry, "backend", "service"))
            target, problem = targets.service(namespace, text(service.get("name")), mapping(service.get("port")))
            yield Route(
                host=host,
                path=text(mapping(entry).get("path")) or "/",
                path_type=text(mapping(entry).get("pathType")) or "ImplementationSpecific",
                service=text(service.get("name")),
                service_port=_shown(service),
                target=target,
                problem=problem,
                tls=tailnet or _own_tls(manifest) or _tls(spec, host),
                rewrite=_strip_of_kong(manifest) or rewrite,
                source=source_of(manifest, "spec", "rules", rule_index, "http", "paths", path_index),
                **common,
            )


def _changes(targets: Targets, manifest: Manifest) -> tuple[Rewrite | None, tuple[str, ...]]:
    """What the annotations make of every path, and what they put in front of the Services."""
    annotations = mapping(dig(manifest, "metadata", "annotations"))
    filters = tuple(_nginx_filters(annotations))
    if target := text(annotations.get(f"{_NGINX}rewrite-target")):
        return Rewrite("expression", target), filters
    if any(_UNREAD_REWRITES.fullmatch(str(key)) for key in annotations):
        return Rewrite("unknown"), filters
    names = [name.strip() for name in text(annotations.get(f"{_TRAEFIK}middlewares")).split(",") if name.strip()]
    rewrite, more = middlewares(targets.manifests, names, source_of(manifest).namespace)
    return rewrite, (*filters, *more)


def _nginx_filters(annotations: Mapping[str, Any]) -> Iterator[str]:
    for key, what in (
        ("auth-url", "a login (auth-url)"),
        ("auth-type", "a login (auth-type)"),
        ("auth-tls-secret", "client certificates (auth-tls-secret)"),
        ("whitelist-source-range", "an allow-list (whitelist-source-range)"),
        ("allowlist-source-range", "an allow-list (allowlist-source-range)"),
    ):
        values = {value.strip() for value in text(annotations.get(f"{_NGINX}{key}")).split(",")}
        if values - {"", "off"} and "0.0.0.0/0" not in values:
            yield what
    if text(annotations.get(f"{_NGINX}enable-cors")) == "true":
        allowed = text(annotations.get(f"{_NGINX}cors-allow-headers")).lower()
        if "convex-client" not in allowed and allowed.strip() != "*":
            yield "a CORS filter without the header Convex-Client (enable-cors)"
    for key in ("haproxy.org/auth-type", "haproxy-ingress.github.io/auth-url", "alb.ingress.kubernetes.io/auth-type"):
        if text(annotations.get(key)) not in ("", "none"):
            yield f"a login ({key.partition('/')[2]})"
    for key in ("haproxy.org/allow-list", "haproxy.org/whitelist", "haproxy-ingress.github.io/allowlist-source-range"):
        if text(annotations.get(key)):
            yield f"an allow-list ({key.partition('/')[2]})"


def _strip_of_kong(manifest: Manifest) -> Rewrite | None:
    annotations = mapping(dig(manifest, "metadata", "annotations"))
    return Rewrite("prefix", "/") if text(annotations.get("konghq.com/strip-path")) == "true" else None


def _own_tls(manifest: Manifest) -> bool:
    annotations = mapping(dig(manifest, "metadata", "annotations"))
    if any(_OWN_TLS.fullmatch(str(key)) for key in annotations):
        return True
    on_tls = "websecure" in text(annotations.get(f"{_TRAEFIK}entrypoints"))
    tunnel = any(word in ingress_class(manifest) for word in _TUNNELS)
    return tunnel or on_tls or text(annotations.get(f"{_TRAEFIK}tls")) == "true"


def _tls(spec: Mapping[str, Any], host: str) -> bool:
    for entry in map(mapping, sequence(spec.get("tls"))):
        hosts = [text(its_host) for its_host in sequence(entry.get("hosts"))]
        if not hosts or any(covers(its_host, host) for its_host in hosts):
            return True
    return False


def covers(pattern: str, host: str) -> bool:
    """Whether a host of a certificate or listener, perhaps a wildcard, covers a host."""
    if pattern.startswith("*."):
        return host == pattern or host.partition(".")[2] == pattern[2:]
    return pattern in ("", host)


def _tailscale_host(manifest: Manifest) -> str:
    """The label under which a tailnet knows the Ingress: it becomes `<label>.<tailnet>.ts.net`."""
    hosts = [
        text(host) for entry in sequence(dig(manifest, "spec", "tls")) for host in sequence(mapping(entry).get("hosts"))
    ]
    if hosts and hosts[0]:
        return hosts[0].partition(".")[0]
    place = source_of(manifest)
    return f"{place.namespace or 'default'}-{place.name}-ingress"


def _funnel(manifest: Manifest) -> bool:
    return text(mapping(dig(manifest, "metadata", "annotations")).get("tailscale.com/funnel")) == "true"


def _shown(service: Mapping[str, Any]) -> str:
    port = mapping(service.get("port"))
    return text(port.get("name")) or text(port.get("number"))
