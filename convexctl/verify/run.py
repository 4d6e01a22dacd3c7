"""All checks of a deployment, in the order in which they rest on one another."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from convex_k8s.origins import Origins
from convex_k8s.values import Values

from convexctl.errors import UserError
from convexctl.preflight.check import Check
from convexctl.preflight.questions import answers
from convexctl.secrets.admin_key import make_admin_key
from convexctl.secrets.instance import find_instance
from convexctl.tools.kubectl import Kubectl
from convexctl.tools.port_forward import port_forward
from convexctl.verify.backend import backend_questions, first_question, upload_question
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

    Raises `UserError` if the port-forward cannot be opened or `ca` holds no certificate.
    """
    origins = Origins.of(values)
    with _place(values, kubectl, origins, forward=forward, trust=_trust(ca)) as (place, instance):
        edge = list(edge_questions(place, slow=slow))
        names = [question for question in edge if question.name.startswith(("dns ", "certificate "))]
        rest = [question for question in edge if question not in names]
        return answers(
            [
                *names,
                first_question(place),
                *backend_questions(place, values, instance, allow_empty=allow_empty),
                upload_question(kubectl, values.release_name, origins.cloud),
                *rest,
            ]
        )


def _trust(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        raise UserError(f"{ca}: holds no certificate in PEM form") from None
    except OSError as error:
        raise UserError(f"{ca}: cannot be read ({error.strerror or error})") from None


@contextmanager
def _place(
    values: Values, kubectl: Kubectl, origins: Origins, *, forward: bool, trust: ssl.SSLContext | None
) -> Iterator[tuple[Place, str]]:
    hosts = values.public_hosts
    dashboard = f"https://{hosts.dashboard}" if hosts and hosts.dashboard else ""
    place = Place(origins.cloud, origins.site, dashboard, trust=trust)
    name = values.instance_name
    try:
        instance = find_instance(values, kubectl, os.environ)
        name = instance.name
        place = replace(place, key=make_admin_key(instance.name, instance.secret))
    except UserError as error:
        place = replace(place, no_key=str(error))
    with ExitStack() as stack:
        if forward or is_local(origins.cloud):
            release, service = values.release_name, values.service
            api = stack.enter_context(port_forward(kubectl, f"{release}-backend-svc", service.backend.port))
            place = replace(place, cloud=api, site=f"{api}/http", dashboard="", forwarded=True)
            if values.dashboard.enabled:
                pages = stack.enter_context(port_forward(kubectl, f"{release}-dashboard-svc", service.dashboard.port))
                place = replace(place, dashboard=pages)
        yield place, name
