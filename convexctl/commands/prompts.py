"""Questions at the terminal whose answers are not shown."""

from __future__ import annotations

import getpass

from convexctl.errors import UserError


def ask_hidden(name: str, about: str = "") -> str:
    """Ask for a value and return what is typed. Raises `UserError` where the input ends or is no text."""
    try:
        return getpass.getpass(f"{name} ({f'{about}; ' if about else ''}not shown): ")
    except EOFError:
        raise UserError("the input ended: nothing was done") from None
    except UnicodeDecodeError:
        raise UserError(f"{name}: what was typed is no text in this terminal's encoding") from None
