"""How a release is reached: its Ingress, or the origins without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convex_k8s.values.checks.ingress import INGRESS_CLASS_ANNOTATION

from convexctl.adopt.draft import Draft
from convexctl.adopt.release import Release
from convexctl.adopt.stores import secret_key
from convexctl.behaviour import Backend
from convexctl.behaviour.find import ACTIONS_PORT
from convexctl.behaviour.manifests import dig, items, mapping, text


def edge(draft: Draft, release: Release, backend: Backend) -> None:
    """Take over the hosts, the class and the certificates, or the origins if there is no Ingress."""
    ingress = next(iter(release.objects.of_kind("Ingress")), None)
    if ingress is None:
        draft.put("ingress.enabled", False, "the release has no Ingress")
        for key, decision in (("cloudOrigin", backend.cloud_origin), ("siteOrigin", backend.site_origin)):
            if decision.value and not secret_key(text(decision.value)):
                draft.put(f"convexConfig.{key}", decision.value, "as in the release")
        return
    why = "as the release's Ingress has it"
    draft.put("ingress.enabled", True, "the release has an Ingress")
    for name, host in _hosts(release, ingress):
        draft.put(f"ingress.{name}.host", host, why)
    tls = dig(ingress, "spec", "tls")
    if tls and not draft.get("ingress.tls"):
        draft.put("ingress.tls", tls, why)
    there = mapping(dig(ingress, "metadata", "annotations"))
    annotations = mapping(draft.get("ingress.annotations")) or there
    kept = {key: value for key, value in annotations.items() if key != INGRESS_CLASS_ANNOTATION}
    draft.put("ingress.annotations", kept)
    # Controllers take the annotation first, where both are there.
    by_annotation = text(there.get(INGRESS_CLASS_ANNOTATION))
    if in_use := by_annotation or text(dig(ingress, "spec", "ingressClassName")):
        draft.put("ingress.className", in_use, "the class that the release's Ingress has")


def _hosts(release: Release, ingress: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The hosts of an Ingress, by what the overlay calls them."""
    for _, rule in items(dig(ingress, "spec", "rules")):
        for _, path in items(dig(rule, "http", "paths")):
            service = dig(path, "backend", "service")
            port = text(dig(service, "port", "name") or dig(service, "port", "number"))
            name = text(dig(service, "name"))
            if name == f"{release.name}-dashboard-svc":
                yield "dashboard", text(rule.get("host"))
            elif name == f"{release.name}-backend-svc":
                yield ("site" if port in _actions_ports(release, name) else "backend"), text(rule.get("host"))


def _actions_ports(release: Release, name: str) -> set[str]:
    """Name and number of the port of HTTP actions on a Service of the backend."""
    service = release.objects.find("Service", release.namespace, name)
    for _, port in items(dig(service, "spec", "ports")):
        if text(port.get("targetPort") or port.get("port")) in ("http-actions", str(ACTIONS_PORT)):
            return {text(port.get("name")), text(port.get("port"))}
    return set()
