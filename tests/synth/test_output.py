"""`dist/`: each environment's folder is swapped in whole, whatever happens, and what is the user's own stays."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.project import RECORD
from convexctl.synth import output
from convexctl.synth.folder_record import digest
from convexctl.synth.output import write
from tests.support.overlay_cases import ROOT
from tests.support.processes import wait_until

OLD = {
    "a": {"convex.k8s.yaml": "old\n", "Kustomization": "same\n", "Namespace": "stale\n"},
    "b": {"convex.k8s.yaml": "old\n"},
    "gone": {"convex.k8s.yaml": "old\n"},
    "gone-with-own": {"convex.k8s.yaml": "old\n"},
    "tenants/gone": {"convex.k8s.yaml": "old\n"},
}
OWN = {
    "a/notes.txt": "mine\n",
    "a/patches/deep/one.yaml": "mine\n",
    "gone-with-own/notes.txt": "mine\n",
    "mine/convex.k8s.yaml": "mine\n",
    "mine.txt": "mine\n",
}
DIGEST_OF_OLD, DIGEST_OF_MINE = digest(b"old\n"), digest(b"mine\n")
NEW = {
    "a": {"convex.k8s.yaml": "new\n", "Kustomization": "same\n", "README.md": "new\n"},
    "b": {"convex.k8s.yaml": "new\n"},
    "fresh": {"convex.k8s.yaml": "new\n"},
    "previews/fresh": {"convex.k8s.yaml": "new\n"},
}


def tree(root: Path) -> dict[str, str]:
    """The files below `root` by path, without the records."""
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if is_content(root, path)}


def everything(root: Path) -> frozenset[tuple[str, int, bytes]]:
    """All that is below `root`, hidden or not: its path, its kind and mode, and its bytes or where it leads to."""
    return frozenset((str(path.relative_to(root)), path.lstat().st_mode, _bytes_of(path)) for path in root.rglob("*"))


def _bytes_of(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""


def is_content(root: Path, path: Path) -> bool:
    hidden = output._WORK in path.relative_to(root).parts
    return path.is_file() and path.name != RECORD and not hidden


def flat(environments: dict[str, dict[str, str]], own: dict[str, str]) -> dict[str, str]:
    written = {f"{name}/{file}": text for name, files in environments.items() for file, text in files.items()}
    return {**written, **own}


def put(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder that earlier runs wrote, with files of the user's own in it."""
    root = tmp_path / "dist"
    write(root, OLD, prune=True)
    put(root, OWN)
    return root


def test_what_was_written_is_replaced_and_removed_and_what_is_the_users_own_stays(dist: Path) -> None:
    assert write(dist, NEW, prune=True) == {
        "a": "changed",
        "b": "changed",
        "fresh": "new",
        "gone": "removed",
        "gone-with-own": "removed",
        "tenants/gone": "removed",
        "previews/fresh": "new",
    }
    assert tree(dist) == flat(NEW, OWN)
    assert sorted(path.name for path in dist.iterdir()) == [
        "a",
        "b",
        "fresh",
        "gone-with-own",
        "mine",
        "mine.txt",
        "previews",
    ]
    assert not (dist / "gone-with-own" / RECORD).exists()


def test_without_prune_other_folders_stay(dist: Path) -> None:
    write(dist, {"b": NEW["b"]}, prune=False)
    assert tree(dist) == flat({**OLD, "b": NEW["b"]}, OWN)


def test_an_edited_file_is_removed_by_nobody_but_the_user(dist: Path) -> None:
    put(dist, {"a/Namespace": "edited\n", "gone/convex.k8s.yaml": "edited\n"})
    write(dist, NEW, prune=True)
    assert tree(dist) == flat(NEW, {**OWN, "a/Namespace": "edited\n", "gone/convex.k8s.yaml": "edited\n"})


def test_the_record_is_in_the_format_of_sha256sum(dist: Path) -> None:
    lines = (dist / "b" / RECORD).read_text().splitlines()
    assert lines == ["# Written by convex-k8s for the environment b", f"{DIGEST_OF_OLD}  convex.k8s.yaml"]
    subprocess.run(["sha256sum", "--check", "--strict", RECORD], cwd=dist / "b", check=True)


