"""Files into `dist/`: all folders are prepared, then all are exchanged, and what the user keeps there stays.

What is the program's own there to replace or remove, the folder's record tells (`record.py`).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from convexctl.errors import UserError
from convexctl.project import RECORD
from convexctl.synth.folder_record import (
    digest,
    named_folders,
    owner_and_files,
    record_text,
    recorded,
    written_folders,
)
from convexctl.terminal import printable

if TYPE_CHECKING:
    from convexctl.synth.environment import Environment

_WORK = ".convex-k8s-work"
"""The folder in which a run prepares new folders (`_NEW`) and puts old ones aside (`_OLD`, then `_DONE`)."""
_MARK = "made-by-convex-k8s"
"""The file by which a run knows that an earlier one made the folder."""
_NEW, _OLD, _DONE = "new", "old", "done"
_APPLIED = (".yaml", ".yml", ".json")
"""Endings of the files that `kubectl apply -f` takes from a folder."""

Outcome = Literal["new", "changed", "unchanged", "removed"]


@dataclass(frozen=True)
class _Folder:
    """What becomes of an environment's folder: its new content is prepared, unless it stays or goes."""

    name: str
    outcome: Outcome
    prepared: bool = False
    before: int = 0
    """The inode of the folder that was there."""


class Files(Mapping[str, Mapping[str, str]]):
    """The files of environments by name. They are asked for one after the other: thousands may be on disk."""

    def __init__(self, environments: Iterable[Environment]) -> None:
        self._environments = {environment.name: environment for environment in environments}

    def __getitem__(self, name: str) -> Mapping[str, str]:
        return self._environments[name].files

    def __iter__(self) -> Iterator[str]:
        return iter(self._environments)

    def __len__(self) -> int:
        return len(self._environments)


def write(
    root: Path,
    environments: Mapping[str, Mapping[str, str]],
    *,
    prune: bool,
    keep: Collection[str] = (),
    made_from: Mapping[str, str] = types.MappingProxyType({}),
) -> dict[str, Outcome]:
    """Write the files of each environment to `root/<name>/` and report what happened to each folder.

    With `prune`, folders that an earlier run wrote and that are neither among `environments` nor in `keep` go too,
    except those of environments without an overlay of their own (`made_from` has the overlays of such environments);
    files of the user's own stay. `keep` are folders that this run found as an earlier one left them. Raises
    `UserError`, with all folders as they were, if a file of the user's own is in the way or a folder cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root):
            work = root / _WORK
            _recover(root, work)
            before = written_folders(root, keep)
            known = {*environments, *keep}
            gone = sorted(before - known - named_folders(root, known).keys()) if prune else []
            try:
                conflicts = [text for name in environments for text in _in_the_way(root, name, before)]
                there = [name for name in environments if os.path.lexists(root / name)]
                conflicts += (text for name in there for text in _conflicts(root, name, environments[name]))
                if conflicts:
                    raise UserError("\n".join([*conflicts, "nothing was written"]))
                folders = [
                    _prepare(root, work, name, environments.get(name, {}), made_from.get(name, ""))
                    for name in (*environments, *gone)
                ]
                _exchange_all(root, work, folders)
            except BaseException:
                if not _entries(work / _OLD):
                    _clear(work)
                _drop_empty_parents(root, environments)
                raise
            with suppress(OSError):  # a later run clears away what stays
                _clear(work)
            _drop_empty_parents(root, gone)
            return {folder.name: "removed" if folder.name in gone else folder.outcome for folder in folders}
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise UserError(f"{source}: cannot be taken over: {reason}\nnothing was written") from None
    except OSError as error:
        raise UserError(
            f"{error.filename or root}: cannot be written: {error.strerror or error}\nnothing was written"
        ) from None


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one run at a time write below `root`. The folder itself is the lock, so that no lock file is left behind."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(printable(f"waiting for another run that writes to {root}"), file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _recover(root: Path, work: Path) -> None:
    """Clear away what a killed run left, bring back the folders that it had put aside, and make the folder to work in.

    Raises `UserError` if the folder to work in is the user's own.
    """
    ours = work.is_dir() and not work.is_symlink() and ((work / _MARK).is_file() or not any(work.iterdir()))
    if work.is_symlink() or (work.exists() and not ours):
        raise UserError(f"{work}: is in the way, and was not made by this program: rename it\nnothing was written")
    for path in _entries(work / _OLD):
        target = root / unquote(path.name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    _clear(work)
    work.mkdir(exist_ok=True)
    (work / _MARK).touch()
    for name in (_NEW, _OLD):
        (work / name).mkdir()


def _clear(work: Path) -> None:
    """Delete the folder to work in. The mark goes last, so that a run which ends here leaves a known folder."""
    with suppress(FileNotFoundError):
        (work / _OLD).rename(work / _DONE)
    for name in (_NEW, _DONE):
        shutil.rmtree(work / name, ignore_errors=True)
    with suppress(OSError):
        if [path.name for path in work.iterdir()] == [_MARK]:
            (work / _MARK).unlink()
            work.rmdir()


def _in_the_way(root: Path, name: str, written: Collection[str]) -> Iterator[str]:
    """What is in the place of the folders above an environment's, or would end up within it."""
    for above in reversed((root / name).parents[: name.count("/")]):
        if above.is_symlink() or (above.exists() and not above.is_dir()):
            yield f"{above}: is in the way: it must be a folder, not a link"
        elif above.relative_to(root).as_posix() in written:
            yield f"{above}: is the folder of another environment, and would hold {root / name}: delete it first"
    for other in sorted(each for each in written if each.startswith(f"{name}/")):
        yield f"{root / other}: is the folder of another environment, and {root / name} would hold it: delete it first"


