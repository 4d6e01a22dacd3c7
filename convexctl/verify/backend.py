"""What the backend itself answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from convex_k8s.values import Values

from convexctl.errors import UserError
from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.questions import Question
from convexctl.project import PROGRAM
from convexctl.tools import run
from convexctl.tools.convex_api import ConvexError
from convexctl.tools.kubectl import Kubectl
from convexctl.verify.pages import dashboard, http_actions
from convexctl.verify.place import Place

_BACKEND = "app.kubernetes.io/component=backend"
_SHA = r"[0-9a-f]{40}"


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
    yield Question("http actions", lambda: http_actions(place), (f"dns {site}", f"certificate {site}"))
    if values.dashboard.enabled:
        host = urlsplit(place.dashboard).netloc
        yield Question("dashboard", lambda: dashboard(place), (f"dns {host}", f"certificate {host}"))
    yield Question("admin key", lambda: _admin_key(place), rests_on)
    yield Question("functions", lambda: _functions(place, allow_empty=allow_empty), (*rests_on, "admin key"))


def upload_question(place: Place, kubectl: Kubectl, release: str, cloud: str) -> Question:
    """Whether upload URLs name the right host: the backend makes them from its cloud origin."""

    def answer() -> Check:
        there, remedy = _running_cloud_origin(place), "apply dist/, and restart the backend: it reads them at its start"
        if not there:
            found = kubectl.find("configmap", f"{release}-config")
            if found is None:
                return skipped("upload urls", f"there is no ConfigMap {release}-config ({kubectl.place()})")
            there, remedy = (found.get("data") or {}).get("CONVEX_CLOUD_ORIGIN", ""), "apply dist/"
        if there != cloud:
            return failed("upload urls", f"they begin with {there}, and the overlay says {cloud}", remedy)
        return ok("upload urls", f"they begin with {there}")

    return Question("upload urls", answer)


def _running_cloud_origin(place: Place) -> str:
    """The cloud origin that the running backend has; empty if it does not say."""
    if not place.key:
        return ""
    try:
        return place.admin.cloud_origin()
    except UserError:
        return ""


def _api(place: Place) -> Check:
    try:
        return ok("api", f"{place.cloud}/version answers {place.api.version() or 'nothing'}")
    except UserError as error:
        return no_way(place, str(error))


def no_way(place: Place, reason: str) -> Check:
    """The API does not answer, and why."""
    if not run.installed("kubectl"):
        return failed("api", reason, f"see {run.INSTALL['kubectl']}")
    command = f"kubectl describe pod -l {_BACKEND}{place.kubectl_options}"
    return failed("api", reason, f"see the pod: `{command}`")


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


def _admin_key(place: Place) -> Check:
    if not place.key:
        return skipped("admin key", place.no_key)
    try:
        read_only = place.admin.key_is_read_only()
    except ConvexError as error:
        return failed("admin key", str(error), _remedy_for_key(place, error.status))
    return ok("admin key", f"accepted{', read-only' if read_only else ''}")


def _remedy_for_key(place: Place, status: int) -> str:
    """What to do where the key was not accepted: only a refusal says something of the key."""
    if status in (401, 403):
        return f"the backend runs with another instance secret: restart it, or see `{PROGRAM} admin-key --check`"
    if status == 404:
        return "the edge leads /api elsewhere, or the backend is too old for the question: see its routes and the tag"
    return f"see the edge's routes, and the pod's log: `kubectl logs -l {_BACKEND}{place.kubectl_options}`"


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
