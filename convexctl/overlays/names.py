"""The names of overlays: a file is an environment, also in a sub-folder (`tenants/acme`), or a base (`_tenant`)."""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from convexctl.errors import UserError
from convexctl.project import PROGRAM, RECORD

SEALED_FOLDER = "sealed"
"""The folder of the sealed files, below that of the overlays. It is the only one that holds no overlays."""
ENDINGS = (".yaml", ".yml")
"""Endings of overlays' files, the preferred one first."""
_LONGEST_NAME = 255
"""Bytes in the name of a file: the system answers a longer one with an error."""
_LONGEST_SHOWN = 63
_SHOWN_AT_ONCE = 20
_NOT_A_FILE = "is not a file: a link to nowhere, or a named pipe"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class OverlayError(UserError):
    """Overlays that cannot be used. `messages` are all faults of all overlays, each with its file and line."""

    def __init__(self, messages: list[str], warnings: Iterable[str] = (), about: Iterable[str] = ()) -> None:
        unique = list(dict.fromkeys(messages))
        count = f"{len(unique)} error{'' if len(unique) == 1 else 's'}"
        told = [f"warning: {warning}" for warning in warnings]
        super().__init__("\n".join([*told, *unique, f"{count}; nothing was written"]), about=about)
        self.messages = unique


def overlay_names(folder: Path) -> list[str]:
    """The names of all overlays in `folder` and its sub-folders, sorted.

    A file or folder whose name begins with `_` is a base for others only. Hidden folders, links to folders and folders
    of environments are left out. Raises `OverlayError` when the folder is not there, holds no overlay, or one whose
    name makes no folder name.
    """
    if not folder.is_dir():
        remedy = f"; `{PROGRAM} init` makes a repository" if PROGRAM == "convex-k8s" else ""
        raise OverlayError([f"{folder}: there is no such folder of overlays{remedy}"])
    unreadable: list[str] = []
    files = {file: name for file, name in _files(folder, unreadable=unreadable) if not _is_base(name)}
    names = list(files.values())
    bad = [f"{folder / file}: {_NOT_A_FILE}" for file in unreadable]
    bad += [f"{folder / file}: {fault}" for file, name in files.items() if (fault := name_fault(name))]
    once = set(names)
    twice = []
    if len(once) < len(names):
        twice = [
            f"{folder}: {name}.yaml and {name}.yml are both there: keep one" for name in once if names.count(name) > 1
        ]
    if bad or twice:
        raise OverlayError([*bad, *sorted(twice)])
    if not names:
        raise OverlayError([f"{folder}: holds no overlay: write one, for instance {folder}/local.yaml"])
    return names


def named_overlays(folder: Path, asked: Sequence[str]) -> list[str]:
    """The overlays that a command line names: all of them where it names none, and those that match its patterns.

    `*` stands for anything but `/`, and `**` for any number of folders. Raises `OverlayError` for a pattern that
    matches nothing.
    """
    if not asked:
        return overlay_names(folder)
    found: dict[str, None] = {}
    faults = []
    known: list[str] | None = None
    for name in asked:
        if not is_pattern(name):
            found[name] = None
            continue
        known = overlay_names(folder) if known is None else known
        matching = [each for each in known if _matches(each.split("/"), name.split("/"))]
        found |= dict.fromkeys(matching)
        if not matching:
            faults.append(f"no overlay in {folder} matches {_shown(name)}: there are: {_listed(known)}")
    if faults:
        raise OverlayError(faults)
    return list(found)


def is_pattern(name: str) -> bool:
    """Whether a name on the command line is a pattern for several."""
    return any(sign in name for sign in "*?[")


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def name_fault(name: str) -> str:
    """Why a name cannot be an environment's name; empty if it can."""
    parts = name.split("/")
    if all(_NAME.fullmatch(part) for part in parts):
        return "" if parts[0] != SEALED_FOLDER or len(parts) == 1 else f"{SEALED_FOLDER}/ holds sealed files"
    if _is_base(name):
        return "is a base for other overlays, as its name begins with _: name one that extends it"
    fault = "an overlay's name must be lower-case letters, digits and dashes, because it names a folder"
    bad = [part for part in parts if not _NAME.fullmatch(part)]
    return fault if len(parts) == 1 else f"{fault}, and so must that of each of its folders: {_shown(bad[0])} is not"


