"""The dashboard: the API that it shows, and the admin key in its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, hit_variable, rule
from convexctl.audit.rules.origins import split_origin
from convexctl.project import PROGRAM


@rule(
    "deployment-url-wrong",
    Severity.WARNING,
    "The dashboard does not know the API",
    reason="The dashboard calls NEXT_PUBLIC_DEPLOYMENT_URL, which is the API's origin as the browser sees it. If it "
    "is missing, or differs from the backend's CONVEX_CLOUD_ORIGIN, the dashboard shows another deployment or none.",
    basis="the dashboard's image",
    parameter="convexConfig.deploymentUrl, or ingress.backend.host (both are set from it)",
    change="set it to the value of CONVEX_CLOUD_ORIGIN",
)
def deployment_url(view: View) -> Iterator[Hit]:
    """Dashboards without the API's URL, or with a URL that is not of any backend here."""
    for dashboard in view.behaviour.dashboards:
        url = dashboard.deployment_url
        if url.value == "":
            yield hit(dashboard, url, "NEXT_PUBLIC_DEPLOYMENT_URL is not set")
            continue
        parts = split_origin(url)
        clouds = [split_origin(backend.cloud_origin) for backend in view.behaviour.backends]
        known = {_origin_of(cloud) for cloud in clouds if cloud}
        if parts and known and len(clouds) == len(known) and _origin_of(parts) not in known:
            message = f"NEXT_PUBLIC_DEPLOYMENT_URL is {url.text}, CONVEX_CLOUD_ORIGIN {', '.join(sorted(known))}"
            yield hit(dashboard, url, message)


@rule(
    "admin-key-prefilled",
    Severity.ERROR,
    "The dashboard hands out the admin key",
    reason="NEXT_PUBLIC_ADMIN_KEY is part of the page: everybody who opens it has the admin key, and with it all data.",
    basis="the dashboard's image",
    parameter="none: it is never set",
    change="remove NEXT_PUBLIC_ADMIN_KEY, and replace the instance secret: the key is known",
    least=Severity.INFORMATION,
)
def admin_key_prefilled(view: View) -> Iterator[Hit]:
    """Admin keys in the page; where no rule of the edge leads to it, that is good to know only."""
    for dashboard in view.behaviour.dashboards:
        if dashboard.admin_key.value is None:
            continue
        ways = at_edge(view, dashboard)
        if ways:
            where = ways[0].host or f"Service {ways[0].service}"
            yield hit(dashboard, dashboard.admin_key, f"everybody who opens {where} gets the admin key")
        else:
            message = "everybody who reaches the page gets the admin key"
            yield hit(dashboard, dashboard.admin_key, message, Severity.INFORMATION)


@rule(
    "admin-key-malformed",
    Severity.WARNING,
    "An admin key that no backend made",
    reason="An admin key is made from the instance name and the instance secret and reads <instance name>|01<hex>. An "
    "invented text, or one for another instance, opens nothing.",
    basis="the server's admin keys",
    parameter=f"none: `{PROGRAM} admin-key` makes one",
    change=f"make a key with `generate_key NAME SECRET` in the image, or with `{PROGRAM} admin-key`",
)
def admin_key_malformed(view: View) -> Iterator[Hit]:
    """Keys in sight of another form, or with the name of no backend here."""
    names = {backend.instance_name.value for backend in view.behaviour.backends if backend.instance_name.certain}
    for component in view.behaviour.components:
        for name in ("NEXT_PUBLIC_ADMIN_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY"):
            reading = component.environment.read(name)
            if not reading.filled or not reading.text:
                continue
            match = _ADMIN_KEY.fullmatch(reading.text)
            if match is None:
                yield hit_variable(component, reading, f"{name} is not an admin key: <instance name>|01<hex>")
            elif names and len(names) == len(view.behaviour.backends) and match["name"] not in names:
                yield hit_variable(component, reading, f"{name} is for another instance")


_ADMIN_KEY = re.compile(r"(?P<name>[^|:]{1,256})\|01[0-9a-f]{60,4096}")


def _origin_of(parts: SplitResult) -> str:
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    default = port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}{'' if default else f':{port}'}"