def test_the_same_again_changes_nothing(dist: Path) -> None:
    write(dist, NEW, prune=True)
    before = {path: path.stat() for path in dist.rglob("*")}
    assert write(dist, NEW, prune=True) == dict.fromkeys(NEW, "unchanged")
    assert {path: path.stat().st_ino for path in dist.rglob("*")} == {p: stat.st_ino for p, stat in before.items()}
    assert {path: path.stat().st_mtime_ns for path in dist.rglob("*")} == {
        p: stat.st_mtime_ns for p, stat in before.items()
    }


def test_a_file_that_was_lost_or_damaged_is_written_again(dist: Path) -> None:
    write(dist, NEW, prune=True)
    (dist / "a" / "README.md").unlink()
    (dist / "b" / "convex.k8s.yaml").write_text("damaged")
    (dist / "fresh" / RECORD).write_bytes(b"\xff\n")
    (dist / "previews" / "fresh" / RECORD).unlink()
    assert set(write(dist, NEW, prune=True).values()) == {"changed"}
    assert tree(dist) == flat(NEW, OWN)


def test_the_users_files_keep_mode_time_and_kind(dist: Path) -> None:
    script = dist / "a" / "notes.txt"
    script.chmod(0o750)
    os.utime(script, ns=(1, 2))
    (dist / "a" / "link").symlink_to("notes.txt")
    (dist / "a" / "dangling").symlink_to("nowhere")
    write(dist, NEW, prune=True)
    assert script.stat().st_mode & 0o777 == 0o750
    assert script.stat().st_mtime_ns == 2
    assert (dist / "a" / "link").readlink() == Path("notes.txt")
    assert (dist / "a" / "dangling").is_symlink()


def conflict(path: str) -> str:
    return f"{{dist}}/{path}: was not written by this program and would be overwritten: move it away"


CONFLICTS = [
    pytest.param({"fresh/convex.k8s.yaml": "mine\n"}, conflict("fresh/convex.k8s.yaml"), id="a file"),
    pytest.param({"a/README.md/mine": "mine\n"}, conflict("a/README.md"), id="a folder"),
    pytest.param(
        {"a/extra.yaml": "mine\n"},
        "{dist}/a/extra.yaml: is yours, and `kubectl apply -f {dist}/a/` would apply it, while `-k`, Argo CD and Flux "
        "would not: put the object into extraObjects of the overlay, or the file elsewhere",
        id="what -f alone would apply",
    ),
    pytest.param({"fresh": "mine\n"}, "{dist}/fresh: is in the way: it must be a folder, not a link", id="no folder"),
]


@pytest.mark.parametrize(("files", "message"), CONFLICTS)
def test_a_file_of_the_users_own_in_the_way_is_an_error_and_nothing_is_written(
    dist: Path, files: dict[str, str], message: str
) -> None:
    put(dist, files)
    with pytest.raises(UserError) as caught:
        write(dist, NEW, prune=True)
    assert str(caught.value) == f"{message.format(dist=dist)}\nnothing was written"
    assert tree(dist) == flat(OLD, {**OWN, **files})


@pytest.mark.parametrize(
    ("link", "to", "message"),
    [
        ("fresh", "a", "{dist}/fresh: is in the way: it must be a folder, not a link"),
        ("a/README.md", "nowhere", conflict("a/README.md")),
        ("a/README.md", "notes.txt", conflict("a/README.md")),
    ],
    ids=["folder", "dangling", "file"],
)
def test_a_link_in_the_way_is_an_error_and_nothing_is_written(dist: Path, link: str, to: str, message: str) -> None:
    (dist / link).symlink_to(to)
    with pytest.raises(UserError) as caught:
        write(dist, NEW, prune=True)
    assert str(caught.value) == f"{message.format(dist=dist)}\nnothing was written"
    assert (dist / link).readlink() == Path(to)


def test_a_file_of_the_users_own_with_the_same_content_is_no_conflict(dist: Path) -> None:
    put(dist, {"fresh/convex.k8s.yaml": "new\n"})
    write(dist, NEW, prune=True)
    assert tree(dist) == flat(NEW, OWN)


def test_a_link_to_a_written_folder_is_not_pruned(dist: Path) -> None:
    (dist / "link").symlink_to("a")
    write(dist, NEW, prune=True)
    assert (dist / "link").readlink() == Path("a")


