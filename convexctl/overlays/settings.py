"""Single values from the command line: `--set backend.image.tag=abc`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from convexctl.located_yaml import Located, Place

_KEY = re.compile(r"(?:[^.\\=]|\\.)+")
_NAME = "--set"


class Setting(NamedTuple):
    """One `key=value`: a layer of its own, between the values files as they stand on the command line."""

    text: str
    layer: Located


def setting(text: str) -> Setting:
    """Read `key=value`. The value is YAML, as in an overlay; a dot inside a key has a backslash before it."""
    # Only where it is used: a run that has nothing to do imports no YAML.
    from convexctl.located_yaml import DocumentError, Located, Place, load_all

    place = Place(_NAME, 0)
    key, equals, value = text.partition("=")
    parts = _KEY.findall(key)
    if not equals or not parts or ".".join(parts) != key:
        raise argparse.ArgumentTypeError("must be KEY=VALUE, for instance backend.image.tag=abc")
    if "[" in key:
        raise argparse.ArgumentTypeError("sets a list as a whole: KEY=[ITEM, ...]")
    try:
        documents = load_all(value, str(place))
    except DocumentError:
        raise argparse.ArgumentTypeError("has a value that is no YAML: put it in quotes, inside the shell's") from None
    located = Located(_at_one_place(documents[0], place).value if documents else "", place)
    for part in reversed(parts):
        located = Located({re.sub(r"\\(.)", r"\1", part): located}, place)
    return Setting(text, located)


def _at_one_place(located: Located, place: Place) -> Located:
    value = located.value
    if isinstance(value, dict):
        value = {key: _at_one_place(item, place) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_at_one_place(item, place) for item in value]
    return type(located)(value, place)


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
