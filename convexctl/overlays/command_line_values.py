"""What the command line itself says about an environment: `--name`, and single values (`--set image.tag=abc`)."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.names import is_pattern, name_fault

if TYPE_CHECKING:
    from convexctl.located_yaml import Located, Place

_KEY = re.compile(r"(?:[^.\\=]|\\.)+")
OPTION = "--set"
_OWN_NAME = "--name"


class Setting(NamedTuple):
    """One `key=value`: a layer of its own, between the values files as they stand on the command line."""

    text: str
    layer: Located


class Name(Setting):
    """The name of an environment that has no overlay of its own. Its layer is the namespace, below all others."""


def own_name(text: str) -> Name:
    """Read the name of an environment, which is that of its namespace too.

    Raises `argparse.ArgumentTypeError` for a name that no overlay may have.
    """
    from convexctl.located_yaml import Located, Place

    if fault := name_fault(text):
        raise argparse.ArgumentTypeError(fault.replace("an overlay's name", "it"))
    place = Place(_OWN_NAME, 0)
    return Name(text, Located({"namespace": Located(text.replace("/", "-"), place)}, place))


def name_given(layers: Iterable[Path | Setting]) -> str:
    """The name that `--name` gives; empty without it."""
    return next((layer.text for layer in layers if isinstance(layer, Name)), "")


def check_name(layers: Sequence[Path | Setting], overlays: Sequence[str]) -> None:
    """Raise `UserError` if `--name` would name several environments, or one environment twice."""
    names = [layer for layer in layers if isinstance(layer, Name)]
    if len(names) > 1:
        raise UserError(f"{_OWN_NAME} is given {len(names)} times: an environment has one name", WRONG_USAGE)
    if names and (len(overlays) != 1 or is_pattern(overlays[0])):
        raise UserError(f"{_OWN_NAME} names one environment: name the overlay that it is made from", WRONG_USAGE)


def command_line(overlay: str, layers: Iterable[Path | Setting]) -> str:
    """The words by which a command line names an environment that is made with `--name`."""
    words = [overlay]
    for layer in layers:
        option = _OWN_NAME if isinstance(layer, Name) else OPTION if isinstance(layer, Setting) else "-f"
        words += [option, layer.text if isinstance(layer, Setting) else str(layer)]
    return shlex.join(words)


def setting(text: str) -> Setting:
    """Read `key=value`. The value is YAML, as in an overlay; a dot inside a key has a backslash before it."""
    # Only where it is used: a run that has nothing to do imports no YAML.
    from convexctl.located_yaml import DocumentError, Located, Place, load_all

    place = Place(OPTION, 0)
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
    if value.strip() and not documents:
        raise argparse.ArgumentTypeError(
            "has a value that YAML reads as a comment: put it in quotes, inside the shell's"
        )
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
    """Declare `--set` and `--name`, which come among the values files."""
    parser.add_argument(
        OPTION,
        action="append",
        dest="values",
        type=setting,
        default=[],
        metavar="KEY=VALUE",
        help="set one value; -f and --set apply from left to right, and the last one wins (may be repeated)",
    )
    parser.add_argument(
        _OWN_NAME,
        action="append",
        dest="values",
        type=own_name,
        default=[],
        metavar="NAME",
        help="make an environment called NAME from the overlay, in a namespace of the same name (for previews)",
    )
