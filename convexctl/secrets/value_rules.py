"""What the backend accepts in its Secrets, and what is wrong with a value that it would not.

Every `…_problems` function takes a value and returns one text for each thing that is wrong with it: none means that the
backend takes it. A text says what would be right and never holds the value. What is accepted comes from upstream: the
server's instance secret and its S3 client. `database_url` has the URLs of databases.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Literal
from urllib.parse import unquote

Engine = Literal["postgres", "mysql"]
"""The server that a database URL belongs to."""

TITLES: dict[Engine, str] = {"postgres": "Postgres", "mysql": "MySQL"}

_LONGEST_DATABASE_NAME: dict[Engine, int] = {"postgres": 63, "mysql": 64}
_OWN_DATABASES: dict[Engine, frozenset[str]] = {
    "postgres": frozenset({"template0", "template1"}),
    "mysql": frozenset({"mysql", "sys", "information_schema", "performance_schema"}),
}
EXAMPLES: dict[Engine, str] = {
    "postgres": "postgresql://user:password@host:5432",
    "mysql": "mysql://user:password@host:3306",
}
"""A URL of each server, for messages."""


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
    if problems := copy_problems(value):
        return problems
    right = "64 hex digits (32 bytes), as `openssl rand -hex 32` prints them"
    if _is_base64_of_32_bytes(value):
        return [f"it is base64, and the backend reads hex only: write the same 32 bytes as {right}"]
    if re.fullmatch(r"[0-9a-fA-F]+", value):
        return [f"it has {len(value)} hex digits, and must have {right}"]
    return [f"it must be {right}"]


def instance_name_problems(value: str, engine: Engine | None = None) -> list[str]:
    """What is wrong with an instance name, with the database that is named after it (None: SQLite)."""
    if problems := copy_problems(value):
        return problems
    problems = []
    if ":" in value or "|" in value:
        problems.append("it must not have `:` or `|` in it: an admin key reads <instance name>|<hex>")
    elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value):
        problems.append("it must begin with a letter and have only letters, digits, `-` and `_` after it")
    if engine is not None:
        problems += _database_name_problems(database_name(value), engine)
    return problems


def s3_endpoint_problems(value: str) -> list[str]:
    """What is wrong with an S3 endpoint. For Amazon itself there is none: the variable must be absent, not empty.

    A path of one part is taken for a bucket and refused. Longer ones pass: some services answer under one.
    """
    if not value:
        return [
            "it is empty, and the backend takes even an empty endpoint for one: leave the key out for Amazon S3, or "
            "write the URL of the service, such as https://s3.example.com"
        ]
    if problems := copy_problems(value):
        return problems
    scheme, separator, rest = value.partition("://")
    if not separator:
        return ["it has no scheme: it must be a URL, such as https://s3.example.com or http://minio.minio.svc:9000"]
    if scheme.lower() not in ("http", "https"):
        return ["its scheme must be https or http"]
    authority, tail = split_before(rest, "/?#")
    if "@" in authority:
        return ["it has a user or password in it: the access keys belong in keys of their own"]
    problems = host_problems(authority, None)
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
    if problems := copy_problems(value):
        return problems
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
        return ["it must be the name of a region, such as eu-central-1: letters, digits, `-` and `_`"]
    return []


def s3_access_key_id_problems(value: str) -> list[str]:
    """What is wrong with an access key id."""
    if problems := copy_problems(value):
        return problems
    if not re.fullmatch(r"[!-~]+", value):
        return ["it must be one word of printable ASCII characters"]
    if re.search(r"[/=,]", value):
        return ["it has a character in it (`/`, `=` or `,`) that an access key id cannot have: is it the secret key?"]
    return []


def s3_secret_access_key_problems(value: str) -> list[str]:
    """What is wrong with a secret access key."""
    if problems := copy_problems(value):
        return problems
    if not re.fullmatch(r"[!-~]+", value):
        return ["it must be one word of printable ASCII characters"]
    if re.fullmatch(r"(AKIA|ASIA)[A-Z0-9]{16}", value):
        return ["it looks like an access key id: the secret access key is the longer one of the two"]
    return []


def copy_problems(value: str) -> list[str]:
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


def split_before(text: str, marks: str) -> tuple[str, str]:
    """Cut before the first of `marks`."""
    cut = next((position for position, character in enumerate(text) if character in marks), len(text))
    return text[:cut], text[cut:]


def host_and_port(text: str) -> tuple[str, str]:
    """Host and port of a URL; an IPv6 address without its brackets. The port is empty if none is given."""
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return match[1], match[2] or ""
    host, _, port = text.partition(":")
    return host, port


def host_problems(text: str, engine: Engine | None) -> list[str]:
    """What is wrong with host and port of a URL; `engine` if it is a database's."""
    host, port = host_and_port(text)
    if not host:
        return [f"it has no host{f': it must read {EXAMPLES[engine]}' if engine else ''}"]
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
