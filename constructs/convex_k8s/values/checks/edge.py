"""Checks of Services, Ingress and origins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values
    from convex_k8s.values.edge import IngressHost


INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def _ports(values: Values) -> Iterator[Problem]:
    service = values.service.backend
    if service.port == service.actions_port:
        yield Problem(
            ("service", "backend", "actionsPort"),
            f"is {service.port}, as service.backend.port is already: API and HTTP actions need a port each",
            (("service", "backend", "port"),),
        )


def _hosts(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled:
        return
    for name in ("dashboard", "backend"):
        if not getattr(values.ingress, name).host:
            yield Problem(
                ("ingress", name, "host"),
                f"is missing while ingress.enabled is true: set the public host name of the "
                f"{'API' if name == 'backend' else name}",
                (("ingress", "enabled"),),
            )


def _served(values: Values) -> list[tuple[str, IngressHost]]:
    ingress = values.ingress
    named = (("dashboard", ingress.dashboard), ("backend", ingress.backend), ("site", ingress.site))
    return [(name, host) for name, host in named if host.host]


def _paths(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled:
        return
    taken: dict[tuple[str, str], str] = {}
    for name, host in _served(values):
        if not host.paths:
            yield Problem(("ingress", name, "paths"), "is empty, so nothing would be served: write [{path: /}]")
        for index, entry in enumerate(host.paths):
            path: Path = ("ingress", name, "paths", index, "path")
            if entry.path != "/" and name in ("dashboard", "backend"):
                what = "dashboard" if name == "dashboard" else "API"
                yield Problem(path, f"must be /: the {what} does not work under a sub-path, give it a host of its own")
                continue
            if entry.path == "/" and entry.path_type == "Exact":
                yield Problem(
                    ("ingress", name, "paths", index, "pathType"),
                    "is Exact, which serves / alone and nothing below it: write Prefix",
                    (path,),
                )
            owner = taken.setdefault((host.host, entry.path), f"ingress.{name}.paths[{index}]")
            if owner != f"ingress.{name}.paths[{index}]":
                same = owner.split(".")[1]
                cure = "remove one" if same == name else "give each a host of its own"
                yield Problem(
                    path if same == name else ("ingress", name, "host"),
                    f"makes a second rule for {host.host}{entry.path}, which {owner} has already: {cure}",
                    (("ingress", same, "host"), ("ingress", same, "paths"), ("ingress", name, "paths")),
                )


def _site(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not ingress.enabled or not ingress.site.host or any(entry.path == "/" for entry in ingress.site.paths):
        return
    cures = {
        "backend": "HTTP actions are served there under /http already, so leave it empty",
        "dashboard": "HTTP actions need a host of their own",
    }
    for name, cure in cures.items():
        if getattr(ingress, name).host == ingress.site.host:
            what = "API" if name == "backend" else name
            yield Problem(
                ("ingress", "site", "host"),
                f"is the {what}'s host as well, and HTTP actions would be looked for at its root: {cure}",
                (("ingress", name, "host"), ("ingress", "site", "paths")),
            )


def _tls(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not (ingress.enabled and ingress.dashboard.host and ingress.backend.host):
        return
    served = {host.host for _, host in _served(values)}
    for index, entry in enumerate(ingress.tls):
        for number, host in enumerate(entry.hosts):
            if host not in served and not any(_covers(host, name) for name in served):
                yield Problem(
                    ("ingress", "tls", index, "hosts", number),
                    f"has no rule that serves {host}: the hosts are {', '.join(sorted(served)) or 'not set'}",
                    (("ingress", "dashboard", "host"), ("ingress", "backend", "host"), ("ingress", "site", "host")),
                )


def _covers(certificate: str, host: str) -> bool:
    return certificate.startswith("*.") and host.partition(".")[2] == certificate[2:]


def _ingress_class(values: Values) -> Iterator[Problem]:
    annotated = values.ingress.annotations.get(INGRESS_CLASS_ANNOTATION)
    name = values.ingress.class_name
    if annotated and name and annotated != name:
        yield Problem(
            ("ingress", "annotations", INGRESS_CLASS_ANNOTATION),
            f"says {annotated}, but ingress.className says {name}: remove the annotation, className does its work",
            (("ingress", "className"),),
        )


def _local_origins(values: Values) -> Iterator[Problem]:
    """The pod calls its own origins, and on localhost it finds there what the image serves and nothing else."""
    if values.ingress.enabled:
        return
    for key, origin, served, what in (
        ("cloudOrigin", values.convex_config.cloud_origin, ("3210",), "the API, so callbacks of Node actions fail"),
        (
            "siteOrigin",
            values.convex_config.site_origin,
            ("3211", "3210/http"),
            "HTTP actions, so OIDC discovery fails",
        ),
    ):
        host = re.match(r"https?://(localhost|127(?:\.[0-9]+){3})(?![-.\w])", origin)
        if host and origin not in (right := [f"http://{host[1]}:{port}" for port in served]):
            yield Problem(
                ("convexConfig", key),
                f"is {origin}, where the pod itself, which calls it too, does not find {what}: write "
                f"{' or '.join(right)} and forward that port",
            )


def _plain_http(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not ingress.enabled:
        return
    if not ingress.tls:
        yield Problem(
            ("ingress", "tls"),
            "is empty, but the public URLs are https: add the certificates, unless something in front terminates TLS",
        )
        return
    certified = [host for entry in ingress.tls for host in entry.hosts]
    for name, host in _served(values):
        if not any(host.host == known or _covers(known, host.host) for known in certified):
            yield Problem(("ingress", name, "host"), f"{host.host} is in no entry of ingress.tls")


ERRORS = (_ports, _hosts, _paths, _site, _tls, _ingress_class)
WARNINGS = (_plain_http, _local_origins)
