"""The picture in an environment's README."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from convexctl.behaviour import Behaviour
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.readme_objects import Objects, name_of


def picture(objects: Objects, behaviour: Behaviour) -> str:
    """A Mermaid picture of the objects, and of the way that a request takes."""
    backend, service = name_of(objects.backend), name_of(objects.backend_service)
    lines = [
        "```mermaid",
        "flowchart LR",
        "  client([your app])",
        "  browser([browser])",
        f'  backendService["Service {service}"] --> backend["StatefulSet {backend}"]',
    ]
    services = {service: "backendService"}
    if objects.dashboard and objects.dashboard_service:
        service, dashboard = name_of(objects.dashboard_service), name_of(objects.dashboard)
        lines.append(f'  dashboardService["Service {service}"] --> dashboard["Deployment {dashboard}"]')
        services[service] = "dashboardService"
    else:
        lines.remove("  browser([browser])")
    lines += _edge(objects, behaviour, services)
    lines.append(f'  config["ConfigMap {name_of(objects.config)}"] -.-> backend')
    for number, secret in enumerate(needed_secrets(objects.all)):
        if secret.use in ("variable", "file", "all keys"):
            lines.append(f'  secret{number}[/"Secret {secret.name}"/] -.-> backend')
    for model in behaviour.backends:
        if model.engine and model.engine.value != "sqlite":
            server = f"Cluster {name_of(objects.clusters[0])}" if objects.clusters else model.engine.text
            lines.append(f'  backend --> database[("{_label(server)}")]')
        if model.files and model.files.value == "s3" and model.buckets:
            lines.append(f'  backend --> files[("S3: {_label(model.buckets.text)}")]')
    if objects.claim:
        lines.append(f'  backend --> volume[("volume claim {objects.claim}")]')
    lines.append("```")
    unique = list(dict.fromkeys(lines))
    return "\n".join(unique)


def _edge(objects: Objects, behaviour: Behaviour, services: dict[str, str]) -> Iterator[str]:
    """The way of a request from the outside to the Services."""
    ids = {}
    scheme = urlsplit(objects.config["data"]["CONVEX_CLOUD_ORIGIN"]).scheme
    for number, manifest in enumerate(objects.edge):
        place = (manifest["kind"], name_of(manifest))
        ids[place] = f"{manifest['kind'].lower()}{number or ''}"
        yield f'  {ids[place]}["{" ".join(place)}"]'
    reached = set()
    for route in behaviour.routes:
        way = ids[route.source.kind, route.source.name]
        who = "browser" if route.role == "dashboard" and objects.dashboard else "client"
        target = services.get(route.service, "nowhere")
        reached.add(target)
        yield f'  {who} -->|"{scheme}://{route.host}{route.path}"| {way}'
        yield f'  {way} -->|"{route.role or "nowhere"}"| {target}'
    for service, who in (("backendService", "client"), ("dashboardService", "browser")):
        if service in services.values() and service not in reached:
            yield f"  {who} -->|port-forward| {service}"


def _label(text: str) -> str:
    return text.replace('"', "'").replace("`", "")
