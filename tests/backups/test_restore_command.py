"""`restore` from a file, at a real terminal: nothing is replaced before somebody has said yes."""

from __future__ import annotations

import io
import os
import pty
import signal
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command_line import Done, run
from tests.support.convex_standin import Standin, standin
from tests.support.kubectl_stub import KubectlStub
from tests.support.overlay_cases import ROOT
from tests.support.secret_watch import saw_output

SECRET, OTHER_SECRET = "5a" * 32, "a5" * 32
THERE = {"messages": ['{"_id":"m1","body":"hello"}']}
IN_THE_FILE = {"messages": ['{"_id":"m2","body":"größer"}'], "users": ['{"_id":"u1"}']}
PATIENCE_S = 120
QUESTION = "Replace everything in prod by this backup? [y/N] "


@dataclass
class Setting:
    """An overlay, a kubectl that knows its instance secret, the backend of it and a backup."""

    folder: Path
    backend: Standin
    kubectl: KubectlStub

    @property
    def file(self) -> Path:
        return self.folder / "backup.zip"

    def words(self, *options: object) -> list[str]:
        words = ("restore", "prod", "--overlays", self.folder / "overlays", "--url", self.backend.url, *options)
        return [str(word) for word in words]

    def untouched(self) -> bool:
        """Whether the backend has what it had, and no import that still waits for an answer."""
        state = self.backend.state()
        waiting = [each for each in state["imports"] if each["state"] != "failed"]
        return state["tables"] == THERE and not waiting


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    stub.secret("instance", {"INSTANCE_SECRET": SECRET})
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "prod.yaml").write_text(
        "instance: {name: prod, existingSecret: instance}\nbackend: {persistence: {enabled: true}}\n"
    )
    with zipfile.ZipFile(tmp_path / "backup.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", '{"name":"messages","id":1}\n{"name":"users","id":2}\n')
        for name, lines in IN_THE_FILE.items():
            archive.writestr(f"{name}/documents.jsonl", "\n".join(lines) + "\n")
    with standin(instance="prod", tables=THERE, INSTANCE_SECRET=SECRET, LOOKS="0") as backend:
        yield Setting(tmp_path, backend, stub)


def at_a_terminal(setting: Setting, answer: str) -> tuple[int, str]:
    """Run it at a terminal of its own, and type this at the question; its exit code and what the terminal showed."""
    words = [sys.executable, str(ROOT / "main.py"), *setting.words("--from", setting.file)]
    program, terminal = pty.fork()
    if program == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may have it ignored
        signal.alarm(PATIENCE_S)
        os.execv(sys.executable, words)  # noqa: S606
    shown = b""
    while QUESTION.encode() not in shown:
        read = read_terminal(terminal)
        assert read, shown.decode()
        shown += read
    os.write(terminal, answer.encode())
    while read := read_terminal(terminal):
        shown += read
    _, status = os.waitpid(program, 0)
    os.close(terminal)
    saw_output(words, shown, None)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's end of a terminal
        return b""


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("\x03", 130)], ids=["no", "enter", "ctrl-c"])
def test_whoever_does_not_say_yes_keeps_everything(setting: Setting, answer: str, code: int) -> None:
    ended, shown = at_a_terminal(setting, answer)
    before, _, after = shown.partition(QUESTION)
    assert "table | replaced\nmessages\n" in before, (
        "what the server says that it will replace stands before the question"
    )
    assert ended == code, shown
    assert "Traceback" not in after
    assert setting.untouched()
    assert setting.backend.state()["imports"] == [{"state": "failed", "error_message": "Import canceled"}]


def test_yes_replaces_everything_by_the_file(setting: Setting) -> None:
    code, shown = at_a_terminal(setting, "yes\n")
    assert code == 0, shown
    assert "restored: 2 documents" in shown
    assert "uploaded 100 % of" in shown
    assert setting.backend.state()["tables"] == IN_THE_FILE
    assert "prod|" not in shown


