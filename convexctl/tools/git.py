"""Files as the last commit has them, by the user's git."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from convexctl.tools.run import word_of_waiting

_TIMEOUT_S = 30
_LOCAL = frozenset(
    f"GIT_{name}"
    for name in (
        *("ALTERNATE_OBJECT_DIRECTORIES", "CEILING_DIRECTORIES", "COMMON_DIR", "CONFIG", "CONFIG_COUNT"),
        *("CONFIG_PARAMETERS", "DIR", "GRAFT_FILE", "IMPLICIT_WORK_TREE", "INDEX_FILE", "INTERNAL_SUPER_PREFIX"),
        *("LITERAL_PATHSPECS", "NAMESPACE", "NO_REPLACE_OBJECTS", "OBJECT_DIRECTORY", "PREFIX", "REPLACE_REF_BASE"),
        *("SHALLOW_FILE", "WORK_TREE"),
    )
)
"""The variables by which a hook, which git runs, leads git elsewhere (`git rev-parse --local-env-vars`, and more)."""


class GitError(Exception):
    """A Git work tree that cannot be asked, in git's own words."""


def committed(root: Path, files: Sequence[str]) -> dict[str, bytes]:
    """Those of `files` (paths below `root`, which may be gone) that the last commit has.

    Empty outside a Git work tree and without a commit. Raises `GitError` if git refuses or is missing.
    """
    program = shutil.which("git")
    root = root.resolve()
    folder = next(above for above in (root, *root.parents) if above.is_dir())
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return {}
    if program is None:
        raise GitError("there is no git on PATH")
    wanted = "".join(f"HEAD:./{(root / file).relative_to(folder)}\n" for file in files)
    done = _git(program, folder, "cat-file", "--batch", stdin=wanted)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        raise GitError(said[0] if said else f"git failed with exit code {done.returncode}")
    return _contents(files, done.stdout)


def ignores(file: Path) -> bool:
    """Whether git ignores a file. What it complains of (a tree of somebody else's, say) is no yes."""
    program = shutil.which("git")
    if program is None:
        return False
    try:
        return _git(program, file.parent, "check-ignore", "--quiet", "--", file.name).returncode == 0
    except GitError:
        return False


def _git(program: str, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder. Raises `GitError` if it cannot be run, or does not finish."""
    environment = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    command = [program, "-C", str(folder), *arguments]
    try:
        with word_of_waiting("git", _TIMEOUT_S):
            return subprocess.run(
                command, input=stdin.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False, env=environment
            )
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not finish within {_TIMEOUT_S} seconds") from None
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from None


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
