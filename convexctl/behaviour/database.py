"""Which database the backend opens, under which name, and how safely."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from convexctl.behaviour.cloud_native_pg import (
    cluster_behind,
    cluster_decisions,
    missing_database,
    unknown_ca,
    uri_obstacle,
)
from convexctl.behaviour.context import Context, decision
from convexctl.behaviour.model import Decision
from convexctl.behaviour.variables import UNSEEN, Reading, unless
from convexctl.behaviour.volumes import OUTLIVES_TEXT, file_source

_VARIABLES = (("POSTGRES_URL", "postgres"), ("MYSQL_URL", "mysql"), ("DATABASE_URL", "postgres"))
"""In the order of the entry point: the first that has a value counts."""
TITLES = {"postgres": "Postgres", "mysql": "MySQL", "sqlite": "SQLite"}
DEFAULT_CONNECTIONS = 128
_SCHEMES = {"postgres": ("postgres", "postgresql"), "mysql": ("mysql",)}
_SERVER_NAME = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?")


class Url(NamedTuple):
    """The parts of a database URL that are in sight."""

    scheme: str
    user: str
    host: str
    path: str
    query: str
    torn: bool
    """Whether an unescaped `/`, `?` or `#` seems to have cut the password: an `@` follows the apparent host."""


def url_of(text: str) -> Url | None:
    """Take a database URL apart; None if it is none."""
    match = re.fullmatch(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", text.strip(), re.DOTALL)
    if match is None:
        return None
    authority, tail = _cut(match["rest"], "/?#")
    userinfo, _, host = authority.rpartition("@")
    user = userinfo.partition(":")[0]
    path, query = _cut(tail, "?#")
    whole = bool(userinfo) and "@" not in path and _SERVER_NAME.fullmatch(host.replace(UNSEEN, "x")) is not None
    torn = "@" in tail and not (whole and query.startswith("?"))
    return Url(match["scheme"].lower(), user, host, path, query.removeprefix("?"), torn)


def _cut(text: str, stops: str) -> tuple[str, str]:
    match = re.search(f"[{re.escape(stops)}]", text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def database(context: Context, instance_name: Decision) -> tuple[dict[str, Decision], list[Decision]]:
    """The decisions on the database, and what about it keeps the pod from starting."""
    readings = [context.read(name) for name, _ in _VARIABLES]
    for (name, engine), reading in zip(_VARIABLES, readings, strict=True):
        if reading.filled:
            before = readings[: readings.index(reading)]
            return _server(context, name, engine, reading, before, instance_name)
    return _sqlite(context, readings), []


def _sqlite(context: Context, readings: list[Reading]) -> dict[str, Decision]:
    path = context.directory("SQLITE_DB", f"{context.directory('DATA_DIR', '/convex/data')}/db.sqlite3")
    disk = context.disk(path)
    otherwise = unless(*readings)
    source = next((reading.source for reading in readings if reading.variable), context.source.at("env"))
    return {
        "engine": Decision(
            "sqlite",
            f"SQLite in {path}",
            "none of POSTGRES_URL, MYSQL_URL and DATABASE_URL has a value",
            source,
            otherwise,
        ),
        "database_outlives": Decision(
            disk.outlives, f"{OUTLIVES_TEXT[disk.outlives]} ({disk.text})", disk.why, disk.source, otherwise
        ),
    }


def _server(
    context: Context, name: str, engine: str, reading: Reading, before: list[Reading], instance_name: Decision
) -> tuple[dict[str, Decision], list[Decision]]:
    title = TITLES[engine]
    why = f"{name} is the first of POSTGRES_URL, MYSQL_URL and DATABASE_URL that has a value"
    if name == "DATABASE_URL":
        why += "; it is deprecated and means Postgres"
    outline = reading.variable.outline if reading.variable else ""
    url = url_of(outline)
    ca_name = "PG_CA_FILE" if engine == "postgres" else "MYSQL_CA_FILE"
    ca_reading = context.read(ca_name)
    connections = context.whole(f"{engine.upper()}_MAX_CONNECTIONS", DEFAULT_CONNECTIONS)
    decisions = {
        "engine": Decision(engine, title, why, reading.source, unless(*before, reading)),
        "database_url": decision(*_place(reading), f"{name} comes from there", reading),
        "database_name": _name(context, instance_name),
        "database_tls": _tls(context, engine, reading, url, ca_reading),
        "database_connections": connections.decides(connections.value, f"at most {connections.value}"),
        "database_outlives": Decision(
            "everything",
            "all objects here (the database is outside)",
            f"the documents are in the {title} server",
            reading.source,
            unless(*before, reading),
        ),
    }
    obstacles = _url_obstacles(engine, name, reading, url)
    cluster = cluster_behind(context, reading, url.host if url else "")
    if engine == "postgres":
        obstacles += uri_obstacle(reading, cluster)
    if cluster and engine == "postgres":
        obstacles += unknown_ca(cluster, decisions["database_tls"], ca_reading)
        obstacles += missing_database(context, cluster, decisions["database_name"])
        decisions |= cluster_decisions(cluster)
    if ca_reading.filled:
        ca, obstacle = _ca(context, ca_name, ca_reading)
        decisions["database_ca"] = ca
        obstacles += obstacle
    return decisions, obstacles


def _place(reading: Reading) -> tuple[str, str]:
    """Where the URL comes from, or for one in sight the server that it names: never user and password.

    What an unescaped `/`, `?`, `#` or `@` makes look like a host may be a piece of the password: then none is named.
    """
    if reading.reference:
        return reading.reference, reading.reference
    url = url_of(reading.variable.display) if reading.variable else None
    if reading.variable and reading.variable.parts:
        server = [f"{url.scheme}://{url.host}"] if url and _SERVER_NAME.fullmatch(url.host) else []
        parts = ", ".join((*reading.variable.parts, *server))
        return parts, f"put together from {parts}"
    if url is None or not url.user or "@" in url.path + url.query or not _SERVER_NAME.fullmatch(url.host):
        return "literal", "in the manifest"
    return f"{url.scheme}://{url.host}", f"in the manifest: {url.scheme}://{url.host}"


def _name(context: Context, instance_name: Decision) -> Decision:
    value = str(instance_name.value)
    why = "the backend names the database after the instance"
    if context.read("INSTANCE_NAME").hidden:
        return Decision(
            value, f"the value of {value}, with _ in place of every -", why, instance_name.source, instance_name.unless
        )
    named = value.replace("-", "_")
    return Decision(named, named, why, instance_name.source, instance_name.unless)


def _tls(context: Context, engine: str, reading: Reading, url: Url | None, ca: Reading) -> Decision:
    switch = context.present("DO_NOT_REQUIRE_SSL", "--do-not-require-ssl", "the requirement of TLS off")
    roots = f"the system's CAs{' and ' + ca.shown if ca.filled else ''}"
    verified = f"required, and verified against {roots}"
    if not switch.value:
        return switch.decides("required", verified)
    if engine == "mysql":
        if ca.filled:
            return decision("required", verified, "MYSQL_CA_FILE is set", ca)
        why = f"{switch.why}: without MYSQL_CA_FILE that means plain text"
        return switch._replace(why=why).decides("off", "off: plain text")
    mode = re.search(r"(?:^|&)sslmode=([a-z-]+)", url.query) if url else None
    if mode and mode[1] == "disable":
        why = f"{switch.why}, and the URL says sslmode=disable"
        return switch._replace(why=why).decides("off", "off: plain text")
    if mode and mode[1] == "require":
        return decision("required", verified, "the URL says sslmode=require", reading)
    where = reading.reference or reading.name
    otherwise = "" if url and UNSEEN not in url.query else f"the URL in {where} has another sslmode"
    why = f"{switch.why}; where the server offers TLS, its certificate is still verified against {roots}"
    return Decision(
        "preferred",
        "preferred: plain text where the server offers none",
        why,
        switch.source,
        otherwise or switch.unless,
    )


def _url_obstacles(engine: str, name: str, reading: Reading, url: Url | None) -> list[Decision]:
    obstacles = []
    if url is None:
        if reading.text is not None:
            why = "the backend ends at once when it cannot read the database's URL"
            obstacles.append(decision("database URL", f"{name} is not a URL", why, reading))
        return obstacles
    if url.scheme not in _SCHEMES[engine]:
        why = f"{name} means {TITLES[engine]}, whose client takes no other scheme"
        right = " or ".join(f"{scheme}://" for scheme in _SCHEMES[engine])
        obstacles.append(decision("database URL", f"{name} does not begin with {right}", why, reading))
    if url.torn:
        why = "the URL ends there for the backend, and what is left of it names no server"
        obstacles.append(decision("database URL", f"{name} has an unescaped /, ? or # before an @", why, reading))
        return obstacles
    if not url.host.partition(":")[0] and not (engine == "postgres" and re.search(r"(?:^|&)host=", url.query)):
        obstacles.append(decision("database URL", f"{name} has no host", "there is no server to connect to", reading))
    if engine == "postgres" and url.path not in ("", "/"):
        why = "the backend adds the database's name itself, and refuses a URL that has one"
        obstacles.append(decision("database in URL", f"{name} has a database name in it", why, reading))
    if not url.user:
        why = "the backend refuses a URL without a user before its host, whatever the query says"
        obstacles.append(decision("no database user", f"{name} has no user", why, reading))
    return obstacles


def _ca(context: Context, name: str, reading: Reading) -> tuple[Decision, list[Decision]]:
    path = reading.text
    if path is None or reading.hidden:
        return decision(reading.shown, reading.shown, f"{name} comes from there", reading), []
    origin = file_source(context.manifests, context.pod, context.container, context.source, path)
    ca = decision(path, f"{path}, from {origin.name if origin else 'nowhere'}", f"{name} names the file", reading)
    if origin and origin.unless:
        return replace(ca, unless=" or ".join(filter(None, (origin.unless, ca.unless)))), []
    if origin is None:
        why = "a CA file that cannot be read stops the backend"
        return ca, [decision("no CA file", f"{name} names {path}, and no file is there", why, reading)]
    return ca, []