def _drop_empty_parents(root: Path, names: Collection[str]) -> None:
    for name in names:
        for above in (root / name).parents[: name.count("/")]:
            with suppress(OSError):
                above.rmdir()


def _conflicts(root: Path, environment: str, files: Mapping[str, str]) -> Iterator[str]:
    folder = root / environment
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        yield f"{folder}: is in the way: it must be a folder, not a link"
        return
    owner, _ = owner_and_files(folder)
    if owner not in ("", environment):
        yield f"{folder}: is a copy of the environment {owner} and would be overwritten: move it away"
        return
    ours = recorded(root, environment)
    for name in (*files, RECORD):
        path = folder / name
        plain = path.is_file() and not path.is_symlink()
        if not path.exists() and not path.is_symlink():
            continue
        known = name in ours or name == RECORD
        if not plain or not (known or path.read_bytes() == files[name].encode()):
            yield f"{path}: was not written by this program and would be overwritten: move it away"
    for path in _entries(folder):
        if path.suffix in _APPLIED and path.name not in {*files, *ours}:
            yield (
                f"{path}: is yours, and `kubectl apply -f {folder}/` would apply it, while `-k`, Argo CD and Flux "
                "would not: put the object into extraObjects of the overlay, or the file elsewhere"
            )


def _prepare(root: Path, work: Path, name: str, files: Mapping[str, str], overlay: str) -> _Folder:
    """Make the new content of a folder beside it, with what the user keeps there."""
    target, prepared = root / name, _place(work, _NEW, name)
    ours = recorded(root, name)
    contents = {file: text.encode() for file, text in files.items()}
    record = record_text(name, contents, overlay)
    stale = {file for file in ours if file not in contents and _unedited(target / file, ours[file])}
    if contents and not stale and _holds(target, {**contents, RECORD: record}):
        return _Folder(name, "unchanged")
    own = [path for path in _entries(target) if path.name not in contents | {RECORD: b""} and path.name not in stale]
    if not contents and not own:
        return _Folder(name, "removed")
    prepared.mkdir()
    if target.exists():
        shutil.copystat(target, prepared)
    for path in own:
        _copy(path, prepared / path.name)
    for file, content in contents.items():
        (prepared / file).write_bytes(content)
    if contents:
        (prepared / RECORD).write_bytes(record)
    return _Folder(name, "changed", True, target.stat().st_ino) if target.exists() else _Folder(name, "new", True)


def _place(work: Path, stage: str, name: str) -> Path:
    """Where a run keeps the folder of an environment: side by side, whatever folders are above it in `dist/`."""
    return work / stage / quote(name, safe="")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def _unedited(path: Path, checksum: str) -> bool:
    return path.is_file() and not path.is_symlink() and digest(path.read_bytes()) == checksum


def _holds(folder: Path, contents: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == text for name, text in contents.items())


def _exchange_all(root: Path, work: Path, folders: list[_Folder]) -> None:
    """Put every prepared folder in its place; if one cannot be, put those before it back.

    The last step keeps a later run from bringing back what was there before.
    """
    done: list[_Folder] = []
    try:
        for folder in folders:
            if folder.outcome != "unchanged":
                done.append(folder)
                _put_in_place(root, work, folder)
        (work / _OLD).rename(work / _DONE)
    except BaseException:
        for folder in reversed(done):
            with suppress(OSError):
                _put_back(root, work, folder)
        raise


def _put_in_place(root: Path, work: Path, folder: _Folder) -> None:
    target, prepared = root / folder.name, _place(work, _NEW, folder.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if folder.outcome == "new":
        prepared.rename(target)
    elif not folder.prepared or not _exchange(prepared, target):
        target.rename(_place(work, _OLD, folder.name))
        if folder.prepared:
            prepared.rename(target)


def _put_back(root: Path, work: Path, folder: _Folder) -> None:
    """Undo `_put_in_place`, also if it was cut off at any point."""
    target, prepared, old = root / folder.name, _place(work, _NEW, folder.name), _place(work, _OLD, folder.name)
    if folder.outcome == "new":
        if not prepared.exists():
            target.rename(prepared)
    elif old.exists():
        if target.exists():
            target.rename(prepared)
        old.rename(target)
    elif target.stat().st_ino != folder.before:
        _exchange(prepared, target)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders atomically (Linux `renameat2`, macOS `renamex_np`); False if that is not possible."""
    library = ctypes.CDLL(None, use_errno=True)
    one, other = os.fsencode(first), os.fsencode(second)
    here, exchange = -100, 2
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        result = library.renameat2(here, one, here, other, exchange)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        result = library.renamex_np(one, other, exchange)
    else:
        return False
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(second))
