"""Questions at the terminal."""

from __future__ import annotations

import getpass
import sys

from convexctl.errors import WRONG_USAGE, UserError, printable


def ask_hidden(name: str, about: str = "") -> str:
    """Ask for a value and return what is typed. Raises `UserError` where the input ends or is no text."""
    try:
        return getpass.getpass(f"{name} ({f'{about}; ' if about else ''}not shown): ")
    except EOFError:
        raise UserError("the input ended: nothing was done") from None
    except UnicodeDecodeError:
        raise UserError(f"{name}: what was typed is no text in this terminal's encoding") from None


def check_that_somebody_answers() -> None:
    """Raise `UserError` where `--apply` could not ask: there is no terminal, and no `--yes`."""
    if not sys.stdin.isatty():
        raise UserError("--apply asks before it changes anything, and there is no terminal: add --yes", WRONG_USAGE)


def confirm(question: str, otherwise: str) -> None:
    """Ask a question, and raise `UserError` with `otherwise` for any answer but yes."""
    sys.stdout.flush()
    print(printable(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError(otherwise)
