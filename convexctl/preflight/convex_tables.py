"""Convex's tables in a database: whether they exist, and which kind of file storage the instance began with.

The layout is upstream's (its persistence version 5, on Postgres and MySQL alike): documents of all tables are in one
table, `documents`, in every revision, their JSON in `json_value`, under the id of their table. The table of tables is
found through `persistence_globals`; it has `_db`, whose only document holds the kind of storage.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from convexctl.preflight.check import Check, failed, ok, skipped

TABLES = frozenset({"documents", "indexes", "leases", "read_only", "persistence_globals"})
"""The tables that upstream makes at the first start."""
STORAGE_DIRECTORY = "/convex/data/storage"
"""Where the image keeps files that are not on S3; upstream refuses to start when it changes."""

Storage = Literal["s3", "local"]
"""The kinds of file storage."""
Query = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs one statement, whose parameters are written `%s`, and gives its rows."""


class UnknownLayoutError(Exception):
    """The database does not look as this module knows it. The message says where it does not."""


@dataclass(frozen=True)
class FirstStorage:
    """The kind of storage that a database was first started with."""

    kind: Storage
    where: str
    """The prefix in the buckets (`<instance name>-<uuid>/`), or the directory."""


def first_storage(query: Query, *, quote: str) -> FirstStorage | None:
    """Read which kind of storage was written into the database at the first start; None: none yet.

    `quote` is the engine's mark around names (`key` is a reserved word of MySQL). Raises UnknownLayoutError if the
    documents are not where they are expected.
    """
    rows = query(
        f"SELECT json_value FROM persistence_globals WHERE {quote}key{quote} = %s",  # noqa: S608  (a constant)
        ["tables_table_id"],
    )
    if not rows:
        return None
    tables = _table_id(_json(rows[0][0]))
    database_globals = None
    seen = set()
    for identity, value, deleted in query(
        "SELECT id, json_value, deleted FROM documents WHERE table_id = %s ORDER BY id, ts DESC", [tables]
    ):
        newest = bytes(identity) not in seen
        seen.add(bytes(identity))
        if newest and not deleted and _json(value).get("name") == "_db":
            database_globals = bytes(identity)
    if database_globals is None:
        raise UnknownLayoutError("there is no table `_db`")
    rows = query(
        "SELECT json_value, deleted FROM documents WHERE table_id = %s ORDER BY ts DESC LIMIT 1", [database_globals]
    )
    if not rows or rows[0][1]:
        raise UnknownLayoutError("the table `_db` is empty")
    return _storage(_json(rows[0][0]).get("storageType"))


def untold(name: str, server: str, reason: str, *, storage: str) -> Check:
    """A check that a server (`Postgres`, `MySQL`) answered with an error, in the server's words.

    That named `storage` is no failure: what was written at the first start need not be readable.
    """
    if name == storage:
        return skipped(name, f"unknown: {reason}")
    cure = f"see the server's log, and whether what answers there is {server} itself, not a proxy or another database"
    return failed(name, f"the server does not tell: {reason}", cure)


def storage_check(
    name: str, read: Callable[[], FirstStorage | None], expected: Storage | None, instance_name: str
) -> Check:
    """Compare the storage that a database began with to what the overlay says (None: nothing to compare to)."""
    try:
        found = read()
    except UnknownLayoutError as error:
        return skipped(name, f"unknown: {error}")
    if found is None:
        return ok(name, "not decided yet: the first start writes it")
    seen = f"began with {'S3' if found.kind == 's3' else 'local files'} ({found.where})"
    if expected and found.kind != expected:
        wanted = "S3" if expected == "s3" else "local files"
        return failed(
            name,
            f"{seen}, and the overlay says {wanted}: the backend refuses to start",
            f"set s3.enabled to {str(found.kind == 's3').lower()}, or export, begin with a new database, and import",
        )
    if found.kind == "s3" and not found.where.startswith(f"{instance_name}-"):
        return failed(
            name,
            f"{seen}, which belongs to another instance than {instance_name}: the backend refuses to start",
            "an instance cannot be renamed: use the name that it began with",
        )
    if found.kind == "local" and expected and found.where != STORAGE_DIRECTORY:
        return failed(
            name,
            f"{seen}, and the image uses {STORAGE_DIRECTORY}: the backend refuses to start",
            f"set STORAGE_DIR to {found.where} in backend.env, on a volume",
        )
    return ok(name, seen)


def _storage(value: object) -> FirstStorage | None:
    if value is None:
        return None
    if isinstance(value, dict):
        if value.get("tag") == "s3":
            return FirstStorage("s3", str(value.get("s3Prefix")))
        if value.get("tag") == "local":
            return FirstStorage("local", str(value.get("dir")))
    raise UnknownLayoutError("the kind of storage has another form")


def _json(value: Any) -> Any:
    try:
        parsed = json.loads(bytes(value))
    except ValueError:
        raise UnknownLayoutError("a document is no JSON") from None
    if not isinstance(parsed, dict | str):
        raise UnknownLayoutError("a document is not an object")
    return parsed


def _table_id(text: object) -> bytes:
    """Read an id: 16 bytes in URL-safe base64 without padding."""
    try:
        decoded = base64.b64decode(str(text) + "==", altchars=b"-_", validate=False)
    except binascii.Error:
        decoded = b""
    if len(decoded) != 16:
        raise UnknownLayoutError("the id of the table of tables has another form")
    return decoded
