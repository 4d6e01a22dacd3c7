"""What the backend accepts in its Secrets, and what is wrong with a value that it would not.

Every `…_problems` function takes a value and returns one text for each thing that is wrong with it: none means that the
backend takes it. A text says what would be right and never holds the value. What is accepted comes from upstream: the
URL parsers of its Postgres and MySQL clients (tokio-postgres and mysql_async), its instance secret and its S3 client.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

Engine = Literal["postgres", "mysql"]
"""The server that a database URL belongs to."""

TITLES: dict[Engine, str] = {"postgres": "Postgres", "mysql": "MySQL"}
DEFAULT_PORTS: dict[Engine, int] = {"postgres": 5432, "mysql": 3306}

_SCHEMES: dict[Engine, tuple[str, ...]] = {"postgres": ("postgresql", "postgres"), "mysql": ("mysql",)}
_LONGEST_DATABASE_NAME: dict[Engine, int] = {"postgres": 63, "mysql": 64}
_OWN_DATABASES: dict[Engine, frozenset[str]] = {
    "postgres": frozenset({"template0", "template1"}),
    "mysql": frozenset({"mysql", "sys", "information_schema", "performance_schema"}),
}
_EXAMPLES: dict[Engine, str] = {
    "postgres": "postgresql://user:password@host:5432",
    "mysql": "mysql://user:password@host:3306",
}
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


def generate_instance_secret() -> str:
    """Make an instance secret: 32 random bytes as 64 hex digits."""
    return secrets.token_hex(32)


def database_name(instance_name: str) -> str:
    """The database that the backend uses: upstream names it after the instance, every `-` being a `_`."""
    return instance_name.replace("-", "_")


def instance_secret_problems(value: str) -> list[str]:
    """What is wrong with an instance secret: upstream takes 64 hex digits and nothing else."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return []
    if problems := _copy_problems(value):
        return problems
    right = "64 hex digits (32 bytes), as `openssl rand -hex 32` prints them"
    if _is_base64_of_32_bytes(value):
        return [f"it is base64, and the backend reads hex only: write the same 32 bytes as {right}"]
    if re.fullmatch(r"[0-9a-fA-F]+", value):
        return [f"it has {len(value)} hex digits, and must have {right}"]
    return [f"it must be {right}"]


def instance_name_problems(value: str, engine: Engine | None = None) -> list[str]:
    """What is wrong with an instance name, with the database that is named after it (None: SQLite)."""
    if problems := _copy_problems(value):
        return problems
    problems = []
    if ":" in value or "|" in value:
        problems.append("it must not have `:` or `|` in it: an admin key reads <instance name>|<hex>")
    elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value):
        problems.append("it must begin with a letter and have only letters, digits, `-` and `_` after it")
    if engine is not None:
        problems += _database_name_problems(database_name(value), engine)
    return problems


def database_url_problems(value: str, engine: Engine) -> list[str]:
    """What is wrong with the URL of a Postgres or MySQL server."""
    if problems := _copy_problems(value):
        return problems
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower()
    if not separator:
        return [f"it is not a URL: it must read {_EXAMPLES[engine]}"]
    if scheme not in _SCHEMES[engine]:
        return [_wrong_scheme(scheme, engine)]
    authority, tail = _split(rest, "/?#")
    userinfo, at, host_and_port = authority.rpartition("@")
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
        problems.append(f"it has no user: it must read {_EXAMPLES[engine]}")
    problems += _host_problems(host_and_port, engine)
    path, query_and_fragment = _split(tail, "?#")
    if engine == "postgres" and path not in ("", "/"):
        problems.append(
            "it names a database (the path after the host), which the backend refuses: it must end after host and "
            "port, and the backend adds the database that is named after the instance"
        )
    query, fragment = _split(query_and_fragment, "#")
    if fragment:
        problems.append("it has a `#` after the host: what follows is not read; in a password write %23")
    return problems + _parameter_problems(query.removeprefix("?"), engine)


def parse_database_url(value: str, engine: Engine) -> DatabaseUrl:
    """Take a database URL apart as the backend's client does.

    Raises ValueError, with the problems and without the value, where it has any.
    """
    if problems := database_url_problems(value, engine):
        raise ValueError("; ".join(problems))
    authority, tail = _split(value.partition("://")[2], "/?#")
    userinfo, _, host_and_port = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = _host_and_port(host_and_port)
    return DatabaseUrl(
        engine=engine,
        user=unquote(user),
        password=unquote(password),
        host=unquote(host),
        port=int(port) if port else DEFAULT_PORTS[engine],
        database=unquote(tail.partition("?")[0].removeprefix("/").partition("/")[0]),
        parameters=dict(parse_qsl(tail.partition("?")[2], keep_blank_values=True)),
    )


