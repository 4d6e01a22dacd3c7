"""Checks of CloudNativePG: the named Cluster, and the Cluster that the overlay makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem
from convex_k8s.values.cloud_native_pg import is_reserved
from convex_k8s.values.quantities import amount

if TYPE_CHECKING:
    from convex_k8s.values import Values

OPERATOR: Path = ("postgres", "cloudNativePG")
CREATE: Path = (*OPERATOR, "create")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_FIXED = re.compile(
    r"allow_system_table_mods|archive_(mode|command)|cluster_name|config_file|data_directory|(hba|ident)_file|"
    r"hot_standby|listen_addresses|log_(destination|directory|filename)|logging_collector|port|primary_\w+|"
    r"recovery_target\w*|restore_command|shared_preload_libraries|ssl(_\w+_file)?|synchronous_standby_names|"
    r"unix_socket_\w+"
)
"""Parameters that the operator sets itself, and refuses in a Cluster."""


def _named(values: Values) -> Iterator[Problem]:
    postgres = values.postgres
    cluster = postgres.cloud_native_pg.cluster
    if not cluster:
        return
    here = (("postgres", "cloudNativePG", "cluster"),)
    if not postgres.enabled:
        yield Problem(here[0], "has no effect while postgres.enabled is false", (("postgres", "enabled"),))
    if postgres.existing_secret != f"{cluster}-app":
        text = f"is not the Secret of the Cluster {cluster}: leave it out, {cluster}-app has the login"
        yield Problem(("postgres", "existingSecret"), text, here)


def _made(values: Values) -> Iterator[Problem]:
    operator = values.postgres.cloud_native_pg
    create = operator.create
    if not create.wanted:
        if create != type(create)():
            path: Path = (*CREATE, "storage", "size")
            yield Problem(
                path, "is missing: a Cluster needs a volume, of 20Gi say. Without one none is made", (CREATE,)
            )
        return
    if not operator.cluster:
        yield Problem((*OPERATOR, "cluster"), "is missing: name the Cluster that is to be made", (CREATE,))
    elif not _NAME.fullmatch(operator.cluster):
        yield Problem(
            (*OPERATOR, "cluster"),
            f"is {operator.cluster}, which the operator refuses: lower-case letters, digits and dashes, a letter "
            "first, at most 50 characters",
            (CREATE,),
        )
    if is_reserved(values.database_name):
        named: Path = ("instance", "name") if values.instance.name else ("releaseName",)
        text = f"would name the database {values.database_name}, which Postgres or the operator has already"
        yield Problem(named, f"{text}: set another instance.name", (CREATE, ("instance", "name")))
    if create.wal_storage.storage_class and not create.wal_storage.size:
        yield Problem((*CREATE, "walStorage", "size"), "is missing: a volume needs a size")


def _parameters(values: Values) -> Iterator[Problem]:
    postgres = values.postgres
    for name, value in postgres.cloud_native_pg.create.parameters.items():
        path: Path = (*CREATE, "parameters", name)
        if _FIXED.fullmatch(name):
            yield Problem(path, "is set by the operator, which refuses it here: leave it out")
        if name != "max_connections":
            continue
        if not re.fullmatch("[0-9]{1,6}", value):
            yield Problem(path, "must be a whole number")
        elif int(value) <= postgres.pool:
            yield Problem(
                path,
                f"is {value}, and the backend alone may open {postgres.pool} connections: leave it out, or set "
                "postgres.maxConnections to fewer",
                (("postgres", "maxConnections"),),
            )


def _resources(values: Values) -> Iterator[Problem]:
    resources = values.postgres.cloud_native_pg.create.resources
    for kind in ("cpu", "memory"):
        request, limit = getattr(resources.requests, kind), getattr(resources.limits, kind)
        if request is not None and limit is not None and amount(limit) < amount(request):
            path: Path = (*CREATE, "resources", "limits", kind)
            yield Problem(path, f"is {limit}, less than the request of {request}: raise it, or lower the request")


ERRORS = (_named, _made, _parameters, _resources)
