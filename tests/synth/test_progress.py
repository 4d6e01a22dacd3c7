"""The line that tells how far a run over many environments is."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from convexctl.overlays.names import OverlayError
from convexctl.synth import builder, environment, progress

COUNT = 3


class Screen(io.StringIO):
    """Standard error, and the last thing that a terminal would show of it."""

    terminal = True

    def isatty(self) -> bool:
        return self.terminal

    def shown(self) -> str:
        """What is left on the screen: a carriage return goes back, and text replaces what it is written over."""
        shown = ""
        for part in self.getvalue().split("\r"):
            shown = part + shown[len(part) :]
        return shown.strip()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(progress, "MANY", COUNT - 1)
    return Screen()


def build(
    folder: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False, wrong: str = ""
) -> None:
    """Build environments, without cdk8s."""

    def made(overlay: Any, _: object) -> environment.Environment:
        if overlay.name == wrong:
            raise OverlayError(["wrong"])
        return environment.Environment(overlay, {})

    monkeypatch.setattr(builder, "synthesise", made)
    monkeypatch.setattr(sys, "stderr", screen)
    names = [f"t{number}" for number in range(COUNT)]
    for name in names:
        (folder / f"{name}.yaml").write_text("{}\n")
    with builder.builder_of(builder.Task(folder, names, [], lambda _: None), jobs=1) as here:
        here.read()
        builder.build(here, COUNT, quiet=quiet)


def test_each_environment_is_counted(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, screen, monkeypatch)
    assert [part for part in screen.getvalue().split("\r") if part.strip()] == [
        f"{number} of 3 environments" for number in (1, 2, 3)
    ]
    assert screen.shown() == ""
    assert "\n" not in screen.getvalue()


def test_it_is_gone_before_an_error_is_told(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OverlayError):
        build(tmp_path, screen, monkeypatch, wrong="t1")
    assert "3 of 3" in screen.getvalue()
    assert screen.shown() == ""


@pytest.mark.parametrize("why", ["a pipe", "few", "quiet"])
def test_otherwise_nothing_is_shown(why: str, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.terminal = why != "a pipe"
    if why == "few":
        monkeypatch.setattr(progress, "MANY", COUNT)
    build(tmp_path, screen, monkeypatch, quiet=why == "quiet")
    assert screen.getvalue() == ""
