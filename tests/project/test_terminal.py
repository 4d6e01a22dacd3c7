"""Others' words (the name of a context, what kubectl prints) cannot steer the terminal."""

from __future__ import annotations

import io
import sys

import pytest

from convexctl import cli
from convexctl.commands.prompts import confirm
from convexctl.errors import UserError

HOSTILE = "prod\x1b[2K\rstaging\x1b]0;x\x07\u202e"
HARMLESS = "prod\\x1b[2K\\rstaging\\x1b]0;x\\x07\\u202e"
COLOURS = "\x1b[31mred\x1b[0m\t\n"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_the_question_before_a_change(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    with pytest.raises(UserError):
        confirm(f"Apply to context {HOSTILE}?", "nothing was changed")
    assert capsys.readouterr().err == f"Apply to context {HARMLESS}? [y/N] "


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_whatever_goes_to_a_terminal_keeps_our_colours_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, name, Terminal(written, encoding="utf-8", write_through=True))
    cli._write_whatever_comes()
    print(f"{HOSTILE}{COLOURS}", end="", file=getattr(sys, name))
    assert written.getvalue().decode() == f"{HARMLESS}{COLOURS}"


def test_what_goes_to_a_file_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8", write_through=True))
    cli._write_whatever_comes()
    print(HOSTILE, end="")
    assert written.getvalue().decode() == HOSTILE
