"""Files into `dist/`: each environment's folder is swapped in whole, and what the user keeps there stays.

A folder holds a record of the files written into it (`.convex-k8s`, in the format of `sha256sum`), which tells later
runs what is theirs to replace or remove.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from convexctl.errors import UserError

RECORD = ".convex-k8s"
"""The file that lists what was written into an environment's folder."""
_STAGING = ".convex-k8s-new-"
_ASIDE = ".convex-k8s-old-"

Outcome = Literal["new", "changed", "unchanged", "removed"]


def write(root: Path, environments: Mapping[str, Mapping[str, str]], *, prune: bool) -> dict[str, Outcome]:
    """Write the files of each environment to `root/<name>/` and say what happened to each folder.

    With `prune`, folders that an earlier run wrote and that are not among `environments` go too; files of the user's
    own stay. Raises `UserError`, before anything is written, where a file of the user's own is in the way.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root):
            _recover(root)
            gone = written_folders(root) - environments.keys() if prune else set()
            conflicts = [text for name, files in environments.items() for text in _conflicts(root / name, files)]
            if conflicts:
                raise UserError("\n".join([*conflicts, "nothing was written"]))
            outcomes: dict[str, Outcome] = {}
            for name, files in environments.items():
                outcomes[name] = _replace(root, name, files)
            for name in sorted(gone):
                _replace(root, name, {})
                outcomes[name] = "removed"
            return outcomes
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise UserError(f"{source}: cannot be taken over: {reason}") from None
    except OSError as error:
        raise UserError(f"{error.filename or root}: cannot be written: {error.strerror or error}") from None


def digest(content: bytes) -> str:
    """The digest that the record holds for a file."""
    return hashlib.sha256(content).hexdigest()


def recorded(folder: Path) -> dict[str, str]:
    """The files that an earlier run wrote into `folder`, with their digests; empty where it wrote none."""
    try:
        lines = (folder / RECORD).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    pairs = [line.split("  ", 1) for line in lines if "  " in line]
    return {name: checksum for checksum, name in pairs if Path(name).name == name}


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one run at a time write below `root`. The folder itself is the lock, so that no lock file is left behind."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _recover(root: Path) -> None:
    """Clear away what a killed run left, and bring back a folder that it had moved aside."""
    for path in root.glob(f"{_ASIDE}*"):
        target = root / path.name.removeprefix(_ASIDE)
        if target.exists():
            shutil.rmtree(path)
        else:
            path.rename(target)
    for path in root.glob(f"{_STAGING}*"):
        shutil.rmtree(path)


def written_folders(root: Path) -> set[str]:
    """The names of the folders below `root` that earlier runs wrote."""
    return {path.parent.name for path in root.glob(f"*/{RECORD}") if not path.parent.is_symlink()}


def _conflicts(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        yield f"{folder}: is in the way: it must be a folder, and no link"
        return
    ours = recorded(folder)
    for name, content in files.items():
        path = folder / name
        if name in ours or not (path.exists() or path.is_symlink()):
            continue
        if not path.is_file() or path.is_symlink() or path.read_bytes() != content.encode():
            yield f"{path}: was not written by this program and would be overwritten: move it away"


def _replace(root: Path, name: str, files: Mapping[str, str]) -> Outcome:
    target = root / name
    ours = recorded(target)
    contents = {file: text.encode() for file, text in files.items()}
    record = "".join(f"{digest(content)}  {file}\n" for file, content in sorted(contents.items()))
    stale = {file for file in ours if file not in contents and _unedited(target / file, ours[file])}
    if contents and not stale and _holds(target, {**contents, RECORD: record.encode()}):
        return "unchanged"
    own = [path for path in _entries(target) if path.name not in contents | {RECORD: b""} and path.name not in stale]
    if not contents and not own:
        _remove(root, target)
        return "removed"
    staging = root / f"{_STAGING}{name}"
    try:
        staging.mkdir()
        if target.exists():
            shutil.copystat(target, staging)
        for path in own:
            _copy(path, staging / path.name)
        for file, content in contents.items():
            (staging / file).write_bytes(content)
        if contents:
            (staging / RECORD).write_bytes(record.encode())
        if not target.exists():
            staging.rename(target)
            return "new"
        _swap(root, staging, target)
        return "changed"
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def _unedited(path: Path, checksum: str) -> bool:
    return path.is_file() and digest(path.read_bytes()) == checksum


def _holds(folder: Path, contents: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == text for name, text in contents.items())


def _remove(root: Path, target: Path) -> None:
    """Move the folder out of sight first, so that a kill halfway leaves no half of it."""
    staging = root / f"{_STAGING}{target.name}"
    target.rename(staging)
    shutil.rmtree(staging)


def _swap(root: Path, staging: Path, target: Path) -> None:
    """Put `staging` in the place of `target` and delete what was there, in one step where the system has one."""
    if not _exchange(staging, target):
        aside = root / f"{_ASIDE}{target.name}"
        target.rename(aside)
        try:
            staging.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        staging = aside
    shutil.rmtree(staging)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders atomically (Linux `renameat2`, macOS `renamex_np`); False where that is not possible."""
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
