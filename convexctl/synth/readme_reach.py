"""The part of an environment's README about the ways to reach it."""

from __future__ import annotations

from urllib.parse import urlsplit

from convexctl.behaviour import Behaviour
from convexctl.synth.readme_objects import Objects, name_of, port_of


def reach(objects: Objects, behaviour: Behaviour) -> str:
    """Where dashboard, API and HTTP actions are, and the commands that bring them here."""
    if objects.edge:
        return _reach_by_edge(objects, behaviour)
    data = objects.config["data"]
    backend = objects.backend_service
    api, actions = port_of(backend, "api"), port_of(backend, "http-actions")
    local_api = _local_port(data["CONVEX_CLOUD_ORIGIN"])
    local_actions = _local_port(data["CONVEX_SITE_ORIGIN"])
    forwards = [f"{local_api or api}:{api}"]
    if local_actions is None or local_actions != local_api:
        forwards.append(f"{local_actions or actions}:{actions}")
    commands = [f"kubectl{objects.in_namespace} port-forward svc/{name_of(backend)} {' '.join(forwards)}"]
    rows = _table(objects, "http://localhost:6791" if objects.dashboard else "")
    if objects.dashboard:
        commands.append(_dashboard_forward(objects))
    together = "Each in a terminal of its own:" if len(commands) > 1 else "In a terminal of its own:"
    lines = ["## Reach it", together, "```sh\n" + "\n".join(commands) + "\n```", rows]
    if local_api is None:
        lines.append(
            "The origins are not on localhost, so you must route them to the Services yourself. Otherwise functions "
            "and the dashboard do not reach the API."
        )
    return "\n\n".join(lines)


def _reach_by_edge(objects: Objects, behaviour: Behaviour) -> str:
    public = next((route.host for route in behaviour.routes if route.role == "dashboard" and route.path == "/"), "")
    scheme = urlsplit(objects.config["data"]["CONVEX_CLOUD_ORIGIN"]).scheme
    hosts = list(dict.fromkeys(route.host for route in behaviour.routes))
    where = " and ".join(
        [*(["the Ingress controller"] if objects.ingresses else []), *(["the Gateway"] if objects.http_routes else [])]
    )
    local = "http://localhost:6791" if objects.dashboard else ""
    lines = [
        "## Reach it",
        _table(objects, f"{scheme}://{public}" if public else local),
        f"DNS: {', '.join(f'`{host}`' for host in hosts)} must resolve to {where}. The pods must resolve "
        f"{'this name' if len(hosts) == 1 else 'these names'} too, because callbacks of Node.js functions go to the "
        "API's public URL.",
    ]
    if objects.dashboard and not public:
        lines.append(
            "The dashboard is not served to the outside. Forward its port:\n\n"
            f"```sh\n{_dashboard_forward(objects)}\n```"
        )
    return "\n\n".join(lines)


def _table(objects: Objects, dashboard: str) -> str:
    data = objects.config["data"]
    rows = {
        **({"dashboard": dashboard} if dashboard else {}),
        "API": data["CONVEX_CLOUD_ORIGIN"],
        "HTTP actions": data["CONVEX_SITE_ORIGIN"],
    }
    return "| what | where |\n|---|---|\n" + "\n".join(f"| {what} | <{where}> |" for what, where in rows.items())


def _dashboard_forward(objects: Objects) -> str:
    service = objects.dashboard_service
    if service is None:
        return ""
    return f"kubectl{objects.in_namespace} port-forward svc/{name_of(service)} 6791:{port_of(service, 'http')}"


def _local_port(origin: str) -> int | None:
    parts = urlsplit(origin)
    return (parts.port or 80) if parts.hostname in ("localhost", "127.0.0.1") else None
