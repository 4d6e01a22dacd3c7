"""`synth --watch`: again after every change, with errors that come and go, until it is interrupted."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convexctl.synth import builder, environment, watch
from convexctl.synth.environment import MANIFESTS
from tests.support.command_line import run
from tests.support.overlay_cases import ROOT
from tests.support.processes import interruptible, wait_until


def test_edits_errors_and_the_end(tmp_path: Path) -> None:
    overlays, target = tmp_path / "overlays", tmp_path / "dist"
    overlays.mkdir()
    overlay, written = overlays / "one.yaml", target / "one" / MANIFESTS
    right = "backend: {persistence: {enabled: true}}\n"
    overlay.write_text(right)
    command = [sys.executable, str(ROOT / "main.py"), "synth", "--watch", "--allow-irreversible"]
    with interruptible([*command, "--overlays", str(overlays), "-o", str(target)], dict(os.environ)) as process:
        wait_until(written.exists, "the first run")
        for number in range(3):
            # A burst of saves ends in what was saved last.
            for text in ("nonsense", "releaseName: between\n", f"{right}commonLabels: {{edit: n{number}}}\n"):
                overlay.write_text(text)
            wait_until(lambda number=number: f"edit: n{number}" in written.read_text(), "an edit")  # type: ignore[misc]
        before = written.read_text()
        overlay.write_text("replicaCount: 2\n")
        time.sleep(1)
        assert written.read_text() == before
        overlay.write_text(f"{right}commonLabels: {{edit: last}}\n")
        wait_until(lambda: "edit: last" in written.read_text(), "the edit after an error")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "one.yaml:1: replicaCount: must be 1" in said
    assert "Traceback" not in said


def test_a_file_that_is_being_saved_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "one.yaml"
    overlay.write_text("a: b\n")
    monkeypatch.setattr(watch, "_EMPTY_FOR_NS", 600 * 10**9)
    seen: list[str] = []

    def note() -> None:
        seen.append(overlay.read_text())
        if len(seen) == 2:
            raise KeyboardInterrupt
        overlay.write_text("")
        threading.Timer(0.5, lambda: overlay.write_text("c: d\n")).start()

    with pytest.raises(KeyboardInterrupt):
        watch.watch([tmp_path], note)
    assert seen == ["a: b\n", "c: d\n"]


def test_a_file_that_stays_empty_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_EMPTY_FOR_NS", 10**7)
    overlay = tmp_path / "one.yaml"
    runs: list[int] = []

    def note() -> None:
        runs.append(1)
        if len(runs) == 2:
            raise KeyboardInterrupt
        overlay.touch()

    with pytest.raises(KeyboardInterrupt):
        watch.watch([tmp_path], note)


def test_what_is_edited_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overlays, target = tmp_path / "overlays", tmp_path / "dist"
    overlays.mkdir()
    overlay = overlays / "one.yaml"
    overlay.write_text("commonLabels: {edit: first}\n")
    made: list[str] = []
    synthesise = environment.synthesise

    def edited(*arguments: Any) -> Any:
        """Nothing is written yet when the overlay is edited; with a stamp that tells nothing, as on a coarse clock."""
        made.append((target / "one" / MANIFESTS).read_text() if target.exists() else "")
        about = overlay.stat()
        if len(made) == 1:
            overlay.write_text("commonLabels: {edit: later}\n")
            os.utime(overlay, ns=(about.st_atime_ns, about.st_mtime_ns))
        return synthesise(*arguments)

    def once(_: object, tell: Callable[[], None]) -> None:
        tell()

    monkeypatch.setattr(builder, "synthesise", edited)
    monkeypatch.setattr(watch, "watch", once)
    assert run(capsys, "synth", "--watch", "--overlays", str(overlays), "-o", str(target)).code == 0
    assert made == ["", ""]
    assert "edit: later" in (target / "one" / MANIFESTS).read_text()
