"""A named pipe in the place of a file is one line, at once: nobody may ever write into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convexctl import regular_files
from tests.support.command_line import run
from tests.support.overlay_cases import SAMPLES

COMMANDS = [
    pytest.param(["synth", "local", "--overlays", str(SAMPLES), "-f"], id="values"),
    pytest.param(["audit"], id="audit"),
    pytest.param(["secrets", "production", "--overlays", str(SAMPLES), "--offline", "--from-env-file"], id="secrets"),
    pytest.param(["adopt", "x", "--manifest", str(SAMPLES / "local.yaml"), "--values"], id="adopt"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    os.mkfifo(pipe := tmp_path / "pipe.yaml")
    done = run(capsys, *command, str(pipe))
    assert done.code == 1
    assert f"{pipe}: " in done.stderr
    assert "regular file" in done.stderr


def test_what_a_shell_hands_over_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a: 1\r\n")
    os.close(writer)
    assert regular_files.read_text(Path(f"/dev/fd/{reader}")) == "a: 1\n"
    os.close(reader)
    assert regular_files.read_bytes(Path(os.devnull)) == b""
