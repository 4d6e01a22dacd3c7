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
                rule="origin-local",
            )


def _origins_without_ingress(values: Values) -> Iterator[Problem]:
    """Ingress switched off where it was on: nobody outside reaches an API on localhost."""
    off = values.public_hosts is None and "enabled" in values.ingress.model_fields_set
    local = "cloud_origin" not in values.convex_config.model_fields_set
    if off and local and (values.external_database or values.s3.enabled):
        yield Problem(
            ("ingress", "enabled"),
            f"is false, so the API's origin is {values.convex_config.cloud_origin}, for a port-forward alone: set "
            "convexConfig.cloudOrigin, siteOrigin and deploymentUrl where something else leads there",
            own=True,
        )


ERRORS = (_ports,)
WARNINGS = (_local_origins, _origins_without_ingress)
