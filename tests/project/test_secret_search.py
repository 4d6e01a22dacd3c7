"""The search for secret values in what commands leave behind: it knows the values, and finds them wherever they are."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from convexctl import cli
from tests.support import secret_search
from tests.support.command_line import Done, run
from tests.support.secret_search import Search

PASSWORD = "correct-horse-battery"


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Search:
    """What is known after a run that made an instance secret and was given a URL with a password."""
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    (overlays / "test.yaml").write_text("{s3: {enabled: false}, postgres: {enabled: true}}\n")
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://convex:{PASSWORD}@db.example.com:5432")
    monkeypatch.setenv("INSTANCE_NAME", "shop")
    found = Search()
    monkeypatch.setattr(secret_search, "current", found)
    assert run(capsys, "secrets", "test", "--overlays", str(overlays), "--offline").code == 0
    return found


def test_it_knows_what_was_made_and_what_was_given(search: Search) -> None:
    assert search.given == {PASSWORD}
    assert any(len(value) == 64 for value in search.made), "the instance secret"
    assert search.found == []


def test_it_finds_a_value_in_what_is_printed(search: Search) -> None:
    search.command = "synth"
    Done(0, "", f"error: {PASSWORD}")
    Done(0, base64.b64encode(PASSWORD.encode()).decode(), "")
    assert search.found == [f"what `synth` printed on standard {stream}" for stream in ("error", "output")]
    search.found.clear()


def test_it_finds_a_value_in_the_arguments_of_a_program(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexctl.commands.schema.run", lambda _: subprocess.run(["/nowhere", PASSWORD], check=True))
    assert cli.run(["schema"]) == 1
    assert search.found == ["the arguments of '/nowhere'"]
    search.found.clear()


def test_it_finds_what_was_made_in_files_that_others_can_read(search: Search, tmp_path: Path) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    for path, mode in ((private, 0o600), (public, 0o644)):
        path.write_text(sorted(search.made)[0])
        path.chmod(mode)
    search.look_below(tmp_path)
    assert search.found == [f"the file {public}"]
    public.unlink()
    search.found.clear()
