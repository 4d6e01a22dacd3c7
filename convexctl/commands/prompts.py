"""Questions at the terminal."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import sys
import termios
from collections.abc import Iterator
from types import FrameType

from convexctl.errors import FAILED, WRONG_USAGE, UserError
from convexctl.terminal import printable


def ask_hidden(name: str, about: str = "") -> str:
    """Ask for a value and return what is typed. Raises `UserError` if the input ends or is not text."""
    try:
        with _echo_comes_back():
            return getpass.getpass(f"{name} ({f'{about}; ' if about else ''}not shown): ")
    except EOFError:
        raise UserError("the input ended: nothing was done") from None
    except UnicodeDecodeError:
        raise UserError(f"{name}: what was typed is not text in this terminal's encoding") from None


def ask_shown(name: str, about: str = "") -> str:
    """Ask for a value that is not a secret, and return what is typed. Raises `UserError` as `ask_hidden` does."""
    sys.stdout.flush()
    print(f"{name}{f' ({about})' if about else ''}: ", end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        raise UserError(f"{name}: what was typed is not text in this terminal's encoding") from None
    if not answer:
        raise UserError("the input ended: nothing was done")
    return answer.rstrip("\n")


_TAKES_THE_TERMINAL = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
"""The signals after which somebody else has the terminal."""


@contextlib.contextmanager
def _echo_comes_back() -> Iterator[None]:
    """Let the terminal show again what is typed when a signal ends or stops the program while it does not."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield
        return
    before = termios.tcgetattr(terminal)

    def restore(number: int, _: FrameType | None) -> None:
        hiding = termios.tcgetattr(terminal)
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # A stopped program goes on here, still at its prompt.
        signal.signal(number, restore)
        termios.tcsetattr(terminal, termios.TCSANOW, hiding)

    handled = [number for number in _TAKES_THE_TERMINAL if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, restore)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
        os.close(terminal)


def check_that_somebody_answers() -> None:
    """Raise `UserError` if `--apply` could not ask: there is no terminal, and no `--yes`."""
    if not sys.stdin.isatty():
        raise UserError("--apply asks before it changes anything, and there is no terminal: add --yes", WRONG_USAGE)


def somebody_answers() -> bool:
    """Whether a question is seen and can be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, otherwise: str, exit_code: int = FAILED) -> None:
    """Ask a question, and raise `UserError` with `otherwise` for any answer but yes."""
    sys.stdout.flush()
    print(printable(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError(otherwise, exit_code)
