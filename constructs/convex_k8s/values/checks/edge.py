"""Checks of Services, and of origins without an edge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _ports(values: Values) -> Iterator[Problem]:
    service = values.service.backend
    if service.port == service.actions_port:
        yield Problem(
            ("service", "backend", "actionsPort"),
            f"is {service.port}, as service.backend.port is already: API and HTTP actions need a port each",
            (("service", "backend", "port"),),
        )


def _local_origins(values: Values) -> Iterator[Problem]:
    """The pod calls its own origins, and on localhost it finds there what the image serves and nothing else."""
    if values.public_hosts is not None:
        return
    for key, origin, served, what in (
        ("cloudOrigin", values.convex_config.cloud_origin, ("3210",), "the API, so callbacks of Node actions fail"),
        (
            "siteOrigin",
            values.convex_config.site_origin,
            ("3211", "3210/http"),
            "HTTP actions, so OIDC discovery fails",
        ),
    ):
        host = re.match(r"https?://(localhost|127(?:\.[0-9]+){3})(?![-.\w])", origin)
        if host and origin not in (right := [f"http://{host[1]}:{port}" for port in served]):
            yield Problem(
                ("convexConfig", key),
                f"is {origin}, where the pod itself, which calls it too, does not find {what}: write "
                f"{' or '.join(right)} and forward that port",
            )


ERRORS = (_ports,)
WARNINGS = (_local_origins,)
