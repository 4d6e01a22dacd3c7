"""The user's own command-line tools, run for what they print."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from convexctl.errors import UserError


def run(
    name: str,
    arguments: Sequence[str],
    *,
    stdin: str = "",
    timeout_s: float = 60,
    error: type[UserError] = UserError,
    lead: str = "",
) -> str:
    """Run a program on PATH and return what it prints.

    Raises `error` when it is not installed, takes longer than `timeout_s` seconds, or fails: then with the last line
    that it says, after `lead`.
    """
    program = shutil.which(name)
    if program is None:
        raise error(f"{name} is not installed, or not on PATH")
    try:
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise error(f"{name} did not finish within {timeout_s} seconds") from None
    except OSError as reason:
        raise error(f"{name} cannot be run: {reason.strerror}") from None
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise error(f"{lead}{said[-1]}" if said else f"{name} failed with exit code {done.returncode}")
    return done.stdout
