"""Checks of the Ingress: its hosts, paths, class and certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values
    from convex_k8s.values.ingress import EdgeHost, IngressHost, IngressTls
    from convex_k8s.values.public_hosts import PublicHost, PublicHosts


INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
LOCKING_ANNOTATIONS = (
    "nginx.ingress.kubernetes.io/auth-url",
    "nginx.ingress.kubernetes.io/auth-type",
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/whitelist-source-range",
    "nginx.ingress.kubernetes.io/allowlist-source-range",
    "nginx.ingress.kubernetes.io/denylist-source-range",
    "haproxy.org/auth-type",
    "haproxy.org/allow-list",
    "haproxy.org/whitelist",
    "haproxy-ingress.github.io/auth-url",
    "haproxy-ingress.github.io/auth-secret",
    "haproxy-ingress.github.io/allowlist-source-range",
    "alb.ingress.kubernetes.io/auth-type",
    "alb.ingress.kubernetes.io/inbound-cidrs",
)
"""Logins and allow-lists: on the API's host they lock out clients, command line, webhooks and the pod's own calls."""


def _hosts(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled:
        return
    for name in ("dashboard", "backend"):
        hidden = name == "dashboard" and not (values.dashboard.enabled and values.ingress.dashboard.enabled)
        if not getattr(values.ingress, name).host and not hidden:
            yield Problem(
                ("ingress", name, "host"),
                f"is missing while ingress.enabled is true: set the public host name of the "
                f"{'API' if name == 'backend' else name}",
                (("ingress", "enabled"),),
            )


def _served(values: Values) -> list[tuple[str, IngressHost]]:
    hosts = values.public_hosts
    if not values.ingress.enabled or hosts is None:
        return []
    return [(served.role, getattr(values.ingress, served.role)) for served in _in_file_order(hosts)]


def _in_file_order(hosts: PublicHosts) -> list[PublicHost]:
    return sorted(hosts, key=lambda served: ("dashboard", "backend", "site").index(served.role))


def _paths(values: Values) -> Iterator[Problem]:
    yield from path_problems("ingress", _served(values))


def path_problems(edge: str, served: Sequence[tuple[str, EdgeHost]]) -> Iterator[Problem]:
    """What is wrong with the paths of an edge's hosts. Dashboard and API may share a host."""
    taken: dict[tuple[str, str], str] = {}
    for name, host in served:
        if not host.paths:
            yield Problem((edge, name, "paths"), "is empty, so nothing would be served: write [{path: /}]")
        for index, entry in enumerate(host.paths):
            path: Path = (edge, name, "paths", index, "path")
            if entry.path != "/" and name in ("dashboard", "backend"):
                what = "dashboard" if name == "dashboard" else "API"
                yield Problem(path, f"must be /: the {what} does not work under a sub-path, give it a host of its own")
                continue
            if entry.path == "/" and entry.path_type == "Exact":
                yield Problem(
                    (edge, name, "paths", index, "pathType"),
                    "is Exact, which serves / alone and nothing below it: write Prefix",
                    (path,),
                )
            here = f"{edge}.{name}.paths[{index}]"
            owner = taken.setdefault((host.host, entry.path), here)
            same = owner.split(".")[1]
            if owner != here and {same, name} != {"dashboard", "backend"}:
                cure = "remove one" if same == name else "give each a host of its own"
                yield Problem(
                    path if same == name else (edge, name, "host"),
                    f"makes a second rule for {host.host}{entry.path}, which {owner} has already: {cure}",
                    ((edge, same, "host"), (edge, same, "paths"), (edge, name, "paths")),
                )


def _site(values: Values) -> Iterator[Problem]:
    yield from site_problems("ingress", _served(values))


def site_problems(edge: str, served: Sequence[tuple[str, EdgeHost]]) -> Iterator[Problem]:
    """HTTP actions on a host that is the API's or the dashboard's."""
    hosts = dict(served)
    site = hosts.get("site")
    if site is None or any(entry.path == "/" for entry in site.paths):
        return
    cures = {
        "backend": "HTTP actions are served there under /http already, so leave it empty",
        "dashboard": "HTTP actions need a host of their own",
    }
    for name, cure in cures.items():
        if name in hosts and hosts[name].host == site.host:
            what = "API" if name == "backend" else name
            yield Problem(
                (edge, "site", "host"),
                f"is the {what}'s host as well, and HTTP actions would be looked for at its root: {cure}",
                ((edge, name, "host"), (edge, "site", "paths")),
            )


def _tls(values: Values) -> Iterator[Problem]:
    served = [(name, host) for name, host in _served(values) if host.host]
    if not {"backend", "dashboard"} <= {name for name, _ in served} and values.ingress.dashboard.enabled:
        return
    everywhere = {host.host for _, host in served}
    yield from _astray(("ingress", "tls"), values.ingress.tls, everywhere)
    for name, host in served:
        yield from _astray(("ingress", name, "tls"), host.tls, {host.host})


