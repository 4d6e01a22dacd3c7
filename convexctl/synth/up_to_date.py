"""Knows by content whether `synth` has anything to do: it reads the files and imports neither cdk8s nor pydantic.

The record is in the user's cache folder, because `dist/` is committed. It holds digests of everything that decides the
output (the overlays, further values, this program, the installed packages, Python, Node.js) and of the output itself.
A record that is wrong, old or gone can only cause work.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from convexctl.overlays.names import ENDINGS, SEALED_FOLDER

_FORMAT = 2
_KEPT = 100
"""The number of records that are kept, the newest ones: one for each repository, folder and command line."""
_PROGRAM = (Path(__file__).parents[1], Path(__file__).parents[2] / "constructs" / "convex_k8s")
_RECORD = ".convex-k8s"


class Known(NamedTuple):
    """What a run that has nothing to do prints: the warnings, the number of objects of each environment, and the
    accepted findings."""

    warnings: list[str]
    objects: dict[str, int]
    accepted: Sequence[str] = ()


class Kept(NamedTuple):
    """What is known of one environment that is as the last run left it.

    `warnings` are those of its overlay, `told` and `accepted` come from the audit, and `shares` is what no other
    environment may have.
    """

    objects: int
    warnings: Sequence[str]
    told: Sequence[str]
    accepted: Sequence[str]
    shares: Mapping[str, Sequence[tuple[str, str]]]


class Memory:
    """What is known of one command line in one working directory."""

    def __init__(self, overlays: Path, target: Path, request: Sequence[str], values_files: Sequence[Path]) -> None:
        self._overlays, self._target, self._values_files = overlays, target, values_files
        self._digests: dict[str, str] = {}
        self._each: dict[str, dict[str, Any]] = {}
        key = json.dumps([_FORMAT, os.getcwd(), str(overlays), str(target), *request])  # noqa: PTH109
        self._file = _cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
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

    def environments(self) -> dict[str, Kept]:
        """The environments that are as the last run left them, though others are not."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self._parts.read_bytes())
            if record["program"] == self._program:
                self._each = {name: one for name, one in record["each"].items() if self._is_as_left(name, one)}
        return {name: Kept(**one["kept"]) for name, one in self._each.items()}

    def keep(self, known: Known, fresh: Mapping[str, tuple[Sequence[str], Kept]], *, whole: bool = True) -> None:
        """Remember a run that is done, unless something changed while it ran. Where nothing can be kept, nothing is.

        `fresh` are the environments that were made, each with the overlays that it consists of. If the run left others
        out, so that it was not `whole`, the next one has something to do.
        """
        with contextlib.suppress(OSError):
            if not self.is_current():
                return
            self._each = each = {
                name: one for name, one in self._each.items() if name in known.objects and name not in fresh
            }
            for name, (lineage, kept) in fresh.items():
                sources = {"lineage": list(lineage), "digest": self._sources(name, lineage)}
                each[name] = {**sources, "output": self._output(name), "kept": kept._asdict()}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _write(self._parts, {"program": self._program, "each": each})
            if whole:
                _write(self._file, {"inputs": self._inputs, "outputs": self._outputs(known.objects), **known._asdict()})
            _forget_the_oldest(self._file.parent)

    def is_current(self) -> bool:
        """Whether the inputs are what they were at the beginning. What is known of them is read again."""
        self._digests.clear()
        return self._digest_of_inputs() == self._inputs

    @property
    def _parts(self) -> Path:
        """The record of each environment, which a run that finds nothing to do never reads."""
        return self._file.with_suffix(".parts")

    def _is_as_left(self, name: str, one: Mapping[str, Any]) -> bool:
        return bool(one["digest"] == self._sources(name, one["lineage"]) and one["output"] == self._output(name))

    def _sources(self, name: str, lineage: Sequence[str]) -> str:
        """A digest of the files that an environment is made from, and of those that would come in their place."""
        folders = sorted({"", *(os.path.dirname(each) for each in lineage)})  # noqa: PTH120
        stems = [os.path.join(folder, os.path.basename(each)) for each in lineage for folder in folders]  # noqa: PTH118, PTH119
        stems.append(f"{SEALED_FOLDER}/{name}")
        root = str(self._overlays)
        places = [os.path.join(root, f"{stem}{ending}") for stem in stems for ending in ENDINGS]  # noqa: PTH118
        return _digest(self._digests.get(place, f"{place} is not there") for place in places)

    def _digest_of_inputs(self) -> str:
        for path in _files(self._overlays, (), ENDINGS):
            self._digests[path] = _line(path, self._overlays)
        values = [_line(path, Path()) for path in map(str, self._values_files)]
        self._program = _digest([_program(), *values])
        return _digest([self._program, *self._digests.values()])

    def _outputs(self, names: Iterable[str]) -> str:
        """A digest of the folders that were written, with the names of all files in them, and of their number."""
        # What was found as it was left needs no second look: a change since then shows in the next run.
        found = (self._each[name]["output"] if name in self._each else self._output(name) for name in names)
        return _digest([*sorted(_written(str(self._target), "")), *found])

    def _output(self, name: str) -> str:
        """A digest of the folder that was written for an environment; empty if it is not there."""
        try:
            with os.scandir(os.path.join(self._target, name)) as found:  # noqa: PTH118
                entries = sorted(found, key=lambda entry: entry.name)
        except FileNotFoundError:
            return ""
        return _digest(
            f"{name}/{entry.name} {_content(entry.path) if _is_plain(entry) else entry.is_symlink()}"
            for entry in entries
        )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _write(file: Path, record: Mapping[str, Any]) -> None:
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(record), encoding="utf-8")
    beside.replace(file)


@functools.cache
def _program() -> str:
    """A digest of what runs: once for a process, because that is what it has loaded, whatever is edited meanwhile."""
    lines = [platform.python_version(), *_packages(), *_node()]
    for folder in _PROGRAM:
        lines += (_line(path, folder) for path in _files(folder, ("", ".pyc")))
    return _digest(lines)


def _line(path: str, folder: Path) -> str:
    """A path with the digest of its content; of what is no plain file, only that."""
    name = path.removeprefix(f"{folder}{os.sep}")
    if os.path.islink(path) or not os.path.isfile(path):  # noqa: PTH113, PTH114
        return f"{name} {os.path.islink(path)}"  # noqa: PTH114
    return f"{name} {_content(path)}"


def _content(path: str) -> str:
    """The digest of a file's content."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return hashlib.sha256(file.readall()).hexdigest()


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a file and no link, which the folder itself knows."""
    return entry.is_file(follow_symlinks=False)


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
        record.with_suffix(".parts").unlink(missing_ok=True)
