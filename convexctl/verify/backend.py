"""What the backend and the dashboard themselves answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from convex_k8s.values import Values

from convexctl.errors import UserError
from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.questions import Question
from convexctl.project import PROGRAM
from convexctl.tools.convex_api import ConvexApi
from convexctl.tools.kubectl import Kubectl
from convexctl.verify.place import Place

_SHA = r"[0-9a-f]{40}"
_NOBODY_THERE = (502, 503, 504)


def first_question(place: Place) -> Question:
    """Whether the API answers at all: everything else rests on it."""
    netloc = urlsplit(place.cloud).netloc
    return Question("api", lambda: _api(place), (f"dns {netloc}", f"certificate {netloc}"))


def backend_questions(place: Place, values: Values, instance: str, *, allow_empty: bool) -> Iterator[Question]:
    """What the API, the HTTP actions and the dashboard answer."""
    netloc, site = urlsplit(place.cloud).netloc, urlsplit(place.site).netloc
    rests_on = (f"dns {netloc}", f"certificate {netloc}", "api")
    yield Question("version", lambda: _version(place, values.backend.image.tag), rests_on)
    yield Question("instance", lambda: _instance(place, instance), rests_on)
    yield Question("http actions", lambda: _actions(place), (f"dns {site}", f"certificate {site}"))
    if place.dashboard:
        host = urlsplit(place.dashboard).netloc
        yield Question("dashboard", lambda: _dashboard(place), (f"dns {host}", f"certificate {host}"))
    yield Question("admin key", lambda: _admin_key(place), rests_on)
    yield Question("functions", lambda: _functions(place, allow_empty=allow_empty), (*rests_on, "admin key"))


def upload_question(kubectl: Kubectl, release: str, cloud: str) -> Question:
    """Whether upload URLs name the right host: the backend makes them from its cloud origin."""

    def answer() -> Check:
        found = kubectl.find("configmap", f"{release}-config")
        if found is None:
            return skipped("upload urls", f"there is no ConfigMap {release}-config ({kubectl.place()})")
        there = (found.get("data") or {}).get("CONVEX_CLOUD_ORIGIN", "")
        if there != cloud:
            return failed("upload urls", f"they begin with {there}, and the overlay says {cloud}", "apply dist/")
        return ok("upload urls", f"they begin with {there}")

    return Question("upload urls", answer)


def _api(place: Place) -> Check:
    try:
        return ok("api", f"{place.cloud}/version answers {place.api.version() or 'nothing'}")
    except UserError as error:
        return failed("api", str(error), "see the pod: `kubectl describe pod -l app.kubernetes.io/component=backend`")


def _version(place: Place, tag: str) -> Check:
    there = place.api.version()
    if not (re.fullmatch(_SHA, there) and re.fullmatch(_SHA, tag)):
        return skipped("version", f"the backend says {there or 'nothing'}, which cannot be compared with the tag {tag}")
    if there != tag:
        remedy = "apply dist/, and wait for the rollout; or correct the tag"
        return failed("version", f"the backend is {there[:12]}, and the overlay wants {tag[:12]}", remedy)
    return ok("version", f"{tag[:12]}, as the overlay wants it")


def _instance(place: Place, wanted: str) -> Check:
    there = place.api.instance_name()
    if wanted and there != wanted:
        return failed("instance", f"{place.cloud} is the instance {there}, not {wanted}", "correct DNS or the edge")
    return ok("instance", there)


def _actions(place: Place) -> Check:
    try:
        status = ConvexApi(place.site, trust=place.trust).send("GET", "/", timeout_s=15).status
    except UserError as error:
        return failed("http actions", str(error), "see the edge's route to HTTP actions")
    if status in _NOBODY_THERE:
        return failed("http actions", f"{place.site} answers {status}: nothing is behind the edge", "see its route")
    return ok("http actions", f"{place.site} answers ({status} for /)")


def _dashboard(place: Place) -> Check:
    try:
        page = ConvexApi(place.dashboard, trust=place.trust).send("GET", "/", timeout_s=30)
    except UserError as error:
        return failed("dashboard", str(error), "see the dashboard's pod and its route")
    if page.status != 200:
        return failed("dashboard", f"{place.dashboard} answers {page.status}", "see the dashboard's pod and its route")
    if place.cloud in page.text:
        return ok("dashboard", f"answers, and points to {place.cloud}")
    other = re.search(r'[dD]eployment_?[uU]rl"?\s*[:=]\s*"(https?://[^"\s]+)"', page.text)
    if other:
        return failed("dashboard", f"points to {other[1]}, not to {place.cloud}", "apply dist/")
    return ok("dashboard", "answers; its page does not say which API it uses")


def _admin_key(place: Place) -> Check:
    if not place.key:
        return skipped("admin key", place.no_key)
    try:
        read_only = place.admin.key_is_read_only()
    except UserError as error:
        remedy = f"the backend runs with another instance secret: restart it, or see `{PROGRAM} admin-key --check`"
        return failed("admin key", str(error), remedy)
    return ok("admin key", f"accepted{', read-only' if read_only else ''}")


def _functions(place: Place, *, allow_empty: bool) -> Check:
    if not place.key:
        return skipped("functions", place.no_key)
    try:
        number = len(place.admin.functions())
    except UserError as error:
        return skipped("functions", str(error))
    if number:
        return ok("functions", f"{number} deployed")
    if allow_empty:
        return ok("functions", "none is deployed, as --allow-empty says")
    return failed("functions", "none is deployed: the backend is healthy but empty", "npx convex deploy")
