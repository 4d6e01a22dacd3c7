"""Single values from the command line: `--set backend.image.tag=abc`."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from convexctl.located_yaml import DocumentError, Located, Place, load_all

_KEY = re.compile(r"(?:[^.\\=]|\\.)+")
_PLACE = Place("--set", 0)


@dataclass(frozen=True)
class Setting:
    """One `key=value`: a layer of its own, between the values files as they stand on the command line."""

    text: str
    layer: Located


def setting(text: str) -> Setting:
    """Read `key=value`. The value is YAML, as in an overlay; a dot inside a key has a backslash before it."""
    key, equals, value = text.partition("=")
    parts = _KEY.findall(key)
    if not equals or not parts or ".".join(parts) != key:
        raise argparse.ArgumentTypeError("must be KEY=VALUE, for instance backend.image.tag=abc")
    if "[" in key:
        raise argparse.ArgumentTypeError("sets a list as a whole: KEY=[ITEM, ...]")
    try:
        documents = load_all(value, str(_PLACE))
    except DocumentError:
        raise argparse.ArgumentTypeError("has a value that is no YAML: put it in quotes, inside the shell's") from None
    located = Located(_at_one_place(documents[0]).value if documents else "", _PLACE)
    for part in reversed(parts):
        located = Located({re.sub(r"\\(.)", r"\1", part): located}, _PLACE)
    return Setting(text, located)


def _at_one_place(located: Located) -> Located:
    value = located.value
    if isinstance(value, dict):
        return Located({key: _at_one_place(item) for key, item in value.items()}, _PLACE)
    if isinstance(value, list):
        return Located([_at_one_place(item) for item in value], _PLACE)
    return Located(value, _PLACE)


def add_setting(parser: argparse.ArgumentParser) -> None:
    """Declare `--set`, whose settings come among the values files."""
    parser.add_argument(
        "--set",
        action="append",
        dest="values",
        type=setting,
        default=[],
        metavar="KEY=VALUE",
        help="one value to lay on top, after what is to the left of it (may be repeated)",
    )
