"""CloudNativePG: the Cluster behind a database URL, if it is among the manifests, and what it means for the backend."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.behaviour.context import Context
from convexctl.behaviour.known_keys import CNPG_LOGINS, CNPG_URIS, cnpg_cluster, cnpg_cluster_named
from convexctl.behaviour.manifests import Manifest, dig, mapping, source_of, text
from convexctl.behaviour.model import Decision
from convexctl.behaviour.source import Source
from convexctl.behaviour.variables import Reading

_KEY = re.compile(r"Secret/(?P<secret>[^\[]+)\[(?P<key>[^\]]+)\]")
_STOCK_CONNECTIONS = "100"
_DEFAULT_DATABASE = "app"


def cluster_behind(context: Context, reading: Reading, host: str) -> Manifest | None:
    """The Cluster that serves a database URL: by the Secret that the URL comes from, else by its host."""
    namespace = context.pod.source.namespace
    parts = reading.variable.parts if reading.variable else ()
    for reference in (reading.reference, *parts):
        match = _KEY.fullmatch(reference)
        if match and (cluster := cnpg_cluster(context.manifests, namespace, match["secret"])):
            return cluster
    service = host.partition(":")[0].partition(".")[0]
    server = service.rpartition("-")[0] if service.endswith(("-rw", "-r", "-ro")) else ""
    return cnpg_cluster_named(context.manifests, namespace, server) if server and not reading.reference else None


def cluster_decisions(cluster: Manifest) -> dict[str, Decision]:
    """What follows from a Cluster that is applied, and deleted, with the backend."""
    name, place = source_of(cluster).name, source_of(cluster)
    most = text(dig(cluster, "spec", "postgresql", "parameters", "max_connections")) or _STOCK_CONNECTIONS
    source = place.at("spec", "postgresql", "parameters", "max_connections")
    decisions = {
        "database_outlives": Decision(
            "pod",
            f"the pod, not the deletion of Cluster {name}",
            "the operator deletes the volumes with their Cluster, also by `kubectl delete -f` of the manifests",
            place,
        )
    }
    if most.isdigit():
        why = "max_connections of the Cluster" if dig(cluster, *map(str, source.path)) else "PostgreSQL's default"
        decisions["database_grants"] = Decision(int(most), f"{most} in all", why, source)
    return decisions


def uri_obstacle(reading: Reading, cluster: Manifest | None) -> Iterator[Decision]:
    """A URL that CloudNativePG writes: each has a database name in it."""
    match = _KEY.fullmatch(reading.reference)
    if match and match["key"] in CNPG_URIS and match["secret"].rpartition("-")[2] in CNPG_LOGINS:
        why = "each URL that CloudNativePG writes has a path, which the backend takes for a database name and refuses"
        unless = "" if cluster else f"{match['secret']} is not a Secret of CloudNativePG's"
        shown = f"{reading.name} is the key {match['key']} of {match['secret']}, which carries a database name"
        yield Decision("database in URL", shown, why, reading.source, unless)


def unknown_ca(cluster: Manifest, tls: Decision, ca: Reading) -> Iterator[Decision]:
    """The operator's own CA, where the pod does not know it."""
    if not mapping(dig(cluster, "spec", "certificates")) and not ca.filled and tls.value != "off":
        why = "CloudNativePG always offers TLS by a CA of its own, and the backend verifies whatever TLS it is offered"
        shown = f"the certificate of Cluster {source_of(cluster).name} is by a CA that the pod does not know"
        yield Decision("unknown CA", shown, why, tls.source, ca.unless)


def missing_database(context: Context, cluster: Manifest, wanted: Decision) -> Iterator[Decision]:
    """A database that the Cluster does not make. One whose name is in a Secret is the operator's own."""
    bootstrap = mapping(dig(cluster, "spec", "bootstrap"))
    made = mapping(bootstrap.get("initdb"))
    others = any(key in made for key in ("import", "postInitSQL", "postInitSQLRefs")) or set(bootstrap) - {"initdb"}
    if others or context.read("INSTANCE_NAME").hidden:
        return
    name = source_of(cluster).name
    names = [text(made.get("database")) or _DEFAULT_DATABASE]
    for database in context.manifests.of_kind("Database"):
        if text(dig(database, "spec", "cluster", "name")) == name:
            names.append(text(dig(database, "spec", "name")))
    if str(wanted.value) not in names:
        shown = f"Cluster {name} makes the database {' and '.join(names)}, and the backend opens {wanted.value}"
        why = "the database is named after the instance, and the backend makes none"
        place: Source = source_of(cluster).at("spec", "bootstrap", "initdb", "database")
        yield Decision("no database", shown, why, place, "somebody makes it by hand")
