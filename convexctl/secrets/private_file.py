"""Files for secrets: for the user's eyes only, and out of reach of `git add`."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from convexctl.errors import UserError
from convexctl.tools import git


def check_not_in_git(path: Path) -> None:
    """Raise `UserError` if the file, links followed, would be in a Git work tree that does not ignore it."""
    folder = Path(os.path.realpath(path.parent))
    tree = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
    if tree is None:
        return
    if git.ignores(folder / path.name):
        return
    raise UserError(
        f"{path}: is in the Git work tree {tree} and not ignored, so secrets would soon be committed: "
        "name a file elsewhere, or add this one to .gitignore"
    )


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, whole or not at all: what was there stays until the new one is complete.

    Raises `UserError`, for a link or a device too.
    """
    try:
        if path.is_symlink() or (path.exists() and not stat.S_ISREG(path.stat().st_mode)):
            raise UserError(f"{path}: is not a file: leave the name out to have them printed")
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        staging = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            staging.replace(path)
        except BaseException:
            staging.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
