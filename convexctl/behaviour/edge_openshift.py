"""Routes of OpenShift's own kind Route."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.manifests import Manifest, dig, items, mapping, number, sequence, source_of, text
from convexctl.behaviour.model import Rewrite, Route, Target


def is_openshift(manifest: Manifest) -> bool:
    """Whether a Route is OpenShift's: other projects have kinds of that name."""
    return text(manifest.get("apiVersion")).startswith("route.openshift.io/") or "host" in mapping(manifest.get("spec"))


def openshift_route(targets: Targets, manifest: Manifest) -> Iterator[Route]:
    """One route for each Service that a Route names."""
    spec = mapping(manifest.get("spec"))
    annotations = mapping(dig(manifest, "metadata", "annotations"))
    value = text(annotations.get("haproxy.router.openshift.io/rewrite-target"))
    allowed = text(annotations.get("haproxy.router.openshift.io/ip_allowlist")) or text(
        annotations.get("haproxy.router.openshift.io/ip_whitelist")
    )
    for index, backend in enumerate([mapping(spec.get("to")), *map(mapping, sequence(spec.get("alternateBackends")))]):
        name = text(backend.get("name"))
        target, problem = _target(targets, source_of(manifest).namespace, name, dig(spec, "port", "targetPort"))
        yield Route(
            host=text(spec.get("host")),
            path=text(spec.get("path")) or "/",
            path_type="Prefix",
            service=name,
            service_port=text(dig(spec, "port", "targetPort")),
            target=target,
            problem=problem,
            tls=bool(mapping(spec.get("tls"))),
            rewrite=Rewrite("prefix", value) if value else None,
            filters=("an allow-list (ip_allowlist)",) if allowed else (),
            source=source_of(manifest, "spec", *(("alternateBackends", index - 1) if index else ("to",))),
        )


def _target(targets: Targets, namespace: str, name: str, wanted: object) -> tuple[Target | None, str]:
    """A Route names the port of the pods, or the Service's by name; without one the first counts."""
    service = targets.manifests.find("Service", namespace, name)
    if service is None:
        return None, f"Service {name} is not among the manifests"
    entries = [entry for _, entry in items(dig(service, "spec", "ports"))]
    for entry in entries:
        target, problem = targets.of_port(service, entry)
        named = wanted in (None, entry.get("name"), entry.get("targetPort"))
        if named or (target is not None and target.port == number(wanted)):
            return target, problem
    return None, f"Service {name} has no port {text(wanted)}"
