"""The record of the files that were written into an environment's folder, in the format of `sha256sum`.

It tells later runs what is theirs to replace or remove. It names its environment: in a copy under another name it is
void.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from convexctl.project import RECORD

_HEADER = "# Written by convex-k8s for the environment "
_OWN_NAME = "# Named by --name, and made from the overlay "


def digest(content: bytes) -> str:
    """The digest that the record holds for a file."""
    return hashlib.sha256(content).hexdigest()


def recorded(root: Path, name: str) -> dict[str, str]:
    """The files that an earlier run wrote into the folder of an environment, with their digests.

    Empty if no run wrote it, or if it is a copy of another environment's folder.
    """
    owner, files = owner_and_files(root / name)
    return files if owner in ("", name) else {}


def written_folders(root: Path, known: Collection[str] = ()) -> set[str]:
    """The names of the folders below `root` that earlier runs wrote. A record of old that names no one is in doubt.

    Records of folders in `known` are not read: a fleet has thousands.
    """
    return {name for name in _recorded_folders(root, "") if name in known or owner_and_files(root / name)[0] == name}


def named_folders(root: Path, besides: Collection[str]) -> dict[str, str]:
    """The folders of environments that have no overlay of their own, each with the overlay it was made from.

    Those in `besides` are not read: a fleet has thousands.
    """
    found = {}
    for name in sorted(set(_recorded_folders(root, "")).difference(besides)):
        if owner_and_files(root / name)[0] != name:
            continue
        with (root / name / RECORD).open(encoding="utf-8", errors="replace") as lines:
            overlay = next((line.removeprefix(_OWN_NAME).strip() for line in lines if line.startswith(_OWN_NAME)), "")
        if overlay:
            found[name] = overlay
    return found


def _recorded_folders(root: Path, below: str) -> Iterator[str]:
    """The folders that hold a record. There is none in a folder that has one, and none in a hidden folder."""
    with suppress(OSError), os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            name = f"{below}{entry.name}"
            if os.path.lexists(os.path.join(entry.path, RECORD)):  # noqa: PTH118
                yield name
            else:
                yield from _recorded_folders(root, f"{name}/")


def owner_and_files(folder: Path) -> tuple[str, dict[str, str]]:
    """The environment that the record in `folder` names (empty in a record of 0.1), and its files."""
    path = folder / RECORD
    if not path.is_file():
        return "", {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    owner = next((line.removeprefix(_HEADER) for line in lines if line.startswith(_HEADER)), "")
    pairs = [match.groups() for line in lines if (match := re.fullmatch(r"([0-9a-f]{64})  (.+)", line))]
    return owner, {name: checksum for checksum, name in pairs if Path(name).name == name}


def record_text(name: str, contents: Mapping[str, bytes], overlay: str = "") -> bytes:
    """The record of the files that are written for an environment, with the overlay if it has another name."""
    own_name = [f"{_OWN_NAME}{overlay}\n"] if overlay else []
    lines = [f"{digest(content)}  {file}\n" for file, content in sorted(contents.items())]
    return "".join([f"{_HEADER}{name}\n", *own_name, *lines]).encode()
