"""The user's own command-line tools, run for what they print."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any, cast

from convexctl.errors import UserError

MOST_BYTES = 256 * 1024 * 1024
"""More than any answer that is asked for; what prints more is broken."""
_CHUNK = 1 << 20
_SILENCE_S = 5
"""Seconds after which a wait is reported."""
INSTALL = {
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
    "kubeseal": "https://github.com/bitnami-labs/sealed-secrets#kubeseal",
    "git": "https://git-scm.com/downloads",
}
"""The page that says how to install a program."""


def installed(name: str) -> bool:
    """Whether a program is on PATH."""
    return shutil.which(name) is not None


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
    """As `run`, for a program whose exit code says something: the `accepted` exit codes are not failures."""
    program = shutil.which(name)
    if program is None:
        where = f": see {INSTALL[name]}" if name in INSTALL else ""
        raise error(f"{name} is not installed, or not on PATH{where}")
    try:
        with word_of_waiting(name, timeout_s):
            code, out, errors = _finished(
                [program, *arguments], stdin, timeout_s, {**os.environ, **(environment or {})}
            )
    except subprocess.TimeoutExpired:
        raise error(f"{name} did not finish within {timeout_s} seconds") from None
    except _TooMuchError:
        raise error(f"{name} printed more than {MOST_BYTES >> 20} MiB, and was stopped") from None
    except OSError as reason:
        raise error(f"{name} cannot be run: {reason.strerror}") from None
    if code not in accepted:
        said = [line.strip() for line in errors.splitlines() if line.strip()]
        end = f"failed with exit code {code}" if code >= 0 else f"was killed (signal {-code})"
        raise error(f"{lead}{said[-1]}" if said else f"{name} {end}")
    return code, out


@contextlib.contextmanager
def word_of_waiting(name: str, timeout_s: float) -> Iterator[None]:
    """Tell whoever sits at the terminal what is waited for, if it takes long."""
    word = f"waiting for {name}, at most {timeout_s:g} seconds"
    timer = threading.Timer(_SILENCE_S, lambda: print(word, file=sys.stderr, flush=True))
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _TooMuchError(Exception):
    """A program prints without end."""


class _Reader(threading.Thread):
    """Reads what a process prints, and kills one that prints too much."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._process, self._pipe, self._read = process, pipe, bytearray()
        self.start()

    def run(self) -> None:
        """Read to the end."""
        with contextlib.suppress(ValueError, OSError):
            while chunk := self._pipe.read(_CHUNK):
                self._read += chunk
                if self.too_much:
                    self._process.kill()
                    return

    @property
    def too_much(self) -> bool:
        """Whether it printed more than anybody asked for."""
        return len(self._read) > MOST_BYTES

    @property
    def text(self) -> str:
        """What was read."""
        return self._read.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _finished(
    command: Sequence[str], stdin: str, timeout_s: float, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """The exit code of a program, what it printed and its errors. Pipes carry all: a file could keep a secret."""
    deadline = time.monotonic() + timeout_s
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            out, errors = (_Reader(process, cast("IO[bytes]", each)) for each in (process.stdout, process.stderr))
            writer = threading.Thread(target=_write, args=(process.stdin, stdin.encode(errors="replace")), daemon=True)
            writer.start()
            for thread in (out, errors, writer):
                thread.join(max(0.0, deadline - time.monotonic()))
                if out.too_much or errors.too_much:
                    raise _TooMuchError
                if thread.is_alive():
                    raise subprocess.TimeoutExpired(command, timeout_s)
            return process.wait(max(0.0, deadline - time.monotonic())), out.text, errors.text
        finally:
            process.kill()


def _write(pipe: IO[bytes], data: bytes) -> None:
    """Write all, as far as the program reads it."""
    with contextlib.suppress(BrokenPipeError), pipe:
        while data:
            data = data[pipe.write(data) :]


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
    return f"{name} answered something that is not a JSON object"
