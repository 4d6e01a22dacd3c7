"""Who answers on the hosts of HTTP actions and of the dashboard: the right one, another one, or only the edge."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from convexctl.errors import UserError
from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.tools.convex_api import Answer, ConvexApi
from convexctl.verify.place import Place

_NOBODY_THERE = (502, 503, 504)
_NO_ROUTE = ("404 page not found", "default backend - 404", "<center>nginx")
"""How Traefik, the default backends of nginx and HAProxy, and nginx itself begin or end their own 404."""
_DASHBOARD = "__NEXT_DATA__"
_API = "This Convex deployment is running"
_ACTIONS_REMEDY = "lead the host to port 3211, or leave it out: the API serves HTTP actions under /http"


def http_actions(place: Place) -> Check:
    """Whether the backend answers for HTTP actions."""
    name, site = "http actions", place.site
    try:
        answer = ConvexApi(site, trust=place.trust).send("GET", "/", timeout_s=15)
    except UserError as error:
        return failed(name, str(error), "see the edge's route to HTTP actions")
    if answer.status in _NOBODY_THERE:
        return failed(name, f"{site} answers {answer.status}: nothing is behind the edge", "see its route")
    if _DASHBOARD in answer.text and "deploymentUrl" in answer.text:
        return failed(name, f"the dashboard answers at {site}", _ACTIONS_REMEDY)
    if _API in answer.text:
        return failed(name, f"the API answers at {site}, not HTTP actions", _ACTIONS_REMEDY)
    if answer.status == 404 and any(words in answer.text for words in _NO_ROUTE):
        return failed(name, f"the edge has no route for {site}: the 404 is its own", "see its route to HTTP actions")
    if answer.status == 404 and not answer.body:
        return skipped(name, f"{site} answers 404 without a word: so does an edge without a route")
    return ok(name, f"{site} answers ({answer.status} for /)")


def dashboard(place: Place) -> Check:
    """Whether the dashboard answers, and leads the browser to the right API."""
    name, url = "dashboard", place.dashboard
    if place.no_dashboard:
        return failed(name, place.no_dashboard, "see the dashboard's pod")
    if not url:
        return skipped(name, "the overlay names no public host of the dashboard")
    try:
        page = ConvexApi(url, trust=place.trust).send("GET", "/", timeout_s=30)
    except UserError as error:
        return failed(name, str(error), "see the dashboard's pod and its route")
    if login := _login(page):
        return skipped(name, f"{url} {login}: what is behind it is not seen from here")
    if page.status != 200:
        return failed(name, f"{url} answers {page.status}", "see the dashboard's pod and its route")
    if _DASHBOARD not in page.text:
        return failed(name, f"{url} answers, but not with the dashboard", "see its route")
    found = re.search(r'"deploymentUrl":"([^"]+)"', page.text)
    if not found:
        return ok(name, "answers; its page does not say which API it uses")
    if found[1] != place.deployment:
        return failed(name, f"points to {found[1]}, not to {place.deployment}", "apply dist/")
    return ok(name, f"answers, and points to {found[1]}")


def _login(page: Answer) -> str:
    """How an answer asks for a login; empty if it does not."""
    if page.status in (401, 403):
        return f"asks for a login ({page.status})"
    if page.status in (301, 302, 303, 307, 308):
        headers = {key.lower(): value for key, value in page.headers.items()}
        return f"leads to {urlsplit(headers.get('location', '')).netloc or 'another page'} ({page.status})"
    return ""