def s3_endpoint_problems(value: str) -> list[str]:
    """What is wrong with an S3 endpoint. For Amazon itself there is none: the variable must be absent, not empty.

    A path of one part is taken for a bucket and refused. Longer ones pass: some services answer under one.
    """
    if not value:
        return [
            "it is empty, and the backend takes even an empty endpoint for one: leave the key out for Amazon S3, or "
            "write the URL of the service, such as https://s3.example.com"
        ]
    if problems := _copy_problems(value):
        return problems
    scheme, separator, rest = value.partition("://")
    if not separator:
        return ["it has no scheme: it must be a URL, such as https://s3.example.com or http://minio.minio.svc:9000"]
    if scheme.lower() not in ("http", "https"):
        return ["its scheme must be https or http"]
    authority, tail = _split(rest, "/?#")
    if "@" in authority:
        return ["it has a user or password in it: the access keys belong in keys of their own"]
    problems = _host_problems(authority, None)
    if re.fullmatch(r"/[^/]+/?|/*[?#].*", tail):
        problems.append(
            "it has something after the host (a bucket?): it must end there; the buckets are named in settings of "
            "their own"
        )
    return problems


def s3_region_problems(value: str) -> list[str]:
    """What is wrong with a region: without one the backend keeps its files on the local disk for good."""
    if not value:
        return [
            "it is empty: without a region the backend ignores S3 and pins its database to local files; a service "
            "that has no regions takes any word, such as us-east-1 (Cloudflare R2: auto)"
        ]
    if problems := _copy_problems(value):
        return problems
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
        return ["it must be the name of a region, such as eu-central-1: letters, digits, `-` and `_`"]
    return []


def s3_access_key_id_problems(value: str) -> list[str]:
    """What is wrong with an access key id."""
    if problems := _copy_problems(value):
        return problems
    if not re.fullmatch(r"[!-~]+", value):
        return ["it must be one word of printable ASCII characters"]
    if re.search(r"[/=,]", value):
        return ["it has a character in it (`/`, `=` or `,`) that an access key id cannot have: is it the secret key?"]
    return []


def s3_secret_access_key_problems(value: str) -> list[str]:
    """What is wrong with a secret access key."""
    if problems := _copy_problems(value):
        return problems
    if not re.fullmatch(r"[!-~]+", value):
        return ["it must be one word of printable ASCII characters"]
    if re.fullmatch(r"(AKIA|ASIA)[A-Z0-9]{16}", value):
        return ["it looks like an access key id: the secret access key is the longer one of the two"]
    return []


def _copy_problems(value: str) -> list[str]:
    """Faults of copying, after which nothing else needs to be looked at."""
    if not value:
        return ["it is empty"]
    if not value.strip():
        return ["it is only white space"]
    if value.endswith(("\n", "\r")):
        return ["it has a line break at its end (`printf %s`, and not `echo`, writes none)"]
    if value != value.strip():
        return ["it has white space before or after it"]
    if any(character.isspace() or not character.isprintable() for character in value):
        return ["it has white space or a control character in it"]
    if value[0] in "\"'`" or value[-1] in "\"'`":
        return ["it has quotes around it, which would be part of the value"]
    return []


def _is_base64_of_32_bytes(value: str) -> bool:
    try:
        return (
            len(base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), None, True)) == 32
        )
    except (binascii.Error, ValueError):
        return False


def _database_name_problems(name: str, engine: Engine) -> list[str]:
    longest, title = _LONGEST_DATABASE_NAME[engine], TITLES[engine]
    if len(name.encode()) > longest:
        return [
            f"it has {len(name.encode())} bytes, and the database is named after it: {title} takes names of at most "
            f"{longest}"
        ]
    if name.lower() in _OWN_DATABASES[engine]:
        return [f"the database would be named {name}, which is {title}'s own: choose another name"]
    return []


def _split(text: str, marks: str) -> tuple[str, str]:
    """Cut before the first of `marks`."""
    cut = next((position for position, character in enumerate(text) if character in marks), len(text))
    return text[:cut], text[cut:]


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
    path, query = _split(tail, "?#")
    if "@" in path:
        return "/"
    # With the host in front of it, an `@` is harmless in a parameter's value: application_name=convex@production.
    names = [parameter.partition("=")[0] for parameter in query[1:].split("&")]
    return query[0] if any("@" in name for name in names) else None


def _host_and_port(text: str) -> tuple[str, str]:
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return match[1], match[2] or ""
    host, _, port = text.partition(":")
    return host, port


def _host_problems(text: str, engine: Engine | None) -> list[str]:
    host, port = _host_and_port(text)
    if not host:
        return [f"it has no host{f': it must read {_EXAMPLES[engine]}' if engine else ''}"]
    problems = []
    if re.search(r"[\\<>^|\[\]]", host):
        problems.append("its host has a character in it that no host name has")
    elif not _is_host(unquote(host)):
        problems.append("its host is not a host name: each part between its dots must have 1 to 63 characters")
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        problems.append(
            "its port is not a number from 1 to 65535"
            + (": is there an unescaped `/`, `?`, `#` or `@` in the password?" if engine else "")
        )
    return problems


def _is_host(host: str) -> bool:
    """Whether a name can be looked up at all; IPv6 addresses and paths of sockets are none."""
    if ":" in host or host.startswith("/"):
        return True
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


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
