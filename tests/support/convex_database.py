"""A database as upstream leaves it behind: the tables of its persistence and the documents that preflight reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

TABLES_ID, DB_ID, USERS_ID, GONE_ID = (bytes([number]) * 16 for number in (0xFB, 0xFE, 3, 4))
GLOBALS_ID = bytes([9]) * 16

_LAYOUT = """
CREATE TABLE documents (
    id {bytes} NOT NULL, ts BIGINT NOT NULL, table_id {bytes} NOT NULL, json_value {blob} NOT NULL,
    deleted BOOLEAN DEFAULT false, prev_ts BIGINT, PRIMARY KEY (ts, table_id, id)
);
CREATE INDEX documents_by_table_and_id ON documents (table_id, id, ts);
CREATE TABLE indexes (index_id {bytes} NOT NULL, ts BIGINT NOT NULL, PRIMARY KEY (index_id, ts));
CREATE TABLE leases (id BIGINT NOT NULL, ts BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE read_only (id BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE persistence_globals ({key} NOT NULL, json_value {blob} NOT NULL);
"""

S3 = {"tag": "s3", "s3Prefix": "convex-prod-0f8fad5b-d9cb-469f-a165-70867728950e/"}
LOCAL = {"tag": "local", "dir": "/convex/data/storage"}


def postgres_script(storage: object = None, **changes: Any) -> str:
    """SQL that makes the tables in Postgres, and the documents with this kind of storage."""
    layout = _LAYOUT.format(bytes="BYTEA", blob="BYTEA", key="key TEXT")
    return layout + _rows(lambda data: f"'\\x{data.hex()}'::bytea", "key", storage, **changes)


def mysql_script(storage: object = None, **changes: Any) -> str:
    """SQL that makes the tables in MySQL, and the documents with this kind of storage."""
    layout = _LAYOUT.format(bytes="VARBINARY(32)", blob="LONGBLOB", key="`key` VARCHAR(255)")
    return layout + _rows(lambda data: f"X'{data.hex()}'", "`key`", storage, **changes)


def _rows(
    binary: Callable[[bytes], str], key: str, storage: object, *, tables_id: object = None, tables: str = "_db"
) -> str:
    def document(identity: bytes, ts: int, table: bytes, value: object) -> str:
        deleted = "true" if value is None else "false"
        columns = f"{binary(identity)}, {ts}, {binary(table)}, {binary(json.dumps(value).encode())}, {deleted}"
        return f"INSERT INTO documents (id, ts, table_id, json_value, deleted) VALUES ({columns});"  # noqa: S608

    def table(name: str) -> dict[str, object]:
        return {"name": name, "number": 1.0, "state": "active"}

    def database_globals(kind: object) -> dict[str, object]:
        return {"version": {"$integer": "dgAAAAAAAAA="}, "awsPrefixSecret": "x", "storageType": kind}

    identity = tables_id or base64.urlsafe_b64encode(TABLES_ID).decode().rstrip("=")
    return "\n".join(
        [
            f"INSERT INTO persistence_globals ({key}, json_value) VALUES "  # noqa: S608
            f"('max_repeatable_ts', {binary(b'3')}), ('tables_table_id', {binary(json.dumps(identity).encode())});",
            document(TABLES_ID, 1, TABLES_ID, table("_tables")),
            document(GONE_ID, 1, TABLES_ID, table("_db")),
            document(GONE_ID, 2, TABLES_ID, None),
            document(USERS_ID, 1, TABLES_ID, table("users")),
            document(DB_ID, 1, TABLES_ID, table("_old_name")),
            document(DB_ID, 2, TABLES_ID, table(tables)),
            document(GLOBALS_ID, 1, GONE_ID, database_globals({"tag": "local", "dir": "/gone"})),
            document(GLOBALS_ID, 3, DB_ID, database_globals(None)),
            document(GLOBALS_ID, 4, DB_ID, database_globals(storage)),
            document(GLOBALS_ID, 5, USERS_ID, {"name": "_db", "storageType": {"tag": "local", "dir": "/users"}}),
        ]
    )
