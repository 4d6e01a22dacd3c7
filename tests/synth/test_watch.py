"""`synth --watch`: again after every change, with errors that come and go, until it is interrupted."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from convexctl.synth.environment import MANIFESTS
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
