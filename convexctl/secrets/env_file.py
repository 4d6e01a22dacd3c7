"""Files of lines NAME=VALUE."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from convex_k8s.secrecy import random_looking

from convexctl import regular_files
from convexctl.errors import UserError

_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.-]*")
_NO_VALUE = re.compile(r"=*")


@dataclass(frozen=True)
class EnvFile:
    """What a file says: the values by name, and the numbers of the lines without a use with their names, hidden."""

    values: dict[str, str] = field(repr=False)
    unused: dict[int, str] = field(repr=False)


def read_lines(path: Path) -> list[str]:
    """The lines of a file. Raises `UserError`."""
    try:
        return regular_files.read_text(path, "utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file in UTF-8") from None


def parse(path: Path, lines: Iterable[str], known: Collection[str] = ()) -> EnvFile:
    """Take lines of the form NAME=VALUE as `kubectl create secret --from-env-file` does: the value as it is.

    Empty lines and those that begin with `#` are skipped. `known` are the names that have a use. Raises `UserError`
    with the numbers of all wrong lines, and with nothing of what is in them: that may be a secret.
    """
    found = _values(path, lines, known)
    unused = {number: name for number, (name, _) in found.items() if name not in known}
    return EnvFile(dict(found.values()), unused)


def _values(path: Path, lines: Iterable[str], known: Collection[str]) -> dict[int, tuple[str, str]]:
    found: dict[int, tuple[str, str]] = {}
    names: set[str] = set()
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not _NAME.fullmatch(name):
            faults.append(f"{path}:{number}: is not of the form NAME=VALUE, without spaces around the name")
        elif name not in known and (random_looking(name) or _is_end_of_base64(name, value)):
            faults.append(
                f"{path}:{number}: looks like a value without a name, or like the rest of a value that was wrapped: "
                "write NAME=VALUE in one line"
            )
        elif name in names:
            what = name if name in known else "its name"
            faults.append(f"{path}:{number}: {what} is there a second time")
        else:
            names.add(name)
            found[number] = (name, value)
    if faults:
        raise UserError("\n".join(faults))
    return found


def _is_end_of_base64(name: str, value: str) -> bool:
    """Whether a line may be base64 with its padding. A variable in capitals may well be empty."""
    return bool(_NO_VALUE.fullmatch(value)) and not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", name)