def test_a_record_names_no_file_outside_its_folder(dist: Path) -> None:
    header = (dist / "gone" / RECORD).read_text().splitlines(keepends=True)[0]
    (dist / "gone" / RECORD).write_text(f"{header}{DIGEST_OF_MINE}  ../mine.txt\n{DIGEST_OF_OLD}  convex.k8s.yaml\n")
    write(dist, NEW, prune=True)
    assert (dist / "mine.txt").read_text() == "mine\n"
    assert not (dist / "gone").exists()


def nothing_is_left_over(root: Path) -> bool:
    return not (root / output._WORK).exists()


def test_a_kind_of_file_that_cannot_be_copied_is_an_error_in_one_line(dist: Path) -> None:
    os.mkfifo(dist / "a" / "patches" / "pipe")
    with pytest.raises(UserError) as caught:
        write(dist, {"a": NEW["a"]}, prune=False)
    pipe = dist / "a" / "patches" / "pipe"
    assert str(caught.value) == f"{pipe}: cannot be taken over: `{pipe}` is a named pipe\nnothing was written"
    assert (dist / "a" / "convex.k8s.yaml").read_text() == "old\n"
    assert nothing_is_left_over(dist)


@pytest.mark.parametrize(
    ("target", "reason"),
    [("mine.txt", "File exists"), ("mine.txt/below", "Not a directory"), ("x" * 300, "File name too long")],
    ids=["a file", "below a file", "too long a name"],
)
def test_a_target_that_cannot_be_written_is_an_error_in_one_line(dist: Path, target: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        write(dist / target, NEW, prune=True)
    assert str(caught.value) == f"{dist / target}: cannot be written: {reason}\nnothing was written"


SMALL_FILES_ONLY = """
import json, pathlib, resource, sys
from convexctl.errors import UserError
from convexctl.synth.output import write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(pathlib.Path(sys.argv[1]), {"a": {"convex.k8s.yaml": "new", "README.md": "x" * 2000}}, prune=False)
except UserError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_leaves_what_was_there(dist: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SMALL_FILES_ONLY, str(dist)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == f"{dist}: cannot be written: File too large\nnothing was written\n"
    assert tree(dist) == flat(OLD, OWN)
    assert nothing_is_left_over(dist)


SMALL_SECOND = SMALL_FILES_ONLY.replace('{"a": ', '{"b": {"convex.k8s.yaml": "new"}, "a": ')


def pipe_in_b(dist: Path) -> None:
    os.mkfifo(dist / "b" / "pipe")


def folder_for_a_file_in_b(dist: Path) -> None:
    (dist / "b" / "convex.k8s.yaml").unlink()
    put(dist, {"b/convex.k8s.yaml/mine": "mine\n"})


def link_for_a_file_in_b(dist: Path) -> None:
    (dist / "b" / "convex.k8s.yaml").unlink()
    (dist / "b" / "convex.k8s.yaml").symlink_to("../mine.txt")


def pipe_for_a_file_in_b(dist: Path) -> None:
    (dist / "b" / "convex.k8s.yaml").unlink()
    os.mkfifo(dist / "b" / "convex.k8s.yaml")


def folder_for_the_record_in_b(dist: Path) -> None:
    (dist / "b" / RECORD).unlink()
    put(dist, {f"b/{RECORD}/mine": "mine\n"})


@pytest.mark.parametrize(
    "harm",
    [pipe_in_b, folder_for_a_file_in_b, link_for_a_file_in_b, pipe_for_a_file_in_b, folder_for_the_record_in_b],
)
def test_what_stops_the_second_environment_leaves_the_first_as_it_was(dist: Path, harm: Callable[[Path], None]) -> None:
    harm(dist)
    before = sorted((str(path), path.lstat().st_ino) for path in dist.rglob("*"))
    with pytest.raises(UserError, match=r"\nnothing was written$"):
        write(dist, NEW, prune=True)
    assert sorted((str(path), path.lstat().st_ino) for path in dist.rglob("*")) == before


def test_a_disk_that_is_full_for_the_second_environment_leaves_the_first(dist: Path) -> None:
    subprocess.run([sys.executable, "-c", SMALL_SECOND, str(dist)], cwd=ROOT, capture_output=True, check=True)
    assert tree(dist) == flat(OLD, OWN)
    assert nothing_is_left_over(dist)


def test_a_name_that_is_too_long_for_the_second_environment_leaves_the_first(dist: Path) -> None:
    with pytest.raises(UserError, match="File name too long"):
        write(dist, {"a": NEW["a"], "x" * 256: NEW["a"]}, prune=True)
    assert tree(dist) == flat(OLD, OWN)
    write(dist, {"a": NEW["a"], "x" * 255: NEW["a"]}, prune=False)
    assert (dist / ("x" * 255) / "convex.k8s.yaml").read_text() == "new\n"


@pytest.mark.parametrize("exchange", [True, False], ids=["with exchange", "without exchange"])
@pytest.mark.parametrize("at", range(1, 8))
def test_an_exchange_that_fails_is_taken_back_everywhere(
    dist: Path, monkeypatch: pytest.MonkeyPatch, at: int, exchange: bool
) -> None:
    if not exchange:
        without_exchange(monkeypatch)
    put_in_place, calls = output._put_in_place, itertools.count(1)

    def fail(root: Path, work: Path, folder: output._Folder) -> None:
        put_in_place(root, work, folder)
        if next(calls) == at:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(output, "_put_in_place", fail)
    with pytest.raises(UserError, match=r"Input/output error\nnothing was written$"):
        write(dist, NEW, prune=True)
    assert tree(dist) == flat(OLD, OWN)
    assert nothing_is_left_over(dist)
    assert not (dist / "previews").exists()
    assert next(calls) == at + 1


def test_a_folder_above_goes_with_its_last_environment(dist: Path) -> None:
    put(dist, {"mine/empty/x": ""})
    (dist / "mine" / "empty" / "x").unlink()
    assert write(dist, NEW, prune=True)["tenants/gone"] == "removed"
    assert not (dist / "tenants").exists()
    assert (dist / "mine" / "empty").is_dir()
    put(dist, {"previews/notes.txt": "mine\n"})
    write(dist, {}, prune=True)
    assert tree(dist) == {path: text for path, text in OWN.items() if not path.startswith("a/")} | {
        "a/notes.txt": "mine\n",
        "a/patches/deep/one.yaml": "mine\n",
        "previews/notes.txt": "mine\n",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/x", "a: is the folder of another environment, and would hold {dist}/a/x: delete it first"),
        (
            "tenants",
            "tenants/gone: is the folder of another environment, and {dist}/tenants would hold it: delete it first",
        ),
        ("mine.txt/x", "mine.txt: is in the way: it must be a folder, not a link"),
        ("link/x", "link: is in the way: it must be a folder, not a link"),
    ],
)
@pytest.mark.parametrize("prune", [True, False])
def test_an_environment_within_another_is_refused(dist: Path, name: str, message: str, prune: bool) -> None:
    (dist / "link").symlink_to("mine")
    with pytest.raises(UserError) as caught:
        write(dist, {name: NEW["b"]}, prune=prune)
    assert str(caught.value) == f"{dist}/{message.format(dist=dist)}\nnothing was written"
    (dist / "link").unlink()
    assert tree(dist) == flat(OLD, OWN)
    assert nothing_is_left_over(dist)


def test_a_copy_of_an_environment_is_the_users_own(dist: Path) -> None:
    shutil.copytree(dist / "a", dist / "a-2025")
    copy = {path.replace("a/", "a-2025/", 1): text for path, text in tree(dist).items() if path.startswith("a/")}
    write(dist, NEW, prune=True)
    assert tree(dist) == flat(NEW, {**OWN, **copy})
    with pytest.raises(UserError) as caught:
        write(dist, {**NEW, "a-2025": NEW["a"]}, prune=True)
    assert str(caught.value).startswith(f"{dist}/a-2025: is a copy of the environment a and would be overwritten")


def test_a_record_that_names_no_environment_counts_for_its_own_overlay_alone(dist: Path) -> None:
    """As version 0.1 wrote it: it cannot be told from a copy."""
    for name in OLD:
        record = dist / name / RECORD
        record.write_text("".join(record.read_text().splitlines(keepends=True)[1:]))
    write(dist, NEW, prune=True)
    assert (dist / "gone" / "convex.k8s.yaml").exists()
    assert {path: text for path, text in tree(dist).items() if path.startswith(("a/", "b/"))} == {
        path: text for path, text in flat(NEW, OWN).items() if path.startswith(("a/", "b/"))
    }


@pytest.mark.parametrize("content", ["mine.txt", f"{output._NEW}/mine.txt", f"{output._OLD}/a/mine.txt"])
def test_a_folder_of_the_user_that_is_called_as_ours_is_refused(dist: Path, content: str) -> None:
    put(dist, {f"{output._WORK}/{content}": "mine\n", ".convex-k8s-new-a/mine": "mine\n"})
    with pytest.raises(UserError, match="is in the way, and was not made by this program"):
        write(dist, NEW, prune=True)
    assert (dist / output._WORK / content).read_text() == (dist / ".convex-k8s-new-a" / "mine").read_text() == "mine\n"


def test_a_run_that_has_to_wait_for_another_one_says_so(dist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with output._locked(dist):
        thread = threading.Thread(target=lambda: write(dist, NEW, prune=True))
        thread.start()
        wait_until(lambda: "waiting for" in capsys.readouterr().err, "a word about the lock")
    thread.join()
    assert tree(dist) == flat(NEW, OWN)


def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_exchange", lambda *_: False)


def test_a_file_system_that_cannot_exchange_two_folders_will_do(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_exchange(monkeypatch)
    write(dist, NEW, prune=True)
    assert tree(dist) == flat(NEW, OWN)
    assert nothing_is_left_over(dist)


def test_the_system_can_exchange_two_folders_here(tmp_path: Path) -> None:
    """Else the tests of a kill would show the fallback alone."""
    if sys.platform != "linux":
        pytest.skip("only Linux is known to be able to on every file system of a CI")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert output._exchange(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one" / "two").exists()
    assert (tmp_path / "two" / "one").exists()


@pytest.mark.parametrize("exchange", [True, False], ids=["with exchange", "without exchange"])
def test_a_kill_at_any_step_leaves_every_folder_as_it_was_or_as_it_will_be(dist: Path, exchange: bool) -> None:
    after = dist.parent / "after.json"
    after.write_text(json.dumps(NEW))
    killed = dist.parent / "killed"
    command = [sys.executable, "-m", "tests.support.killed_writes", str(killed), str(dist), str(after)]
    # What measures coverage writes files too, and would be killed over them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    subprocess.run(command if exchange else [*command, "--without-exchange"], cwd=ROOT, env=environment, check=True)
    # Most steps change nothing, and `write` knows of a folder only what is in it: each state is looked at once.
    runs = {everything(root): root for root in sorted(killed.iterdir())}
    old, new = flat(OLD, OWN), flat(NEW, OWN)
    seen = set()
    for root in runs.values():
        if not exchange:
            write(root, {}, prune=False)  # a later run brings back what a killed one had moved aside
        found = tree(root)
        for name in {path.split("/")[0] for path in old | new}:
            of_folder = {path: text for path, text in found.items() if path.split("/")[0] == name}
            as_it_was = {path: text for path, text in old.items() if path.split("/")[0] == name}
            as_it_will_be = {path: text for path, text in new.items() if path.split("/")[0] == name}
            assert of_folder in (as_it_was, as_it_will_be), (root.name, name)
        seen.add((found.get("a/convex.k8s.yaml"), found.get("b/convex.k8s.yaml"), "gone/convex.k8s.yaml" in found))
        write(root, NEW, prune=True)
        assert tree(root) == new
        assert nothing_is_left_over(root)
    steps_between = {
        ("old\n", "old\n", True),
        ("new\n", "old\n", True),
        ("new\n", "new\n", True),
        ("new\n", "new\n", False),
    }
    assert seen == steps_between, "kills before, between and after all swaps"


MANY_WRITES = """
import pathlib, sys
from convexctl.synth.output import write
for number in range(20):
    text = f"{sys.argv[2]} {number}"
    write(pathlib.Path(sys.argv[1]), {"a": {"one": text, "two": text}, "b": {"one": text}}, prune=True)
"""


def test_runs_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", MANY_WRITES, str(tmp_path), str(number)], cwd=ROOT)
        for number in range(4)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    found = tree(tmp_path)
    assert sorted(found) == ["a/one", "a/two", "b/one"]
    assert len(set(found.values())) == 1
    assert found["a/one"] in {f"{number} 19" for number in range(4)}
    assert nothing_is_left_over(tmp_path)
