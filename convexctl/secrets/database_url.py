"""Which URLs of databases the backend accepts, and what is wrong with the others.

What is accepted comes from upstream: the URL parsers of its Postgres and MySQL clients (tokio-postgres and
mysql_async).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from convexctl.secrets.value_rules import (
    EXAMPLES,
    TITLES,
    Engine,
    copy_problems,
    host_and_port,
    host_problems,
    split_before,
)

DEFAULT_PORTS: dict[Engine, int] = {"postgres": 5432, "mysql": 3306}

_SCHEMES: dict[Engine, tuple[str, ...]] = {"postgres": ("postgresql", "postgres"), "mysql": ("mysql",)}

_ESCAPES = {"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"}

_PARAMETERS: dict[Engine, str] = {
    "postgres": """
        application_name channel_binding connect_timeout host hostaddr keepalives keepalives_idle keepalives_interval
        keepalives_retries load_balance_hosts options password port search_path sslmode sslnegotiation
        target_session_attrs tcp_user_timeout user
    """,
    "mysql": """
        abs_conn_ttl abs_conn_ttl_jitter client_found_rows compression conn_ttl enable_cleartext_plugin
        inactive_connection_ttl max_allowed_packet pool_max pool_min prefer_socket require_ssl reset_connection
        secure_auth socket stmt_cache_size tcp_keepalive tcp_nodelay ttl_check_interval verify_ca verify_identity
        wait_timeout
    """,
}

_PARAMETER_VALUES: dict[Engine, dict[str, tuple[str, ...]]] = {
    "postgres": {
        "sslmode": ("require", "prefer", "disable"),
        "channel_binding": ("disable", "prefer", "require"),
        "target_session_attrs": ("any", "read-write", "read-only"),
    },
    "mysql": dict.fromkeys(("require_ssl", "verify_ca", "verify_identity"), ("true", "false")),
}

_PARAMETERS_OF_OTHER_CLIENTS = """
    charset connection_limit connectTimeout gssencmode parseTime pgbouncer pool_timeout schema ssl ssl-ca ssl-mode
    ssl_ca ssl_mode sslaccept sslca sslcert sslcrl sslkey sslMode sslrequired sslrootcert tls useSSL
"""
"""Handed out with URLs by hosting services. Only known names are shown: other text could be a part of a password."""


@dataclass(frozen=True)
class DatabaseUrl:
    """The parts of a database URL that has no problems, decoded."""

    engine: Engine
    user: str
    password: str = field(repr=False)
    host: str
    """Host name or address; an IPv6 address without its brackets."""
    port: int
    database: str
    """What the path names; nothing with Postgres. The backend keeps its tables elsewhere: see `database_name`."""
    parameters: dict[str, str]
    """Query parameters. If a parameter is given twice, the last counts, as it does upstream."""


def database_url_problems(value: str, engine: Engine) -> list[str]:
    """What is wrong with the URL of a Postgres or MySQL server."""
    if problems := copy_problems(value):
        return problems
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower()
    if not separator:
        return [f"it is not a URL: it must read {EXAMPLES[engine]}"]
    if scheme not in _SCHEMES[engine]:
        return [_wrong_scheme(scheme, engine)]
    authority, tail = split_before(rest, "/?#")
    userinfo, at, address = authority.rpartition("@")
    if stray := _stray_character(authority, tail):
        return [
            f"the user or the password has an unescaped `{stray}` in it, which ends the host's part of a URL: "
            f"write {_ESCAPES[stray]}"
        ]
    problems = []
    if "@" in userinfo:
        problems.append("the user or the password has an unescaped `@` in it: write %40, so that the host is clear")
    if re.search(r"%(?![0-9a-fA-F]{2})", userinfo):
        problems.append("the user or the password has an unescaped `%` in it: write %25")
    if not at or userinfo.startswith(":") or not userinfo:
        problems.append(f"it has no user: it must read {EXAMPLES[engine]}")
    problems += host_problems(address, engine)
    path, query_and_fragment = split_before(tail, "?#")
    if engine == "postgres" and path not in ("", "/"):
        problems.append(
            "it names a database (the path after the host), which the backend refuses: it must end after host and "
            "port, and the backend adds the database that is named after the instance"
        )
    query, fragment = split_before(query_and_fragment, "#")
    if fragment:
        problems.append("it has a `#` after the host: what follows is not read; in a password write %23")
    return problems + _parameter_problems(query.removeprefix("?"), engine)


def parse_database_url(value: str, engine: Engine) -> DatabaseUrl:
    """Take a database URL apart as the backend's client does.

    Raises ValueError, with the problems and without the value, where it has any.
    """
    if problems := database_url_problems(value, engine):
        raise ValueError("; ".join(problems))
    authority, tail = split_before(value.partition("://")[2], "/?#")
    userinfo, _, address = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = host_and_port(address)
    return DatabaseUrl(
        engine=engine,
        user=unquote(user),
        password=unquote(password),
        host=unquote(host),
        port=int(port) if port else DEFAULT_PORTS[engine],
        database=unquote(tail.partition("?")[0].removeprefix("/").partition("/")[0]),
        parameters=dict(parse_qsl(tail.partition("?")[2], keep_blank_values=True)),
    )


def _wrong_scheme(scheme: str, engine: Engine) -> str:
    other: Engine = "mysql" if engine == "postgres" else "postgres"
    right = " or ".join(f"{name}://" for name in _SCHEMES[engine])
    if scheme in _SCHEMES[other]:
        return f"it is a URL of {TITLES[other]}, and this is the one of {TITLES[engine]}: it must begin with {right}"
    return f"its scheme is wrong: a URL of {TITLES[engine]} begins with {right}, without a driver's name"


def _stray_character(authority: str, tail: str) -> str | None:
    """The character that cut user and password off from the host, if one did."""
    if not tail or "@" not in tail:
        return None
    if "@" not in authority or tail[0] == "#":
        return tail[0]
    path, query = split_before(tail, "?#")
    if "@" in path:
        return "/"
    # With the host in front of it, an `@` is harmless in a parameter's value: application_name=convex@production.
    names = [parameter.partition("=")[0] for parameter in query[1:].split("&")]
    return query[0] if any("@" in name for name in names) else None


def _parameter_problems(query: str, engine: Engine) -> list[str]:
    problems = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        known = _PARAMETERS[engine].split()
        shown = f"parameter `{name}`" if name in (*known, *_PARAMETERS_OF_OTHER_CLIENTS.split()) else "query"
        if engine == "postgres" and name == "dbname":
            problems.append("it names a database (`dbname`): the backend takes the one named after the instance")
        elif name not in known:
            problems.append(
                f"its {shown} is unknown to the backend's {TITLES[engine]} client, which would not start: leave it out"
                f"{_about_tls(name)}"
            )
        elif (allowed := _PARAMETER_VALUES[engine].get(name)) and value not in allowed:
            problems.append(f"its {shown} must be {', '.join(allowed[:-1])} or {allowed[-1]}{_about_tls(name)}")
    return problems


def _about_tls(parameter: str) -> str:
    if "ssl" in parameter.lower() or parameter == "tls":
        return " (TLS is required and verified anyway; a CA of your own is a setting of the overlay)"
    return ""
