"""Knows by content whether `synth` has anything to do: it reads the files and imports neither cdk8s nor pydantic.

The record is in the user's cache folder, because `dist/` is committed. It holds digests of everything that decides the
output (the overlays, further values, this program, the installed packages, Python, Node.js) and of the output itself.
A record that is wrong, old or gone can only cause work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_FORMAT = 1
_KEPT = 100
"""So many records are kept, the newest ones: one for each repository, folder and command line."""
_PROGRAM = (Path(__file__).parents[1], Path(__file__).parents[2] / "constructs" / "convex_k8s")
_RECORD = ".convex-k8s"


class Known(NamedTuple):
    """What a run that has nothing to do prints: the warnings, the number of objects of each environment, and the
    accepted findings."""

    warnings: list[str]
    objects: dict[str, int]
    accepted: Sequence[str] = ()


class Memory:
    """What is known of one command line in one working directory."""

    def __init__(self, overlays: Path, target: Path, request: Sequence[str], values_files: Sequence[Path]) -> None:
        self._overlays, self._target, self._values_files = overlays, target, values_files
        key = json.dumps([_FORMAT, os.getcwd(), str(overlays), str(target), *request])  # noqa: PTH109
        self._file = _cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        self._machine = [platform.python_version(), *_packages(), *_node()]
        self._inputs = self._digest_of_inputs()

    def recall(self) -> Known | None:
        """What the last run found, if everything is as it left it."""
        try:
            record = json.loads(self._file.read_bytes())
            if record["inputs"] == self._inputs and record["outputs"] == self._outputs(record["objects"]):
                return Known(record["warnings"], record["objects"], record["accepted"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def keep(self, known: Known) -> None:
        """Remember a run that is done, unless something changed while it ran. Where nothing can be kept, nothing is."""
        with contextlib.suppress(OSError):
            if self._digest_of_inputs() != self._inputs:
                return
            record = {"inputs": self._inputs, "outputs": self._outputs(known.objects), **known._asdict()}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(record), encoding="utf-8")
            beside.replace(self._file)
            _forget_the_oldest(self._file.parent)

    def _digest_of_inputs(self) -> str:
        lines = list(self._machine)
        for folder in _PROGRAM:
            lines += (_line(path, folder) for path in _files(folder, ("", ".pyc")))
        lines += (_line(path, self._overlays) for path in _files(self._overlays, (), (".yaml", ".yml")))
        lines += (_line(path, Path()) for path in map(str, self._values_files))
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()

    def _outputs(self, names: Iterable[str]) -> str:
        """A digest of the folders that were written, with the names of all files in them, and of their number."""
        root = str(self._target)
        lines = sorted(_written(root, ""))
        for name in names:
            for file in sorted(os.listdir(os.path.join(root, name))):  # noqa: PTH118, PTH208
                lines.append(_line(os.path.join(root, name, file), self._target))  # noqa: PTH118
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _line(path: str, folder: Path) -> str:
    """A path with the digest of its content; of what is no plain file, only that."""
    name = os.path.relpath(path, folder)
    if os.path.islink(path) or not os.path.isfile(path):  # noqa: PTH113, PTH114
        return f"{name} {os.path.islink(path)}"  # noqa: PTH114
    with open(path, "rb") as file:  # noqa: PTH123
        return f"{name} {hashlib.sha256(file.read()).hexdigest()}"


def _files(folder: Path, without: Sequence[str] = (), only: Sequence[str] = ()) -> Iterator[str]:
    """All files below a folder, in a fixed order."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            ending = os.path.splitext(name)[1]  # noqa: PTH122
            if ending not in without and (not only or ending in only):
                yield os.path.join(place, name)  # noqa: PTH118


def _written(root: str, below: str) -> Iterator[str]:
    """The folders below the output folder that hold a record, and what a killed run left."""
    with os.scandir(os.path.join(root, below)) as entries:  # noqa: PTH118
        for entry in entries:
            if entry.name.startswith(_RECORD) and not below:
                yield entry.name
            elif entry.is_dir(follow_symlinks=False):
                name = os.path.join(below, entry.name)  # noqa: PTH118
                if os.path.lexists(os.path.join(root, name, _RECORD)):  # noqa: PTH118
                    yield name
                else:
                    yield from _written(root, name)
            elif not below and entry.is_symlink():
                yield f"{entry.name} is a link"


def _packages() -> list[str]:
    """The installed packages with their versions, as their folders are named."""
    folders = [path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path)]  # noqa: PTH112
    return sorted(name for path in folders for name in os.listdir(path) if name.endswith(".dist-info"))  # noqa: PTH208


def _node() -> Iterator[str]:
    """What tells one Node.js from another without starting it. The bundled one is among the packages."""
    for program in (os.environ.get("JSII_NODE"), shutil.which("node")):
        if program:
            with contextlib.suppress(OSError):
                about = os.stat(program)  # noqa: PTH116
                yield f"{program} {about.st_size} {about.st_mtime_ns}"


def _cache_folder() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "convex-k8s"  # noqa: PTH117


def _forget_the_oldest(folder: Path) -> None:
    records = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for record in records[_KEPT:]:
        record.unlink(missing_ok=True)
