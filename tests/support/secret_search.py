"""The search for secret values in what the whole suite leaves behind: the values, the texts, and where both meet.

A value is `made` if the program drew it from the system's random source, in any process, and `given` if it was in the
environment of a run under a secret's name, or is in a Secret of a cluster. What is made is looked for in every text of
the whole run: of other tests, too, which are none of its business. What is given is looked for in what the program
does with it, in the test that gives it: tests print and pass on what they invent.

Made values are random hex digits. So of each text only the hex runs are kept, decoded where they are in base64, until
all values are known.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

NAMES = (
    *("INSTANCE_SECRET", "CONVEX_DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "BACKUP_AWS_SECRET_ACCESS_KEY"),
    *("CONVEX_SELF_HOSTED_ADMIN_KEY", "POSTGRES_URL", "MYSQL_URL", "DATABASE_URL"),
)
SHORTEST = 7
"""Characters of a given value that is searched for: a shorter one is found in words that have nothing to do with it."""
LARGEST_FILE = 4 << 20
STUBS_CLUSTER = "/kubectl/state/"
"""Where the stand-in of kubectl keeps what is in its cluster."""

_PLACEHOLDER = re.compile(r"[A-Z0-9_]+")
"""What a template has in the place of a value."""
_RUN = 20
"""Characters of a value, from its third on, by which it is recognised: base64 may hide two at each end."""
_WORDS = bytes(ord("x") if byte < 128 and chr(byte).isalnum() else ord(" ") for byte in range(256))
_LONG = b"x" * _RUN
_HEX = re.compile(rb"[0-9a-f]{%d,}" % _RUN)
_BASE64_OF_HEX = re.compile(rb"(?:[MNOYZ][DGTWjmz2][ABEFIJMNQRUVYZcdghkl][wxyz0-5h-m]){%d,}" % (_RUN // 3))


class Text(NamedTuple):
    """A text to search."""

    where: str
    text: str
    of_the_program: bool


def runs(text: bytes) -> Iterator[str]:
    """The runs of hex digits that are long enough for a value, also those that are in base64."""
    words, at = text.translate(_WORDS), 0
    while (at := words.find(_LONG, at)) >= 0:
        end = words.find(b" ", at)
        end = len(words) if end < 0 else end
        word = text[at:end]
        at = end
        for found in _HEX.findall(word):
            yield found.decode()
        for found in _BASE64_OF_HEX.findall(word):
            yield from (run.decode() for run in _HEX.findall(base64.b64decode(found)))


def given_by(environment: Mapping[str, str]) -> Iterator[str]:
    """The secret values in an environment; of a URL its password."""
    for name in NAMES:
        value = environment.get(name, "")
        try:
            secret = unquote(urlsplit(value).password or "") if "://" in value else value
        except ValueError:
            continue
        if len(secret) >= SHORTEST and not _PLACEHOLDER.fullmatch(secret):
            yield secret


class Search:
    """What one process of the tests knows and has seen. `notes` is where the processes that it starts report."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes
        notes.touch(mode=0o600)
        self.given: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._known: set[str] = set()
        self._runs: dict[str, str] = {}
        """Each run, with the place where it was seen first."""
        self._new: dict[str, str] = {}
        self._texts: list[Text] = []
        self._found: set[str] = set()
        self._all_found: set[str] = set()
        self._read = 0

    def note(self, kind: str, text: str) -> None:
        """Take a note of a process: what it `made`, which program it `started`, that it is a `process`."""
        if kind == "made":
            self.counts["values made"] += 1
            self._known.add(text[2 : 2 + _RUN])
        elif kind == "started":
            self.counts["argument lists"] += 1
            self.see(f"the arguments of {text.partition(' ')[0]!r}", text, of_the_program=True)
        else:
            self.counts["processes"] += 1

    def give(self, environment: Mapping[str, str]) -> None:
        """Take note of what an environment gives to the program."""
        self.given |= set(given_by(environment))

    def see(self, where: str, text: str | bytes | None, *, of_the_program: bool) -> None:
        """Take a text for the search."""
        if text:
            text = text if isinstance(text, str) else text.decode(errors="replace")
            self._texts.append(Text(where, text, of_the_program))

    def found(self, where: str) -> None:
        """Take note of a place where a value is."""
        self._found.add(where)

    def know(self, value: str) -> None:
        """Take note of a random value that a cluster has."""
        if (part := value[2 : 2 + _RUN]) not in self._known:
            self.counts["values in clusters"] += 1
            self._known.add(part)

    def see_files(self, paths: Iterable[Path]) -> None:
        """Take for the search the files that others than their owner can read."""
        for path in paths:
            try:
                if self._is_searched(path):
                    self.counts["files"] += 1
                    self._keep_runs(f"the file {path}", path.read_bytes())
            except OSError:  # gone meanwhile
                continue

    @staticmethod
    def _is_searched(path: Path) -> bool:
        status = path.lstat()
        readable = stat.S_ISREG(status.st_mode) and status.st_mode & 0o077
        return bool(readable) and status.st_size <= LARGEST_FILE and STUBS_CLUSTER not in path.as_posix()

    def settle(self, test: str = "") -> list[str]:
        """Search what came since the last time: where values are that are known by now."""
        self._take_notes()
        found, self._found = self._found, set()
        found |= {text.where for text in self._texts if text.of_the_program and has_any(self.given, text.text)}
        for text in self._texts:
            self.counts["texts"] += 1
            self._keep_runs(f"{text.where} ({test})" if test else text.where, text.text.encode(errors="replace"))
        self._texts.clear()
        found.update(places(self._new, self._known))
        self._new.clear()
        self._all_found |= {f"{where} ({test})" if test and test not in where else where for where in found}
        return sorted(found)

    def result(self) -> str:
        """All that must be known when the last process of the run has ended, as JSON."""
        found = sorted(self._all_found)
        return json.dumps({"known": sorted(self._known), "runs": self._runs, "counts": self.counts, "found": found})

    def _keep_runs(self, where: str, text: bytes) -> None:
        self.counts["bytes"] += len(text)
        for run in runs(text):
            if run not in self._runs:
                self._runs[run] = self._new[run] = where

    def _take_notes(self) -> None:
        if self.notes.stat().st_size == self._read:
            return
        with self.notes.open("rb") as file:
            file.seek(self._read)
            for line in file:
                kind, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
                self.note(kind, ast.literal_eval(text))
            self._read = file.tell()


def has_any(values: Iterable[str], text: str) -> bool:
    """Whether one of these values is in a text, as it is or in base64."""
    return any(value in text or base64.b64encode(os.fsencode(value)).decode().rstrip("=") in text for value in values)


def places(seen: Mapping[str, str], known: set[str]) -> list[str]:
    """Where a known value is among the runs that were seen."""
    return [
        where
        for run, where in seen.items()
        if any(run[start : start + _RUN] in known for start in range(len(run) - _RUN + 1))
    ]


def join(results: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Search what all processes have seen for what any of them knows, and add up what was searched."""
    contents = [json.loads(result) for result in results]
    known = {value for content in contents for value in content["known"]}
    counts: Counter[str] = Counter()
    for content in contents:
        counts.update(content["counts"])
    found = {place for content in contents for place in (*content["found"], *places(content["runs"], known))}
    return sorted(found), counts