def place_faults(folder: Path, name: str) -> list[str]:
    """The overlays whose folders in `dist/` would lie in this one's, or the other way round, one message for each."""
    pairs = [(outer, name) for outer in _above(name) if _file(folder, outer)]
    if name != SEALED_FOLDER and (folder / name).is_dir():
        pairs += [(name, each) for _, each in _files(folder, f"{name}/") if not _is_base(each)]
    return [
        f"{_file(folder, outer)} and {_file(folder, inner)}: dist/{outer} would hold dist/{inner}: rename one of them"
        for outer, inner in pairs
    ]


def own_name_faults(folder: Path, name: str) -> list[str]:
    """What keeps `--name` from giving an environment this name: overlays in the same place."""
    if _file(folder, name):
        return [f"there is an overlay of that name, {_file(folder, name)}: choose another name"]
    outer = [each for each in _above(name) if _file(folder, each)]
    inner = [each for _, each in _files(folder, f"{name}/")] if (folder / name).is_dir() else []
    faults = [f"would be in dist/{each}, the folder of the overlay {_file(folder, each)}" for each in outer]
    faults += [f"dist/{name} holds dist/{each} of the overlay {_file(folder, each)}" for each in inner[:1]]
    return [f"{fault}: choose another name" for fault in faults]


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def overlay_file(folder: Path, name: str) -> Path:
    """The file of an overlay. Raises `OverlayError`, with the name that was probably meant, when there is none."""
    if file := _file(folder, name):
        return file
    for ending in ENDINGS:
        file = folder / f"{name}{ending}"
        if os.path.lexists(file) and not (file.is_file() or file.is_dir()):
            raise OverlayError([f"{file}: {_NOT_A_FILE}"])
    known = sorted({each for _, each in _files(folder)}) if folder.is_dir() else []
    raise OverlayError([f"there is no overlay {_shown(name)} in {folder}: {_meant(name, known)}"])


def extended(folder: Path, name: str, parent: str) -> str:
    """The full name of the overlay that the overlay `name` extends as `parent`: one in its own folder goes first."""
    own, _, _ = name.rpartition("/")
    beside = f"{own}/{parent}"
    return beside if own and "/" not in parent and _file(folder, beside) else parent


def _file(folder: Path, name: str) -> Path | None:
    parts = name.split("/")
    if len(parts) > 1 and (parts[0] == SEALED_FOLDER or any(not part or part.startswith(".") for part in parts)):
        return None
    if any(len(part.encode(errors="replace")) + len(ENDINGS[0]) > _LONGEST_NAME for part in parts):
        return None
    files = (folder / f"{name}{ending}" for ending in ENDINGS)
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113 - a path may be too long


def _files(folder: Path, below: str = "", unreadable: list[str] | None = None) -> Iterator[tuple[str, str]]:
    """The overlays and bases, sorted: the path of each from `folder`, and its name.

    What has such a name and is neither a file nor a folder is added to `unreadable`.
    """
    with os.scandir(folder / below) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if below and any(entry.name == RECORD for entry in found):
        return  # an environment, written below the overlays
    for entry in found:
        path = f"{below}{entry.name}"
        stem, ending = os.path.splitext(path)  # noqa: PTH122
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if path != SEALED_FOLDER:
                yield from _files(folder, f"{path}/", unreadable)
        elif ending in ENDINGS and entry.is_file():
            yield path, stem
        elif ending in ENDINGS and unreadable is not None and not entry.is_dir():
            unreadable.append(path)


def _is_base(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("/"))


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if not close:
        last = {each.rpartition("/")[2]: each for each in known if "/" in each}
        close = [last[each] for each in difflib.get_close_matches(name.rpartition("/")[2], last, n=1)]
    return f"did you mean {close[0]}?" if close else f"there are: {_listed(known)}"


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_SHOWN_AT_ONCE]) or "none"
    return shown if len(names) <= _SHOWN_AT_ONCE else f"{shown} and {len(names) - _SHOWN_AT_ONCE} more"


def _shown(name: str) -> str:
    from convex_k8s.secrecy import random_looking, secret_in

    return "of that name" if len(name) > _LONGEST_SHOWN or secret_in(name) or random_looking(name) else name
