"""What a run puts aside on disk comes back as it was, in other processes too, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.synth.spool import Place, Spool, packed

CONTENTS = [{"a": "text\n" * 1000}, ("ä", None, 1.5), "", list(range(1000))]


def test_each_comes_back_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool()
    places = [spool.put(packed(content)) for content in CONTENTS]
    assert [spool.take(place) for place in reversed(places)] == CONTENTS[::-1]
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_takes_what_was_put_after_the_fork() -> None:
    spool = Spool()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        os._exit(0 if spool.take(Place(0, len(packed("later")))) == "later" else 1)
    spool.put(packed("later"))
    os.write(writer, b".")
    assert os.waitpid(child, 0)[1] == 0


def test_a_write_that_is_cut_short_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool()
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, at: write(file, content[:7], at))
    places = [spool.put(packed(content)) for content in CONTENTS]
    assert [spool.take(place) for place in places] == CONTENTS


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError) as caught:
        spool.put(packed("x"))
    assert str(caught.value) == f"{tmp_path}: cannot be written: No space left on device\nnothing was written"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"gone.*: cannot be written: No such file or directory\nnothing was written"):
        Spool()
