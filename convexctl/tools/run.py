"""The user's own command-line tools, run for what they print."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Any

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
    return answer(name, arguments, stdin=stdin, timeout_s=timeout_s, error=error, lead=lead)[1]


def answer(
    name: str,
    arguments: Sequence[str],
    *,
    stdin: str = "",
    timeout_s: float = 60,
    error: type[UserError] = UserError,
    lead: str = "",
    accepted: Collection[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """As `run`, for a program whose exit code says something: `accepted` are those that are no failure."""
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
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise error(f"{name} did not finish within {timeout_s} seconds") from None
    except OSError as reason:
        raise error(f"{name} cannot be run: {reason.strerror}") from None
    if done.returncode not in accepted:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise error(f"{lead}{said[-1]}" if said else f"{name} failed with exit code {done.returncode}")
    return done.returncode, done.stdout


def parsed(text: str, name: str, error: type[UserError] = UserError) -> dict[str, Any]:
    """The JSON object that a program printed. Raises `error`, without the text, where it is something else."""
    found = parsed_all(text, name, error)
    if len(found) != 1:
        raise error(_no_object(name))
    return found[0]


def parsed_all(text: str, name: str, error: type[UserError] = UserError) -> list[dict[str, Any]]:
    """The JSON objects that a program printed one after the other; perhaps none. Raises `error` as `parsed` does."""
    found, rest = [], text.strip()
    while rest:
        try:
            one, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            raise error(_no_object(name)) from None
        if not isinstance(one, dict):
            raise error(_no_object(name))
        found.append(one)
        rest = rest[end:].lstrip()
    return found


def _no_object(name: str) -> str:
    return f"{name} answered something that is no JSON object"
