"""What other programs and files say goes to the terminal without its control characters."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.overlay_cases import SAMPLES

EVIL = "\x1b[2J\x1b]0;title\x07\rApply to prod?\u202e"


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("code", [0, 1])
def test_what_helm_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    record = {"namespace": EVIL, "version": 1, "info": {"status": f"pending{EVIL}"}}
    (tmp_path / "answer").write_bytes(json.dumps(record).encode() if code == 0 else f"Error: {EVIL}bad".encode())
    program(tmp_path, "helm", f"cat {tmp_path}/answer {'' if code == 0 else '>&2'}; exit {code}")
    program(tmp_path, "kubectl", "echo ns")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = run(capsys, "adopt", "x", "--overlays", str(tmp_path), "-o", str(tmp_path / "dist"))
    assert done.code == 1
    assert "pending" in done.stderr if code == 0 else "bad" in done.stderr
    assert not set("\x1b\x07\r\u202e") & set(done.stdout + done.stderr)


def test_the_names_within_a_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(f"a{EVIL}/_tables/documents.jsonl", "x" * 1000)
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[content.find(b"xxxx") + 9] = ord("y")
    (tmp_path / "x.zip").write_bytes(content)
    done = run(capsys, "restore", "local", "--overlays", str(SAMPLES), "--from", str(tmp_path / "x.zip"), "--yes")
    assert (done.code, "is damaged at a\\x1b[2J" in done.stderr) == (1, True)
    assert not set("\x1b\x07\r\u202e") & set(done.stdout + done.stderr)
