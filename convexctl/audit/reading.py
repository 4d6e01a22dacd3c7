"""Manifests from files, with the line of every field."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexctl import regular_files
from convexctl.behaviour import Source
from convexctl.errors import UserError
from convexctl.located_yaml import DocumentError, Located, Place, load_all
from convexctl.project import PROGRAM

ENDINGS = (".yaml", ".yml", ".json")
MOST_NODES = 2_000_000
"""Values in one document: a whole cluster's objects in one List."""
STDIN = "-"
STDIN_NAME = "stdin"


@dataclass(frozen=True)
class Documents:
    """Objects as plain data, each with what knows its lines."""

    located: tuple[Located, ...]

    def plain(self) -> list[dict[str, Any]]:
        """The objects without places."""
        return [document.plain() for document in self.located]

    def place(self, source: Source) -> Place | None:
        """File and line of a field, or of the innermost field on the way to it; None for an object that is not here."""
        found: Place | None = None
        for document in self.located:
            key = tuple(_text(document, *path) for path in (("kind",), ("metadata", "namespace"), ("metadata", "name")))
            if key == (source.kind, source.namespace, source.name):
                found = document.at(source.keys())
        return found


def read(paths: Iterable[str]) -> Documents:
    """Every manifest in files and folders; `-` is the standard input.

    A folder is read with all folders in it, its files ending in .yaml, .yml or .json. Raises `UserError` for a file
    that is not there or cannot be read as YAML or JSON.
    """
    documents: list[Located] = []
    for path in paths:
        for name, text in _texts(path):
            documents += _objects(_load(text, name))
    return Documents(tuple(documents))


def _texts(path: str) -> Iterator[tuple[str, str]]:
    if path == STDIN:
        try:
            yield STDIN_NAME, sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{STDIN_NAME}: is no text in UTF-8") from None
        return
    place = Path(path)
    if not place.exists():
        raise UserError(f"{path}: there is no such file or folder")
    files = (
        sorted(file for file in place.rglob("*") if file.suffix in ENDINGS and not file.is_dir())
        if place.is_dir()
        else [place]
    )
    for file in files:
        try:
            yield str(file), regular_files.read_text(file)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
            raise UserError(f"{file}: {reason}") from None


def _load(text: str, name: str) -> list[Located]:
    try:
        return load_all(text, name, MOST_NODES)
    except DocumentError as error:
        try:
            # JSON that YAML cannot read, such as one indented with tabs: its lines are not known.
            return [_located(json.loads(text), Place(name, 1))]
        except (ValueError, RecursionError):
            pass
        hint = ""
        if "{{" in text:
            hint = f"\nThis looks like a template: render it first (helm template ... | {PROGRAM} audit -)"
        raise UserError(f"{error}{hint}") from None


def _located(value: object, place: Place) -> Located:
    if isinstance(value, dict):
        return Located({key: _located(item, place) for key, item in value.items()}, place)
    if isinstance(value, list):
        return Located([_located(item, place) for item in value], place)
    return Located(value, place)


def _objects(documents: Iterable[Located]) -> Iterator[Located]:
    for document in documents:
        if not isinstance(document.value, dict):
            continue
        items = document.value.get("items")
        kind = _text(document, "kind")
        if kind.endswith("List") and items is not None and isinstance(items.value, list):
            item_kind = Located(kind.removesuffix("List"), document.place)
            for item in items.value:
                if isinstance(item.value, dict) and "kind" not in item.value and item_kind.value:
                    yield Located({**item.value, "kind": item_kind}, item.place)
                else:
                    yield from _objects([item])
        elif kind:
            yield document


def _text(document: Located, *path: str) -> str:
    node = document
    for key in path:
        if not isinstance(node.value, dict) or key not in node.value:
            return ""
        node = node.value[key]
    return str(node.value) if node.value is not None else ""
