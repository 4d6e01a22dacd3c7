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
    pytest.param(["verify", "local", "--overlays", str(SAMPLES), "--ca"], id="verify"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no kubectl asks the cluster of whoever runs this
    os.mkfifo(pipe := tmp_path / "pipe.yaml")
    done = run(capsys, *command, str(pipe))
    assert done.code == 1
    assert f"{pipe}: " in done.stderr
    assert "regular file" in done.stderr


def test_a_kustomization_that_is_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(pipe := tmp_path / "kustomization.yaml")
    done = run(capsys, "audit", str(tmp_path))
    assert (done.code, done.stderr) == (1, f"{pipe}: Is not a regular file\n")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="the system has no /proc")
def test_what_the_kernel_shows_is_no_file(tmp_path: Path) -> None:
    """Such as /proc/kmsg, which has the type of a regular file and waits for the next line."""
    (link := tmp_path / "ca.pem").symlink_to("/proc/version")
    for path in (Path("/proc/version"), link):
        with pytest.raises(OSError, match="Is not a regular file"):
            regular_files.read_bytes(path)


def test_what_has_no_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(regular_files, "MOST_BYTES", 1 << 20)
    (file := tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    with file.open("rb") as content:
        for path in (file, Path(f"/dev/fd/{content.fileno()}")):
            with pytest.raises(OSError, match="is larger than 1 MiB"):
                regular_files.read_bytes(path)


def test_what_a_shell_hands_over_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a: 1\r\n")
    os.close(writer)
    assert regular_files.read_text(Path(f"/dev/fd/{reader}")) == "a: 1\n"
    os.close(reader)
    assert regular_files.read_bytes(Path(os.devnull)) == b""
