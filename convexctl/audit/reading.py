"""Manifests from files, with the line of every field."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexctl import regular_files
from convexctl.audit import other_formats
from convexctl.audit.unrendered import (
    KUSTOMIZATIONS,
    chart_of_template,
    helm_chart,
    kind_without_manifests,
    kustomization,
    kustomizations,
)
from convexctl.behaviour import Source
from convexctl.errors import UserError
from convexctl.located_yaml import Budget, DocumentError, Located, Place, load_all
from convexctl.project import PROGRAM
from convexctl.tools.kustomize import can_render, render

ENDINGS = (".yaml", ".yml", ".json")
MOST_NODES = 3_000_000
"""Values in all inputs: the objects of a large cluster."""
MOST_LETTERS = 200_000_000
"""Letters in all inputs."""
_LARGEST_SOURCE = 1_000_000
"""Bytes of a file of another tool that is looked into without being named."""
_IMAGE = re.compile(r"convex-(backend|dashboard)\b")
_IDENTITY = (("kind",), ("metadata", "namespace"), ("metadata", "name"))
STDIN = "-"
STDIN_NAME = "stdin"


@dataclass(frozen=True)
class Documents:
    """Objects as plain data, each with what knows its lines, and what among the inputs holds no manifests."""

    located: tuple[Located, ...]
    unrendered: tuple[str, ...] = ()
    """A line for each input that has to be rendered first: what it is, and how."""
    _index: dict[tuple[str, ...], list[Located]] = field(default_factory=dict, repr=False)

    def plain(self) -> list[dict[str, Any]]:
        """The objects without places."""
        return [document.plain() for document in self.located]

    def repeated(self) -> list[str]:
        """A line for each pair of inputs with equal objects, which count once."""
        first: dict[tuple[str, ...], list[Located]] = {}
        pairs: Counter[tuple[str, str]] = Counter()
        for document in self.located:
            identity = tuple(_text(document, *path) for path in _IDENTITY)
            others = first.setdefault(identity, [])
            same = next((other for other in others if identity[-1] and other.plain() == document.plain()), None)
            if same is None:
                others.append(document)
            else:
                pairs[same.place.file, document.place.file] += 1
        return [f"{again}: {_again(file, again, count)}" for (file, again), count in pairs.items()]

    def place(self, source: Source) -> Place | None:
        """File and line of a field, or of the innermost field on the way to it; None for an object that is not here."""
        if not self._index:
            for document in self.located:
                self._index.setdefault(tuple(_text(document, *path) for path in _IDENTITY), []).append(document)
        found = self._index.get((source.kind, source.namespace, source.name), ())
        places = [document.at(source.keys()) for document in found]
        return min(places, key=lambda place: (place.file, place.line), default=None)


class _Reader:
    """Reads inputs one after the other, within one budget for all."""

    def __init__(self) -> None:
        self.budget = Budget(MOST_NODES)
        self.letters = 0
        self.documents: list[Located] = []
        self.unrendered: list[str] = []

    def path(self, path: str) -> None:
        if path == STDIN:
            try:
                text = regular_files.read_stream(sys.stdin.buffer, STDIN_NAME).decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"{STDIN_NAME}: {_reason(error)}") from None
            if said := other_formats.of_file(Path(STDIN_NAME), text):
                self.unrendered.append(f"{STDIN_NAME}: is {said}")
                return
            self.text(STDIN_NAME, text)
            return
        place = Path(path)
        if not place.exists():
            raise UserError(f"{path}: there is no such file or folder")
        if place.name in KUSTOMIZATIONS and place.is_file():
            place = place.parent
        if not place.is_dir():
            self.named(place)
            return
        done = [*self.kustomizations(place), *self.charts(place)]
        for file in sorted(file for file in place.rglob("*") if file.suffix in ENDINGS and not file.is_dir()):
            if file.name not in KUSTOMIZATIONS and not any(file.resolve().is_relative_to(folder) for folder in done):
                self.file(file)
        self.others(place)

    def named(self, file: Path) -> None:
        """Read a file that the user names: if nothing is in it, that is said."""
        before = len(self.documents), len(self.unrendered)
        self.file(file)
        if before == (len(self.documents), len(self.unrendered)):
            self.unrendered.append(f"{file}: holds no object of Kubernetes (apiVersion, kind, metadata)")

    def others(self, folder: Path) -> None:
        """Name what a folder has of other tools about Convex, each kind of it once."""
        said: dict[str, list[Path]] = {}
        for file in sorted(folder.rglob("*")):
            if file.name.endswith(other_formats.ENDINGS) and file.is_file() and (what := _about_convex(file)):
                said.setdefault(what, []).append(file)
        for what, files in said.items():
            more = f" ({len(files) - 1} more like it)" if len(files) > 1 else ""
            self.unrendered.append(f"{files[0]}: is {what}{more}")

    def kustomizations(self, folder: Path) -> list[Path]:
        """Render the kustomizations of a folder; returns the folders whose files need not be read any more."""
        found, parts = kustomizations(folder)
        shown = {root: os.path.relpath(root) for root in found}
        if len(found) == 1 and can_render():
            self.text(f"{shown[found[0]]} (rendered)", render(shown[found[0]]))
            return parts
        self.unrendered += [f"{shown[root]}: is {kustomization(shown[root])}" for root in found]
        return parts

    def charts(self, folder: Path) -> list[Path]:
        """Name the Helm charts of a folder; returns their folders, whose files are templates."""
        found = [file.parent for file in sorted(folder.rglob("Chart.yaml"))]
        self.unrendered += [f"{chart}: is {helm_chart(str(chart))}" for chart in found]
        return [chart.resolve() for chart in found]

    def file(self, file: Path) -> None:
        if (chart := chart_of_template(file)) is not None:
            self.unrendered.append(f"{chart}: is {helm_chart(str(chart))}")
            return
        try:
            text = regular_files.read_text(file)
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, UnicodeDecodeError) and (said := other_formats.by_name(file)):
                self.unrendered.append(f"{file}: is {said}")
                return
            raise UserError(f"{file}: {_reason(error)}") from None
        if said := other_formats.of_file(file, text):
            self.unrendered.append(f"{file}: is {said}")
            return
        self.text(str(file), text)

    def text(self, name: str, text: str) -> None:
        self.letters += len(text)
        if self.letters > MOST_LETTERS:
            raise UserError(f"{name}: the inputs have more than {MOST_LETTERS} letters: audit a part of them")
        for document in _load(text, name, self.budget):
            if said := kind_without_manifests(document):
                self.unrendered.append(f"{document.place}: is {said}")
            self.documents += _objects([document])


def read(paths: Iterable[str]) -> Documents:
    """Every manifest in files and folders; `-` is the standard input.

    A folder is read with all folders in it, its files ending in .yaml, .yml or .json; one that is a kustomization is
    rendered by the user's kubectl or kustomize. Raises `UserError` for a file that is not there or cannot be read as
    YAML or JSON.
    """
    reader = _Reader()
    for path in paths:
        reader.path(path)
    return Documents(tuple(reader.documents), tuple(dict.fromkeys(reader.unrendered)))


def nothing_found(documents: Documents | None, count: int = 0, notes: Iterable[str] = ()) -> UserError:
    """The error where no Convex is among the inputs: what they are instead, if that is known."""
    if documents and documents.unrendered:
        return UserError("\n".join(documents.unrendered))
    number = len(documents.located) if documents else count
    images = _naming_an_image(documents) if documents else ""
    said = (
        f"audit: no Convex backend or dashboard among {number} objects "
        "(if the image has another name: --image backend=NAME)"
    )
    return UserError("\n".join([said, *([images] if images else []), *notes]))


def _again(file: str, again: str, count: int) -> str:
    if file == again:
        return f"{count} of its objects are in it twice, and count once"
    return (
        f"{count} of its objects are equal to those in {file}, and count once: two environments differ in cluster, "
        "namespace or name"
    )


def _naming_an_image(documents: Documents) -> str:
    """A line about an object that names an image of Convex and is of a kind that is not read."""
    for document in documents.located:
        if (place := _place_of_image(document)) is not None:
            return f"{place}: a {_text(document, 'kind')} names an image of Convex, and audit does not read this kind"
    return ""


def _place_of_image(document: Located) -> Place | None:
    """Where an object names an image of Convex."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one.value, str) and _IMAGE.search(one.value):
            return one.place
        if isinstance(one.value, dict | list):
            waiting += one.value.values() if isinstance(one.value, dict) else one.value
    return None


def _about_convex(file: Path) -> str:
    """What a file of another tool is, if it names Convex; empty for any other."""
    try:
        if file.stat().st_size > _LARGEST_SOURCE:
            return ""
        text = regular_files.read_text(file)
    except (OSError, UnicodeDecodeError):
        return ""
    return other_formats.of_file(file, text) if "convex" in text.lower() else ""


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "is not text in UTF-8"


def _load(text: str, name: str, budget: Budget) -> list[Located]:
    try:
        return load_all(text, name, budget)
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
