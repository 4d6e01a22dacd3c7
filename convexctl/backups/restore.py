"""A restore through the API: upload, what the server says it will replace, confirmation, progress."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convexctl.errors import UserError
from convexctl.tools.convex_api import ConvexApi, ConvexError

Say = Callable[[str], None]

PART_BYTES = 16 * 1024 * 1024
MOST_PARTS = 9_999
_ATTEMPTS = 3
_LOOK_S = 1.0
_LISTING = "_tables/documents.jsonl"


def check_file(path: Path) -> None:
    """Read the whole ZIP. Raises `UserError` if it is damaged or not an export of Convex."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise UserError(f"{path}: is not a whole ZIP ({error}): nothing was uploaded") from None
    if damaged:
        raise UserError(f"{path}: is damaged at {damaged}: nothing was uploaded")
    if not any(name == _LISTING or name.endswith(f"/{_LISTING}") for name in names):
        raise UserError(f"{path}: is not an export of Convex: it has no {_LISTING}")


def upload(api: ConvexApi, path: Path, say: Say) -> str:
    """Upload a ZIP in parts and return the import's id. Nothing is replaced by this."""
    size = path.stat().st_size
    part_bytes = max(PART_BYTES, -(-size // MOST_PARTS))
    token, sent = api.start_upload(), 0
    tokens: list[Any] = []
    with path.open("rb") as file:
        while part := file.read(part_bytes):
            tokens.append(_send(api, token, len(tokens) + 1, part))
            sent += len(part)
            say(f"uploaded {sent * 100 // size} % of {size:,} bytes")
    return api.finish_upload(token, tokens)


def _send(api: ConvexApi, token: str, number: int, part: bytes) -> Any:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return api.upload_part(token, number, part)
        except ConvexError:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(attempt)
    raise AssertionError


def until_it_asks(api: ConvexApi, import_id: str) -> str:
    """Wait until the server asks for confirmation, and return what it says will be replaced."""
    while True:
        state = api.import_state(import_id)
        match state["state"]:
            case "waiting_for_confirmation":
                return str(state.get("message_to_confirm") or "The server lists nothing that it would replace.")
            case "uploaded":
                time.sleep(_LOOK_S)
            case "failed":
                raise UserError(f"the server refuses this backup: {state.get('error_message') or 'no reason given'}")
            case other:
                raise UserError(f"the import {import_id} is {other} without having asked: look at the dashboard")


def carry_out(api: ConvexApi, import_id: str, say: Say) -> str:
    """Confirm an import, follow it, and return the number of rows that were written.

    Raises `UserError` if the server says that it failed.
    """
    api.perform_import(import_id)
    told = ""
    while True:
        state = api.import_state(import_id)
        match state["state"]:
            case "completed":
                return str(state.get("num_rows_written", "?")).removesuffix(".0")
            case "failed":
                raise UserError(f"the import failed: {state.get('error_message') or 'no reason given'}")
            case _:
                progress = str(state.get("progress_message") or state["state"])
                if progress != told:
                    say(progress)
                told = progress
        time.sleep(_LOOK_S)
