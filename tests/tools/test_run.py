"""The user's own tools: what they print, or one line about what is wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.tools import run


class ToolError(UserError):
    """The error that the caller asks for."""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program called `tool` on PATH is to be written."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "tool"


def write(tool: Path, script: str) -> None:
    tool.write_text(script)
    tool.chmod(0o755)


def test_what_it_prints_for_what_it_is_given(tool: Path) -> None:
    write(tool, '#!/bin/sh\nprintf "%s " "$@"\ncat\n')
    assert run.run("tool", ["a b", "c"], stdin="in") == "a b c in"


def test_output_that_is_no_text_is_read_all_the_same(tool: Path) -> None:
    write(tool, "#!/bin/sh\nprintf '\\377'\n")
    assert run.run("tool", []) == "\ufffd"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("#!/bin/sh\necho one >&2\necho ' two ' >&2\necho >&2\nexit 3\n", "failed: two", id="last line"),
        pytest.param("#!/bin/sh\nexit 3\n", "tool failed with exit code 3", id="without a word"),
        pytest.param("#!/bin/sh\nexec sleep 30\n", "tool did not finish within 0.2 seconds", id="too slow"),
        pytest.param("#!/bin/sh\nkill -9 $$\n", "tool was killed (signal 9)", id="killed"),
        pytest.param("#!/bin/sh\nexec cat /dev/zero\n", "tool printed more than 1 MiB, and was stopped", id="huge"),
        pytest.param("#!/bin/sh\nexec cat /dev/zero >&2\n", "tool printed more than 1 MiB, and was stopped", id="loud"),
        pytest.param("#!/nonexistent\n", "tool cannot be run: No such file or directory", id="broken"),
    ],
)
def test_what_is_wrong_is_one_line(tool: Path, script: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_BYTES", 1 << 20)
    write(tool, script)
    with pytest.raises(ToolError) as caught:
        run.run("tool", [], timeout_s=0.2 if "sleep" in script else 60, error=ToolError, lead="failed: ")
    assert str(caught.value) == message


def test_a_long_wait_is_told_at_a_terminal(
    tool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tool, "#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(run, "_SILENCE_S", 0)
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with pytest.raises(ToolError):
            run.run("tool", [], timeout_s=1, error=ToolError)
        assert capsys.readouterr().err == ("waiting for tool, at most 1 seconds\n" if terminal else "")


def test_one_that_is_missing() -> None:
    with pytest.raises(ToolError) as caught:
        run.run("no-such-tool", [], error=ToolError)
    assert str(caught.value) == "no-such-tool is not installed, or not on PATH"


def test_one_that_reads_nothing_of_what_it_is_given(tool: Path) -> None:
    write(tool, "#!/bin/sh\necho done\n")
    assert run.run("tool", [], stdin="x" * 5_000_000) == "done\n"


def test_much_in_both_directions(tool: Path) -> None:
    write(tool, "#!/bin/sh\nexec cat\n")
    given = "x\n" * 3_000_000
    assert run.run("tool", [], stdin=given) == given


def test_a_child_that_stays_is_not_waited_for_without_end(tool: Path) -> None:
    write(tool, "#!/bin/sh\nsleep 5 &\necho done\n")
    with pytest.raises(ToolError, match="did not finish within"):
        run.run("tool", [], timeout_s=0.5, error=ToolError)


def test_one_that_is_missing_and_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"kubectl is not installed, or not on PATH: see https://kubernetes.io/docs/"):
        run.run("kubectl", [], error=ToolError)
