"""How the program fails in front of a user: a message, an exit code, never a traceback."""

from __future__ import annotations

FAILED = 1
"""Exit code when the input or the environment is wrong."""
WRONG_USAGE = 2
"""Exit code when the command line is wrong (argparse's own)."""
IRREVERSIBLE = 3
"""Exit code when the guard stopped a change that cannot be undone."""


class UserError(Exception):
    """Something the user can mend. The message says what and where, and never holds a secret value."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
