"""The picture in an environment's README."""

from __future__ import annotations

from convexctl.behaviour import Behaviour
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.readme_objects import Objects, name_of


def picture(objects: Objects, behaviour: Behaviour) -> str:
    """A Mermaid picture of the objects, and of the way that a request takes."""
    backend, dashboard = name_of(objects.backend), name_of(objects.dashboard)
    lines = [
        "```mermaid",
        "flowchart LR",
        "  client([your app])",
        "  browser([browser])",
        f'  backendService["Service {name_of(objects.backend_service)}"] --> backend["StatefulSet {backend}"]',
        f'  dashboardService["Service {name_of(objects.dashboard_service)}"] --> dashboard["Deployment {dashboard}"]',
    ]
    services = {
        name_of(objects.backend_service): "backendService",
        name_of(objects.dashboard_service): "dashboardService",
    }
    if objects.ingress:
        lines.append(f'  ingress["Ingress {name_of(objects.ingress)}"]')
        for route in behaviour.routes:
            who = "browser" if route.role == "dashboard" else "client"
            lines.append(f'  {who} -->|"https://{route.host}{route.path}"| ingress')
            lines.append(f'  ingress -->|"{route.role or "nowhere"}"| {services.get(route.service, "nowhere")}')
    else:
        lines.append("  client -->|port-forward| backendService")
        lines.append("  browser -->|port-forward| dashboardService")
    lines.append(f'  config["ConfigMap {name_of(objects.config)}"] -.-> backend')
    for number, secret in enumerate(needed_secrets(objects.all)):
        if secret.use in ("variable", "file", "all keys"):
            lines.append(f'  secret{number}[/"Secret {secret.name}"/] -.-> backend')
    for model in behaviour.backends:
        if model.engine and model.engine.value != "sqlite":
            lines.append(f'  backend --> database[("{_label(model.engine.text)}")]')
        if model.files and model.files.value == "s3" and model.buckets:
            lines.append(f'  backend --> files[("S3: {_label(model.buckets.text)}")]')
    if objects.claim:
        lines.append(f'  backend --> volume[("volume claim {objects.claim}")]')
    lines.append("```")
    unique = list(dict.fromkeys(lines))
    return "\n".join(unique)


def _label(text: str) -> str:
    return text.replace('"', "'").replace("`", "")