def _astray(path: Path, entries: list[IngressTls], served: set[str]) -> Iterator[Problem]:
    for index, entry in enumerate(entries):
        for number, host in enumerate(entry.hosts):
            if host not in served and not any(covers(host, name) for name in served):
                yield Problem(
                    (*path, index, "hosts", number),
                    f"has no rule that serves {host}: the hosts are {', '.join(sorted(served)) or 'not set'}",
                    (("ingress", "dashboard", "host"), ("ingress", "backend", "host"), ("ingress", "site", "host")),
                )


def covers(certificate: str, host: str) -> bool:
    """Whether a certificate for one name, perhaps with a wildcard, is good for a host."""
    return certificate == host or (certificate.startswith("*.") and host.partition(".")[2] == certificate[2:])


def _ingress_class(values: Values) -> Iterator[Problem]:
    annotated = values.ingress.annotations.get(INGRESS_CLASS_ANNOTATION)
    name = values.ingress.class_name
    if annotated and name and annotated != name:
        yield Problem(
            ("ingress", "annotations", INGRESS_CLASS_ANNOTATION),
            f"says {annotated}, but ingress.className says {name}: remove the annotation, className does its work",
            (("ingress", "className"),),
        )
    for role, host in _served(values):
        if INGRESS_CLASS_ANNOTATION in host.annotations:
            path: Path = ("ingress", role, "annotations", INGRESS_CLASS_ANNOTATION)
            yield Problem(path, f"names a class: write it as ingress.{role}.className")


def _issuers(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if ingress.cert_manager.cluster_issuer and ingress.cert_manager.issuer:
        path: Path = ("ingress", "certManager", "issuer")
        yield Problem(path, "is set beside clusterIssuer, and a certificate has one issuer: remove one of them")
    if not ingress.cert_manager.annotations:
        return
    annotated: list[tuple[Path, Mapping[str, str]]] = [(("ingress", "annotations"), ingress.annotations)]
    annotated += [(("ingress", role, "annotations"), host.annotations) for role, host in _served(values)]
    for path, given in annotated:
        for key in ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer"):
            if key in given:
                yield Problem((*path, key), "says what ingress.certManager says: remove one", (path[:1],))


def _plain_http(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    hosts = values.public_hosts
    if not ingress.enabled or hosts is None or ingress.cert_manager.annotations:
        return
    plain = {host for host, origin in _public_urls(values).items() if not origin.startswith(f"https://{host}")}
    served = [(name, host) for name, host in _served(values) if host.host not in plain]
    if served and not ingress.tls and not any(host.tls for _, host in served):
        yield Problem(
            ("ingress", "tls"),
            "is empty, but the public URLs are https: add the certificates, unless something in front terminates TLS",
        )
        return
    for name, host in served:
        certified = [known for entry in host.tls or ingress.tls for known in entry.hosts]
        if not any(covers(known, host.host) for known in certified):
            where = f"ingress.{name}.tls" if host.tls else "ingress.tls"
            yield Problem(("ingress", name, "host"), f"{host.host} is in no entry of {where}")


def _public_urls(values: Values) -> dict[str, str]:
    """Each host with the URL that the world knows; a dashboard follows the API where that is plain http."""
    hosts = values.public_hosts
    if hosts is None:
        return {}
    scheme = "http" if hosts.cloud_origin.startswith("http://") else "https"
    urls = {hosts.dashboard: f"{scheme}://{hosts.dashboard}", hosts.backend: hosts.cloud_origin}
    return {**urls, hosts.site: hosts.site_origin} if hosts.site else urls


def _locked_out(values: Values) -> Iterator[Problem]:
    """A login or allow-list that covers the API too."""
    for path, given in (
        (("ingress", "annotations"), values.ingress.annotations),
        (("ingress", "backend", "annotations"), values.ingress.backend.annotations),
        (("ingress", "site", "annotations"), values.ingress.site.annotations),
    ):
        for key in LOCKING_ANNOTATIONS:
            if values.ingress.enabled and key in given:
                yield Problem(
                    (*path, key),
                    f"covers the API's host {values.ingress.backend.host} or HTTP actions too, and locks clients, npx "
                    "convex, webhooks and the pod's own calls out: for the dashboard alone write it under "
                    "ingress.dashboard.annotations",
                )


def _strict_transport(values: Values) -> Iterator[Problem]:
    """The dashboard's HSTS header holds for every name below its host."""
    hosts = values.public_hosts
    if hosts is None or not hosts.dashboard:
        return
    edge = "gateway" if hosts.edge == "gateway" and values.gateway.dashboard.host else "ingress"
    if hosts.dashboard.count(".") == 1:
        yield Problem(
            (edge, "dashboard", "host"),
            "is an apex: the dashboard sends HSTS with includeSubDomains and preload, so that a browser which has "
            f"seen it refuses plain http for every name below {hosts.dashboard}, for two years; give it a host like "
            f"dashboard.{hosts.dashboard}",
        )


ERRORS = (_hosts, _paths, _site, _tls, _ingress_class, _issuers)
WARNINGS = (_plain_http, _locked_out, _strict_transport)
