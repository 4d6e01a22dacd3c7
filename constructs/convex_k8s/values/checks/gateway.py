"""Checks of the Gateway API: parents, listeners, and what Ingress and Gateway must say alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem
from convex_k8s.values.checks.ingress import covers, path_problems, site_problems
from convex_k8s.values.public_hosts import PublicHosts

if TYPE_CHECKING:
    from convex_k8s.values import Values
    from convex_k8s.values.gateway import GatewayHost, Listener


def _parents(values: Values) -> Iterator[Problem]:
    gateway = values.gateway
    if not gateway.enabled:
        return
    if not gateway.parent_refs and not gateway.create.class_name:
        yield Problem(
            ("gateway", "parentRefs"),
            "is empty, so no Gateway would serve the routes: name one, or set gateway.create.className to make one",
            (("gateway", "create", "className"),),
        )
    if (gateway.create.listeners or gateway.create.annotations) and not gateway.create.class_name:
        path: Path = ("gateway", "create", "className")
        yield Problem(path, "is missing: a Gateway needs the GatewayClass of the controller that serves it")


def _hosts(values: Values) -> Iterator[Problem]:
    if not values.gateway.enabled:
        return
    hosts = PublicHosts.of(values, "gateway")
    hidden = not (values.dashboard.enabled and values.gateway.dashboard.enabled and values.ingress.dashboard.enabled)
    for name, what in (("dashboard", "dashboard"), ("backend", "API")):
        if not getattr(hosts, name) and not (name == "dashboard" and hidden):
            yield Problem(
                ("gateway", name, "host"),
                f"is missing while gateway.enabled is true: set the public host name of the {what}, here or in "
                f"ingress.{name}.host",
                (("gateway", "enabled"), ("ingress", name, "host")),
            )


def _served(values: Values) -> list[tuple[str, GatewayHost]]:
    named = [(role, getattr(values.gateway, role)) for role in ("dashboard", "backend", "site")]
    return [(role, host) for role, host in named if values.gateway.enabled and host.host]


def _paths(values: Values) -> Iterator[Problem]:
    yield from path_problems("gateway", _served(values))
    yield from site_problems("gateway", _served(values))


def _agree(values: Values) -> Iterator[Problem]:
    """While a deployment moves over, both edges serve the same hosts: the pods know one set of URLs."""
    if not (values.ingress.enabled and values.gateway.enabled):
        return
    ingress, gateway = PublicHosts.of(values, "ingress"), PublicHosts.of(values, "gateway")
    for role in ("dashboard", "backend", "site"):
        own = getattr(values.gateway, role).host
        if own and getattr(ingress, role) and own != getattr(ingress, role):
            yield Problem(
                ("gateway", role, "host"),
                f"is {own}, but ingress.{role}.host is {getattr(ingress, role)}, and both are on: they must agree",
                (("ingress", role, "host"),),
            )
    for role, attribute in (("backend", "cloud_origin"), ("site", "site_origin")):
        if getattr(values.gateway, role).origin and getattr(ingress, attribute) != getattr(gateway, attribute):
            yield Problem(
                ("gateway", role, "origin"),
                f"is {getattr(gateway, attribute)}, but the Ingress has {getattr(ingress, attribute)}, and both are "
                "on: they must agree",
                (("ingress", role, "host"), ("ingress", role, "origin")),
            )


def _listeners(values: Values) -> Iterator[Problem]:
    gateway = values.gateway
    names = [listener.name for listener in gateway.create.listeners]
    for index, listener in enumerate(gateway.create.listeners):
        path: Path = ("gateway", "create", "listeners", index)
        if listener.name in names[:index]:
            yield Problem((*path, "name"), f"is {listener.name}, which another listener has already")
        yield from _conflict(gateway.create.listeners[:index], listener, path)
        if listener.protocol == "HTTP" and listener.tls.certificate_refs:
            yield Problem((*path, "tls"), "goes with protocol HTTPS only", ((*path, "protocol"),))
        for number, reference in enumerate(listener.tls.certificate_refs):
            if reference.namespace and not values.namespace:
                yield Problem(
                    (*path, "tls", "certificateRefs", number, "namespace"),
                    "needs a ReferenceGrant, which must name the environment's namespace: set namespace",
                    (("namespace",),),
                )


def _conflict(before: list[Listener], listener: Listener, path: Path) -> Iterator[Problem]:
    """What keeps a listener from sharing its port with one before it."""
    for other in before:
        if other.port == listener.port and other.protocol != listener.protocol:
            yield Problem(
                (*path, "port"),
                f"is {listener.port}, which listener {other.name} has with protocol {other.protocol}: a port has one "
                "protocol",
            )
            return
        if other.port == listener.port and other.hostname == listener.hostname:
            place = "hostname" if listener.hostname else "port"
            yield Problem((*path, place), f"has the same host and port as listener {other.name}: remove one of them")
            return


def _unserved(values: Values) -> Iterator[Problem]:
    """Hosts that no listener of the environment's own Gateway takes."""
    gateway = values.gateway
    if not gateway.enabled or not gateway.create.listeners or gateway.parent_refs:
        return
    patterns = [listener.hostname for listener in gateway.create.listeners]
    for served in PublicHosts.of(values, "gateway"):
        if not any(pattern is None or covers(pattern, served.host) for pattern in patterns):
            yield Problem(
                ("gateway", "create", "listeners"),
                f"has no listener that takes {served.host}: add one, or leave listeners out",
                (("gateway", served.role, "host"),),
            )


ERRORS = (_parents, _hosts, _paths, _agree, _listeners, _unserved)
WARNINGS = ()
