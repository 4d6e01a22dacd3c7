"""How the program fails in front of a user: a message, an exit code, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable

FAILED = 1
"""Exit code when the input or the environment is wrong."""
WRONG_USAGE = 2
"""Exit code when the command line is wrong (argparse's own)."""
TROUBLE = 2
"""Exit code of `diff` when it cannot tell whether there are differences. `kubectl diff` has the same."""
IRREVERSIBLE = 3
"""Exit code when the guard stopped a change that cannot be undone."""


class UserError(Exception):
    """A fault that the user can fix. The message says what and where, and never holds a secret value.

    `about` are the overlays that it is about, if it is not about all of them.
    """

    def __init__(self, message: str, exit_code: int = FAILED, about: Iterable[str] = ()) -> None:
        super().__init__(printable(message))
        self.exit_code = exit_code
        self.about = frozenset(about)


def printable(text: str) -> str:
    """The text with an escape (`\\x1b`) for each character that would steer a terminal, or turn what is shown around.

    Line feeds and tabs stay.
    """
    return re.sub(_STEERING, lambda found: found[0].encode("unicode-escape").decode(), text)


def for_terminal(text: str) -> str:
    """As `printable`, but with the colours of this program: all that goes to a terminal passes here."""
    return re.sub(f"(?!{_COLOURS}){_STEERING}", lambda found: found[0].encode("unicode-escape").decode(), text)


_COLOURS = r"\x1b\[(?:0|3[123])m"
_STEERING = r"[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
