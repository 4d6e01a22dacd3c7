"""Overlays: one YAML file per environment, found, layered (`extends`, `-f`) and checked into `Values`."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from convex_k8s.problems import Problem, ValuesError, dotted
from convex_k8s.secrecy import secret_in
from convex_k8s.values import Values
from convex_k8s.values.messages import must_be

from convexctl import regular_files
from convexctl.located_yaml import DocumentError, Located, Place, load_all
from convexctl.overlays.command_line_values import OPTION, Name, Setting, check_name, command_line, name_given
from convexctl.overlays.names import OverlayError, extended, name_fault, overlay_file, own_name_faults, place_faults
from convexctl.overlays.unfit_texts import unfit_texts

EXTENDS = "extends"
_LONGEST_CHAIN = 100
_SHOWN_AT_ONCE = 5
_PLACE = re.compile(r"[^:\n]+:\d+: \S+: ")
"""File, line and key at the beginning of a message."""


@dataclass(frozen=True)
class Overlay:
    """One environment: its name (the file's, without ending), its checked values and the warnings about them."""

    name: str
    values: Values
    warnings: list[str]
    source: Located | None = field(default=None, repr=False, compare=False)
    """The overlay with the places of its values."""
    overlay: str = ""
    """The overlay that the environment is made from, where `--name` gives it another name."""
    command_line: str = ""
    """The words that name it on a command line then."""

    @property
    def file_name(self) -> str:
        """The name of the overlay's file, without its folder and ending."""
        return self.overlay or self.name

    @property
    def asked(self) -> str:
        """The words by which a command line names the environment."""
        return self.command_line or self.name

    def faults(self, problems: Iterable[Problem]) -> list[str]:
        """What is wrong with the overlay, each with its place."""
        located = self.source or Located({}, Place(self.name, 0))
        return [_message(located, problem) for problem in problems]


@dataclass
class Faults:
    """What is wrong with several overlays: messages, each with the overlays that it has to name, if any."""

    about: dict[str, list[str]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    """The overlays that cannot be used."""

    def add(self, others: Faults) -> None:
        """Add what is wrong with others."""
        for message, names in others.about.items():
            self.about.setdefault(message, []).extend(names)
        self.wrong |= others.wrong

    def check(self, folder: Path) -> None:
        """Raise `OverlayError` if anything is wrong."""
        if self.about:
            messages = [_attributed(folder, message, its) for message, its in self.about.items()]
            raise OverlayError(messages, about=self.wrong)


def load_overlays(folder: Path, names: Iterable[str], values_files: Iterable[Path | Setting] = ()) -> list[Overlay]:
    """Read, layer and check the named overlays, with the values files and settings merged on top of each.

    With `--name` among the settings it is one overlay, and the environment has that name. Raises `OverlayError` with
    every fault of every overlay.
    """
    overlays, faults = read_overlays(folder, names, values_files)
    faults.check(folder)
    return overlays


def read_overlays(
    folder: Path, names: Iterable[str], values_files: Iterable[Path | Setting]
) -> tuple[list[Overlay], Faults]:
    """The named overlays that are right, with the values files and settings, and what is wrong with the others."""
    faults: dict[str, list[str]] = {}
    overlays: list[Overlay] = []
    extra: list[Located] = []
    values_files, names, wrong = list(values_files), list(names), set[str]()
    if own_name := name_given(values_files):
        check_name(values_files, names)
        faults |= {f"--name {own_name}: {fault}": [] for fault in own_name_faults(folder, own_name)}
    for file in sorted(values_files, key=lambda each: not isinstance(each, Name)):
        try:
            extra.append(file.layer if isinstance(file, Setting) else _read_values(file))
        except OverlayError as error:
            faults |= {message: [] for message in error.messages}
    for name in names:
        try:
            located = layer(folder, name)
            if (fault := name_fault(name)) and not own_name:
                raise OverlayError([f"{overlay_file(folder, name)}: {fault}"])
            if (within := place_faults(folder, name)) and not own_name:
                raise OverlayError(within)
            for layered in extra:
                located = merged(located, layered)
        except OverlayError as error:
            faults |= {message: [] for message in error.messages}
            wrong.add(name)
            continue
        try:
            given = (each.layer.place.file if isinstance(each, Setting) else str(each) for each in values_files)
            own = {str(overlay_file(folder, name)), *given}
            overlay = _checked(name, located, own)
            if own_name:
                words = command_line(name, values_files)
                overlay = replace(overlay, name=own_name, overlay=name, command_line=words)
            overlays.append(overlay)
        except OverlayError as error:
            wrong.add(name)
            for message in error.messages:
                faults.setdefault(message, []).append(name)
    return overlays, Faults(faults, wrong)


def _attributed(folder: Path, message: str, names: list[str]) -> str:
    """A message with the overlays that it is about, where its line stands in another file: that may be right alone."""
    if not names or any(message.startswith((f"{file}:", f"{file} ")) for file in _files(folder, names)):
        return message
    shown, more = names[:_SHOWN_AT_ONCE], len(names) - _SHOWN_AT_ONCE
    return f"{message} (in {', '.join(shown)}{f' and {more} more overlays' if more > 0 else ''})"


def told_once(folder: Path, faults: Mapping[str, Iterable[str]]) -> list[str]:
    """What is wrong with environments, by overlay: one message for one place in a file that several extend.

    Such messages may differ in the names of the environments' objects: then the first one counts for all.
    """
    groups: dict[tuple[str, int], dict[str, str]] = {}
    for name, messages in faults.items():
        seen: dict[str, int] = {}
        for message in messages:
            match = _PLACE.match(message)
            place = match[0] if match else message
            seen[place] = seen.get(place, -1) + 1
            groups.setdefault((place, seen[place]), {})[name] = message
    return [_attributed(folder, next(iter(its.values())), list(its)) for its in groups.values()]


def _files(folder: Path, names: list[str]) -> list[Path]:
    return [overlay_file(folder, name) for name in names]


def warnings_of(folder: Path, overlays: Iterable[Overlay]) -> list[str]:
    """The warnings about all overlays, each once, with the overlays that it is about where that is not plain."""
    return attributed(folder, {overlay.file_name: overlay.warnings for overlay in overlays})


def attributed(folder: Path, warnings: Mapping[str, Iterable[str]]) -> list[str]:
    """Warnings by overlay as one list: each once, with the overlays that it is about where that is not plain."""
    about: dict[str, list[str]] = {}
    for name, its in warnings.items():
        for warning in its:
            about.setdefault(warning, []).append(name)
    return [_attributed(folder, warning, names) for warning, names in about.items()]


def layer(folder: Path, name: str, children: tuple[str, ...] = ()) -> Located:
    """The overlay's values on top of those it extends, with places and without the `extends` keys."""
    file = overlay_file(folder, name)
    located = _read(file)
    parent = located.value.pop(EXTENDS, None)
    if parent is None or parent.value is None:
        return located
    if not isinstance(parent.value, str):
        raise OverlayError([f"{parent.place}: {EXTENDS}: must be the name of one other overlay"])
    chain, above = (*children, name), extended(folder, name, parent.value)
    if above in chain:
        loop = " -> ".join([*chain[chain.index(above) :], above])
        raise OverlayError([f"{parent.place}: {EXTENDS}: the overlays extend each other in a loop: {loop}"])
    if len(chain) > _LONGEST_CHAIN:
        raise OverlayError([f"{parent.place}: {EXTENDS}: is a chain of more than {_LONGEST_CHAIN} overlays"])
    try:
        overlay_file(folder, above)
    except OverlayError as error:
        raise OverlayError([f"{parent.place}: {EXTENDS}: {error.messages[0]}"]) from None
    return merged(layer(folder, above, chain), located)


def lineage(folder: Path, name: str) -> list[str]:
    """The overlay and those that it extends, as far as they can be read."""
    chain: list[str] = []
    while name not in chain and len(chain) <= _LONGEST_CHAIN:
        chain.append(name)
        try:
            parent = _read(overlay_file(folder, name)).value.get(EXTENDS)
        except OverlayError:
            break
        if parent is None or not isinstance(parent.value, str):
            break
        name = extended(folder, name, parent.value)
    return chain


def merged(base: Located, top: Located) -> Located:
    """`top` laid over `base`: maps merge key by key, anything else replaces, and `null` stays to say "removed"."""
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    result = dict(base.value)
    for key, item in top.value.items():
        result[key] = merged(result[key], item) if key in result else item
    return Located(result, top.place)


def _read_values(file: Path) -> Located:
    located = _read(file)
    if EXTENDS in located.value:
        place = located.value[EXTENDS].place
        raise OverlayError([f"{place}: {EXTENDS}: only an overlay extends another: give a further file with --values"])
    return located


def _read(file: Path) -> Located:
    try:
        documents = _documents(regular_files.read_text(file, "utf-8-sig"), str(file))
    except DocumentError as error:
        raise OverlayError([f"{place}: {message}" for place, message in error.faults]) from None
    except OSError as error:
        raise OverlayError([f"{file}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise OverlayError([f"{file}: is not a text file in UTF-8"]) from None
    if len(documents) > 1:
        raise OverlayError([f"{documents[1].place}: holds a second YAML document: an overlay is one"])
    start = Place(str(file), 1)
    if not documents or documents[0].value is None:
        return Located({}, start)
    if not isinstance(documents[0].value, dict):
        raise OverlayError([f"{documents[0].place}: must be a map of parameters at the top"])
    return Located(dict(documents[0].value), start)


@functools.lru_cache(maxsize=16)
def _documents(text: str, file: str) -> list[Located]:
    """The documents of a file. A base is read for every overlay that extends it, and taken apart once."""
    return load_all(text, file)


def _checked(name: str, located: Located, own: Collection[str]) -> Overlay:
    """The overlay. `own` are the files that are its own, unlike those that it extends."""

    def counts(problem: Problem) -> bool:
        return not problem.own or located.at(problem.path).file in own

    faults: list[Problem] = []
    try:
        values = Values.parse(located.plain())
        faults = [problem for problem in values.own_errors if counts(problem)]
    except ValuesError as error:
        faults = [problem for problem in error.problems if counts(problem)]
    told = {problem.path for problem in faults}
    faults += [problem for problem in unfit_texts(located, ()) if problem.path not in told]
    if faults:
        faults.sort(key=lambda problem: (located.at(problem.path).file, located.at(problem.path).line))
        raise OverlayError([_message(located, problem, own) for problem in faults])
    warnings = [_message(located, problem, own) for problem in values.warnings if counts(problem)]
    return Overlay(name, values, warnings, located)


def _message(located: Located, problem: Problem, own: Collection[str] = ()) -> str:
    told = itertools.takewhile(lambda part: isinstance(part, int) or not secret_in(part), problem.path)
    place = _place(located, problem, own)
    parted = place.file == OPTION and problem.message.startswith(must_be("string_type", {}))
    hint = " (a dot inside a key is written as \\.)" if parted else ""
    return f"{place}: {dotted(tuple(told))}: {problem.message}{hint}"


def _place(located: Located, problem: Problem, own: Collection[str]) -> Place:
    """Where the problem is. The place of a missing key is the line of the overlay that makes the key needed."""
    nearest = located.at(problem.path)
    if located.has(problem.path) or nearest.file in own:
        return nearest
    causes = [located.at(path) for path in problem.depends_on if located.has(path)]
    return next((place for place in causes if place.file in own), nearest)
