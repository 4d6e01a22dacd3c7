"""All checks of a deployment, in the order in which they rest on one another."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from convex_k8s.origins import Origins
from convex_k8s.values import Values

from convexctl import regular_files
from convexctl.errors import UserError
from convexctl.preflight.check import Check
from convexctl.preflight.questions import answers
from convexctl.secrets.admin_key import make_admin_key
from convexctl.secrets.instance import find_instance
from convexctl.tools.kubectl import Kubectl, KubectlError
from convexctl.tools.port_forward import port_forward
from convexctl.verify.backend import backend_questions, first_question, no_way, upload_question
from convexctl.verify.edge import edge_questions
from convexctl.verify.place import Place, is_local


def verify(
    values: Values,
    kubectl: Kubectl,
    *,
    forward: bool = False,
    slow: bool = False,
    allow_empty: bool = False,
    ca: Path | None = None,
) -> list[Check]:
    """Check a deployment from outside: through its origins or, with `forward` or local origins, a port-forward.

    Raises `UserError` if `ca` holds no certificate.
    """
    origins = Origins.of(values)
    with opened(values, kubectl, origins, forward=forward, trust=_trust(ca)) as (place, instance):
        if place.no_api:
            return [no_way(place, place.no_api)]
        edge = list(edge_questions(place, slow=slow))
        names = [question for question in edge if question.name.startswith(("dns ", "certificate "))]
        rest = [question for question in edge if question not in names]
        return answers(
            [
                *names,
                first_question(place),
                *backend_questions(place, values, instance, allow_empty=allow_empty),
                upload_question(place, kubectl, values.release_name, origins.cloud),
                *rest,
            ]
        )


def _trust(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_verify_locations(cadata=regular_files.read_bytes(ca).decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError):
        raise UserError(f"{ca}: holds no certificate in PEM form") from None
    except OSError as error:
        raise UserError(f"{ca}: cannot be read ({error.strerror or error})") from None
    return trust


@contextmanager
def opened(
    values: Values, kubectl: Kubectl, origins: Origins, *, forward: bool, trust: ssl.SSLContext | None
) -> Iterator[tuple[Place, str]]:
    """The place of an environment, and the name of its instance as far as it is known."""
    hosts = values.public_hosts
    scheme = urlsplit(origins.cloud).scheme
    dashboard = f"{scheme}://{hosts.dashboard}" if hosts and hosts.dashboard else ""
    place = Place(
        origins.cloud, origins.site, dashboard, origins.deployment, trust=trust, kubectl_options=kubectl.options()
    )
    name = values.instance_name
    try:
        instance = find_instance(values, kubectl, os.environ)
        name = instance.name
        place = replace(place, key=make_admin_key(instance.name, instance.secret))
    except UserError as error:
        place = replace(place, no_key=str(error))
    with ExitStack() as stack:
        if forward or is_local(origins.cloud):
            place = _forwarded(place, values, kubectl, stack)
        yield place, name


def _forwarded(place: Place, values: Values, kubectl: Kubectl, stack: ExitStack) -> Place:
    """The place behind port-forwards that stay open as long as `stack`."""
    release, service = values.release_name, values.service
    place = replace(place, dashboard="", forwarded=True)
    try:
        api = stack.enter_context(port_forward(kubectl, f"{release}-backend-svc", service.backend.port))
    except KubectlError as error:
        return replace(place, no_api=str(error))
    place = replace(place, cloud=api, site=f"{api}/http")
    if not values.dashboard.enabled:
        return place
    try:
        pages = stack.enter_context(port_forward(kubectl, f"{release}-dashboard-svc", service.dashboard.port))
    except KubectlError as error:
        return replace(place, no_dashboard=str(error))
    return replace(place, dashboard=pages)
