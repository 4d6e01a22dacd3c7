"""How the program fails in front of a user: a message, an exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable

from convexctl.terminal import printable

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
