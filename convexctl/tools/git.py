"""Files as the last commit has them, by the user's git."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_TIMEOUT_S = 30


class GitError(Exception):
    """A Git work tree that cannot be asked, in git's own words."""


def committed(root: Path, files: Sequence[str]) -> dict[str, bytes]:
    """Those of `files` (paths below `root`, which may be gone) that the last commit has.

    Empty outside a Git work tree, without git and without a commit. Raises `GitError` where git refuses.
    """
    program = shutil.which("git")
    root = root.resolve()
    folder = next(above for above in (root, *root.parents) if above.is_dir())
    if program is None or not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return {}
    wanted = "".join(f"HEAD:./{(root / file).relative_to(folder)}\n" for file in files)
    try:
        done = subprocess.run(
            [program, "-C", str(folder), "cat-file", "--batch"],
            input=wanted.encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not finish within {_TIMEOUT_S} seconds") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        raise GitError(said[0] if said else f"git failed with exit code {done.returncode}")
    return _contents(files, done.stdout)


def _contents(files: Sequence[str], batch: bytes) -> dict[str, bytes]:
    """What `git cat-file --batch` prints: for each object `<id> blob <size>` and its bytes, or `<name> missing`."""
    found: dict[str, bytes] = {}
    for file in files:
        header, _, batch = batch.partition(b"\n")
        kind, _, size = header.rpartition(b" ")
        if size.isdigit():
            length = int(size)
            content, batch = batch[:length], batch[length + 1 :]
            if kind.endswith(b" blob"):
                found[file] = content
    return found
