"""Foreign text on its way to a terminal: nothing in it may steer the terminal."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """The text with an escape (`\\x1b`) for each character that would steer a terminal, or turn what is shown around.

    Line feeds and tabs stay.
    """
    return re.sub(_STEERING, lambda found: found[0].encode("unicode-escape").decode(), text)


def for_terminal(text: str) -> str:
    """As `printable`, but with the colours of this program.

    All that goes to a terminal passes here: `cli.py` wraps the standard streams in it.
    """
    return re.sub(f"(?!{_COLOURS}){_STEERING}", lambda found: found[0].encode("unicode-escape").decode(), text)


_COLOURS = r"\x1b\[(?:0|3[123])m"
_STEERING = r"[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