def restore(setting: Setting, capsys: pytest.CaptureFixture[str], *options: object) -> Done:
    return run(capsys, *setting.words(*options))


def test_without_a_terminal_it_asks_for_yes_before_it_begins(
    setting: Setting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    done = restore(setting, capsys, "--from", setting.file)
    assert done.code == 2
    assert "there is no terminal: add --yes" in done.stderr
    assert setting.backend.state()["requests"] == []


def damaged(setting: Setting) -> None:
    data = bytearray(setting.file.read_bytes())
    data[60] ^= 0xFF
    setting.file.write_bytes(data)


def cut_off(setting: Setting) -> None:
    setting.file.write_bytes(setting.file.read_bytes()[:-30])


def of_something_else(setting: Setting) -> None:
    with zipfile.ZipFile(setting.file, "w") as archive:
        archive.writestr("holiday.jpg", "x")


WRONG = [
    pytest.param(damaged, "is damaged at _tables/documents.jsonl: nothing was uploaded", id="damaged"),
    pytest.param(cut_off, "is not a whole ZIP", id="cut off"),
    pytest.param(of_something_else, "is not an export of Convex: it has no _tables/documents.jsonl", id="no export"),
    pytest.param(
        lambda setting: setting.backend.set(instance="staging"),
        "is the instance staging, and the overlay prod means prod",
        id="another instance",
    ),
    pytest.param(
        lambda setting: setting.kubectl.secret("instance", {"INSTANCE_SECRET": OTHER_SECRET}),
        "refused the admin key",
        id="wrong key",
    ),
    pytest.param(lambda setting: setting.file.unlink(), "is neither a file nor a backup's name nor latest", id="none"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_what_cannot_be_restored_is_named_and_replaces_nothing(
    setting: Setting, capsys: pytest.CaptureFixture[str], spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(setting)
    done = restore(setting, capsys, "--from", setting.file, "--yes")
    assert done.code in (1, 2)
    assert message in done.stderr
    assert OTHER_SECRET not in done.stderr + done.stdout
    assert setting.untouched()


@pytest.mark.parametrize("step", ["start_upload", "upload_part", "finish_upload"])
def test_an_upload_that_fails_replaces_nothing(
    setting: Setting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr("convexctl.backups.restore.time.sleep", lambda _: None)
    setting.backend.fault(f"POST /api/import/{step}", times=9, status=500)
    done = restore(setting, capsys, "--from", setting.file, "--yes")
    assert done.code == 1
    assert "500" in done.stderr
    assert setting.untouched()


def test_a_part_that_is_refused_once_is_sent_again(
    setting: Setting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convexctl.backups.restore.time.sleep", lambda _: None)
    monkeypatch.setattr("convexctl.backups.restore.PART_BYTES", 100)
    setting.backend.fault("POST /api/import/upload_part", times=2, status=500)
    done = restore(setting, capsys, "--from", setting.file, "--yes")
    assert done.code == 0, done.stderr
    assert setting.backend.state()["tables"] == IN_THE_FILE


def test_an_import_that_cannot_be_asked_about_is_cancelled(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    setting.backend.fault("POST /api/query", times=9, status=500)
    done = restore(setting, capsys, "--from", setting.file, "--yes")
    assert done.code == 1
    assert setting.untouched()


def test_a_preview_may_be_the_target(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    (setting.folder / "overlays" / "_preview.yaml").write_text("extends: prod\n")
    words = setting.words("--from", setting.file, "--into", "_preview", "--name", "pr-42", "--yes")
    done = run(capsys, *words)
    assert done.code == 0, done.stderr
    assert f"restore of {setting.file} into pr-42, instance prod (namespace pr-42, " in done.stderr
    assert setting.backend.state()["tables"] == IN_THE_FILE
    asked = [" ".join(call) for call in setting.kubectl.calls if "secret" in call]
    assert asked
    assert all("pr-42" in call for call in asked), asked
