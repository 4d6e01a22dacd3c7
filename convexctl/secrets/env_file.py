"""Files of lines NAME=VALUE."""

from __future__ import annotations

import re
from pathlib import Path

from convexctl import regular_files
from convexctl.errors import UserError


def read_env_file(path: Path) -> dict[str, str]:
    """Read lines of the form NAME=VALUE, as `kubectl create secret --from-env-file` does: the value is taken as it is.

    Empty lines and those that begin with `#` are skipped. Raises `UserError`, with all wrong lines and no values.
    """
    try:
        lines = regular_files.read_text(path, "utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file in UTF-8") from None
    values: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_.][A-Za-z0-9_.-]*", name):
            faults.append(f"{path}:{number}: is not of the form NAME=VALUE, without spaces around the name")
        elif name in values:
            faults.append(f"{path}:{number}: {name} stands there a second time")
        else:
            values[name] = value
    if faults:
        raise UserError("\n".join(faults))
    return values
