"""The part of an environment's README about who calls whom: what a firewall or NetworkPolicy must let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from convexctl.behaviour import Backend, Behaviour
from convexctl.synth.readme_objects import Objects, name_of
from convexctl.wording import cell

DATABASE_PORTS = {"postgres": 5432, "mysql": 3306}


def flows(objects: Objects, behaviour: Behaviour) -> str:
    """The table of flows."""
    rows = [*_inwards(objects, behaviour), *_outwards(objects, behaviour)]
    policies = [manifest for manifest in objects.all if manifest["kind"] == "NetworkPolicy"]
    if policies:
        names = ", ".join(f"`{name_of(policy)}`" for policy in policies)
        said = f"The NetworkPolicies {names} limit these connections, if the cluster's network enforces them."
    else:
        said = "No NetworkPolicy limits these connections. `networkPolicy.enabled` makes NetworkPolicies that do."
    table = "\n".join(f"| {cell(who)} | {cell(whom)} | {port} |" for who, whom, port in rows)
    return f"## Who calls whom\n\n| from | to | port |\n|---|---|---|\n{table}\n\n{said}"


def _inwards(objects: Objects, behaviour: Behaviour) -> Iterator[tuple[str, str, str]]:
    edge = " or ".join(
        [*(["Ingress controller"] if objects.ingresses else []), *(["Gateway"] if objects.http_routes else [])]
    )
    ports: dict[str, set[int]] = {"backend": set(), "dashboard": set()}
    for route in behaviour.routes:
        if route.role and route.target:
            ports["dashboard" if route.role == "dashboard" else "backend"].add(route.target.port)
    for component, numbers in ports.items():
        if numbers:
            yield edge, component, ", ".join(map(str, sorted(numbers)))
    for route in behaviour.exposed:
        if route.role and route.target:
            yield f"everybody, by Service `{route.service}`", route.role, str(route.target.port)
    if any(backend.metrics.value is True for backend in behaviour.backends):
        yield "Prometheus", "backend, `/metrics`", "3210"
    yield "kubelet", "backend: probes, `kubectl port-forward`", "3210, 3211"
    for dashboard in behaviour.dashboards:
        yield "kubelet", "dashboard: probes, `kubectl port-forward`", str(dashboard.port.value)


def _outwards(objects: Objects, behaviour: Behaviour) -> Iterator[tuple[str, str, str]]:
    yield "backend", "DNS of the cluster", "53"
    for backend in behaviour.backends:
        yield from _stores(backend)
    data = objects.config["data"]
    for origin in dict.fromkeys((data["CONVEX_CLOUD_ORIGIN"], data["CONVEX_SITE_ORIGIN"].removesuffix("/http"))):
        parts = urlsplit(origin)
        if parts.hostname not in ("localhost", "127.0.0.1"):
            port = parts.port or (80 if parts.scheme == "http" else 443)
            yield "backend", f"its own public URL <{origin}>", str(port)
    yield "backend", "whatever your functions call", "any"
    for manifest in objects.all:
        if manifest["kind"] in ("Job", "CronJob"):
            yield f"{manifest['kind']} `{name_of(manifest)}`", *_called_by(manifest)


def _called_by(job: Mapping[str, Any]) -> tuple[str, str]:
    """Whom a Job calls, and on which port. Those that call the API server have a token for it."""
    spec = job["spec"]["jobTemplate"]["spec"] if job["kind"] == "CronJob" else job["spec"]
    if spec["template"]["spec"].get("automountServiceAccountToken") is False:
        return "backend", "3210"
    return "API server of the cluster", "443"


def _stores(backend: Backend) -> Iterator[tuple[str, str, str]]:
    if port := DATABASE_PORTS.get(str(backend.engine.value)):
        yield "backend", backend.engine.text, f"{port}, or as the URL says"
    if backend.files.value == "s3":
        endpoint = urlsplit(str(backend.s3_endpoint.value) if backend.s3_endpoint else "")
        if endpoint.hostname and endpoint.scheme in ("http", "https"):
            port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
            yield "backend", f"S3 at {endpoint.netloc}", str(port)
        else:
            yield "backend", "S3", "443, or as its URL says"
