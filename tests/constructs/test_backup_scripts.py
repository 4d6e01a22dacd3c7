"""The scripts of the backup Job, run as in the pod: what they leave behind when something fails at each step."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.convex_standin import ADMIN_KEY, NODE, Standin, standin
from tests.support.overlay_cases import ROOT

SCRIPTS = ROOT / "constructs/convex_k8s/scripts"
NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z\.zip")
INSTANCE = "convex-self-hosted"
TABLES = {"messages": ['{"_id":"m1","body":"hello"}', '{"_id":"m2","body":"größer"}'], "empty": []}

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def backend() -> Iterator[Standin]:
    with standin(tables=TABLES) as running:
        yield running


def variables(url: str, folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "CONVEX_URL": url,
        "CONVEX_SELF_HOSTED_ADMIN_KEY": ADMIN_KEY,
        "INSTANCE_NAME": INSTANCE,
        "INCLUDE_FILES": "true",
        "FOLDER": str(folder),
        "POLL_MS": "10",
        **more,
    }


def node(script: str, *arguments: str, env: Mapping[str, str]) -> Done:
    command = [NODE, str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ADMIN_KEY.partition("|")[2] not in done.stdout + done.stderr
    return done


def backup(url: str, folder: Path, **more: str) -> Done:
    return node("backup.mjs", "export", env=variables(url, folder, KEEP_COUNT="3") | more)


def left_in(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def last_line(done: Done) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_a_backup_is_the_export_whole(backend: Standin, tmp_path: Path) -> None:
    done = backup(backend.url, tmp_path)
    assert done.returncode == 0, done.stderr
    (name,) = left_in(tmp_path)
    assert NAME.fullmatch(name.removeprefix(f"{INSTANCE}/"))
    with zipfile.ZipFile(tmp_path / name) as archive:
        assert archive.testzip() is None
        assert archive.read("messages/documents.jsonl").decode().splitlines() == TABLES["messages"]
    assert "2 tables (messages, empty)" in done.stdout
    assert "POST /api/export/request/zip" in backend.state()["requests"]


def test_the_servers_own_copy_goes_after_an_hour(backend: Standin, tmp_path: Path) -> None:
    backup(backend.url, tmp_path)
    expires = int(backend.state()["exports"][0]["expiration_ts"]) / 1e9 - time.time()
    assert 3500 < expires < 3700


def test_without_that_the_backup_is_good_all_the_same(backend: Standin, tmp_path: Path) -> None:
    backend.fault("POST /api/export/set_expiration", times=9, status=500)
    done = backup(backend.url, tmp_path)
    assert done.returncode == 0
    assert "note: the server keeps its copy for 14 days" in done.stdout


def test_another_export_is_waited_for_and_never_taken(backend: Standin, tmp_path: Path) -> None:
    backend.begin_export(looks=4)
    done = backup(backend.url, tmp_path)
    assert done.returncode == 0
    assert "another export runs: waiting for its end" in done.stdout
    assert len(backend.state()["exports"]) == 2


def test_an_export_that_begins_in_between_is_waited_for(backend: Standin, tmp_path: Path) -> None:
    backend.fault("POST /api/export/request/zip", times=2, status=400, code="ExportInProgress")
    done = backup(backend.url, tmp_path)
    assert done.returncode == 0
    assert backend.state()["requests"].count("POST /api/export/request/zip") == 3


@pytest.mark.parametrize("route", ["POST /api/query", "POST /api/export/request/zip", "GET /api/export/zip"])
def test_a_connection_that_breaks_is_tried_again(backend: Standin, tmp_path: Path, route: str) -> None:
    backend.fault(route, close=True)
    assert backup(backend.url, tmp_path).returncode == 0
    assert len(left_in(tmp_path)) == 1


@pytest.mark.parametrize("fault", ["truncate", "corrupt"])
def test_a_damaged_download_is_never_a_backup(backend: Standin, tmp_path: Path, fault: str) -> None:
    backend.fault("GET /api/export/zip", times=9, **{fault: True})
    done = backup(backend.url, tmp_path)
    assert done.returncode == 1
    assert [name for name in left_in(tmp_path) if name.endswith(".zip")] == []
    assert re.search("cut off|damaged", last_line(done))


def test_a_download_that_is_cut_off_once_is_taken_again(backend: Standin, tmp_path: Path) -> None:
    backend.fault("GET /api/export/zip", truncate=True)
    assert backup(backend.url, tmp_path).returncode == 0
    assert len(left_in(tmp_path)) == 1


REFUSED = [
    pytest.param("POST /api/query", {"status": 500}, "/api/query answered 500 (InternalServerError)", id="query"),
    pytest.param("POST /api/export/request/zip", {"status": 500}, "/api/export/request/zip answered 500", id="request"),
    pytest.param("GET /api/export/zip", {"status": 500}, "/api/export/zip/export1 answered 500", id="download"),
    pytest.param("GET /api/check_admin_key", {"status": 403}, "the backend refused the admin key (403", id="key"),
]


@pytest.mark.parametrize(("route", "fault", "message"), REFUSED)
def test_a_server_that_fails_ends_the_run(
    backend: Standin, tmp_path: Path, route: str, fault: dict[str, Any], message: str
) -> None:
    backend.fault(route, times=20, **fault)
    done = backup(backend.url, tmp_path)
    assert done.returncode == 1
    assert message in last_line(done)
    assert [name for name in left_in(tmp_path) if name.endswith(".zip")] == []


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_an_export_that_fails_on_the_server_is_a_failure(tmp_path: Path, state: str) -> None:
    with standin(LOOKS="0") as backend:
        backend.set(nextExport=state)
        done = backup(backend.url, tmp_path)
    assert done.returncode == 1
    assert last_line(done) == f"failed: the server's export ended as {state}"


WRONG = [
    pytest.param({"CONVEX_SELF_HOSTED_ADMIN_KEY": "x|0011"}, "the backend refused the admin key (401", id="key"),
    pytest.param({"CONVEX_SELF_HOSTED_ADMIN_KEY": ""}, "CONVEX_SELF_HOSTED_ADMIN_KEY is not set: make its", id="none"),
    pytest.param({"INSTANCE_NAME": "other"}, "is the instance convex-self-hosted, and not other", id="instance"),
    pytest.param({"CONVEX_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9 does not answer", id="no server"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_what_is_set_up_wrong_is_named(backend: Standin, tmp_path: Path, wrong: dict[str, str], message: str) -> None:
    done = backup(backend.url, tmp_path, **wrong)
    assert done.returncode == 1
    assert message in last_line(done)
    assert "POST /api/export/request/zip" not in backend.state()["requests"]


def test_a_read_only_key_is_refused_before_the_export(tmp_path: Path) -> None:
    with standin(key="x|00ro") as backend:
        done = backup(backend.url, tmp_path, CONVEX_SELF_HOSTED_ADMIN_KEY="x|00ro")
        assert "the admin key is read-only" in last_line(done)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The disk is a file size limit; before that, the space on the volume is compared with the ZIP's length."""
    body = os.urandom(200_000).hex()
    with standin() as backend:
        backend.set(tables={"big": [json.dumps({"_id": "b", "body": body})]})
        env = variables(backend.url, tmp_path, KEEP_COUNT="3")
        command = f"trap '' XFSZ; ulimit -f 100; exec {NODE} {SCRIPTS}/backup.mjs export"
        done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("hanging", ["POST /api/query", "GET /api/export/zip", "POST /api/export/set_expiration"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_nothing_that_looks_whole(
    backend: Standin, tmp_path: Path, hanging: str, how: signal.Signals
) -> None:
    backend.fault(hanging, hang=True, after=1 if hanging == "POST /api/query" else 0)
    env = variables(backend.url, tmp_path, KEEP_COUNT="3")
    process = subprocess.Popen([NODE, str(SCRIPTS / "backup.mjs"), "export"], env=env, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not any(fault["times"] == 0 for fault in backend.state()["faults"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(how)
        assert process.wait(10) != 0
    finally:
        process.kill()
    whole = [name for name in left_in(tmp_path) if name.endswith(".zip")]
    assert len(whole) == (1 if hanging == "POST /api/export/set_expiration" else 0)
    assert backup(backend.url, tmp_path).returncode == 0
    assert not [name for name in left_in(tmp_path) if name.endswith(".incomplete")]


def old_backups(folder: Path, *days: int) -> list[str]:
    (folder / INSTANCE).mkdir(parents=True)
    names = []
    for age in days:
        name = f"{datetime.now(UTC) - timedelta(days=age):%Y-%m-%dT%H-%M-%SZ}.zip"
        (folder / INSTANCE / name).write_text("old")
        names.append(name)
    (folder / INSTANCE / "notes.zip").write_text("not ours")
    return names


@pytest.mark.parametrize(
    ("keep", "stay"), [({"KEEP_COUNT": "3"}, [1, 2]), ({"KEEP_COUNT": "", "KEEP_DAYS": "7"}, [1, 2, 6])]
)
def test_the_oldest_go_and_files_of_others_stay(
    backend: Standin, tmp_path: Path, keep: dict[str, str], stay: list[int]
) -> None:
    ages = [1, 2, 6, 8, 30]
    names = dict(zip(ages, old_backups(tmp_path, *ages), strict=True))
    assert backup(backend.url, tmp_path, **keep).returncode == 0
    left = {name.removeprefix(f"{INSTANCE}/") for name in left_in(tmp_path)}
    assert {age for age in ages if names[age] in left} == set(stay)
    assert "notes.zip" in left


def test_a_run_that_fails_removes_nothing_old(backend: Standin, tmp_path: Path) -> None:
    names = old_backups(tmp_path, 1, 40, 50, 60)
    backend.fault("GET /api/export/zip", times=9, truncate=True)
    assert backup(backend.url, tmp_path, KEEP_COUNT="", KEEP_DAYS="7").returncode == 1
    assert set(left_in(tmp_path)) == {f"{INSTANCE}/{name}" for name in [*names, "notes.zip"]}


def test_a_backup_goes_back_into_another_instance(backend: Standin, tmp_path: Path) -> None:
    backup(backend.url, tmp_path)
    with standin(instance="rehearsal", tables={"other": ['{"_id":"o"}']}) as other:
        env = variables(other.url, tmp_path, INSTANCE_NAME="rehearsal", PART_BYTES="100")
        done = node("restore.mjs", env=env | {"RESTORE_FROM": "latest", "SOURCE_INSTANCE": INSTANCE})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {"importId": "import1"}
        assert other.state()["tables"] == {"other": ['{"_id":"o"}']}
        assert other.state()["requests"].count("POST /api/import/upload_part") > 2


def test_a_restore_without_a_source_does_nothing(backend: Standin, tmp_path: Path) -> None:
    done = node("restore.mjs", env=variables(backend.url, tmp_path, RESTORE_FROM=""))
    assert done.returncode == 1
    assert "RESTORE_FROM is not set" in last_line(done)


def test_a_damaged_backup_is_not_uploaded(backend: Standin, tmp_path: Path) -> None:
    backup(backend.url, tmp_path)
    (name,) = left_in(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[42] ^= 0xFF
    (tmp_path / name).write_bytes(data)
    env = variables(backend.url, tmp_path, RESTORE_FROM=name)
    done = node("restore.mjs", env=env)
    assert done.returncode == 1
    assert "damaged" in last_line(done)
    assert "POST /api/import/start_upload" not in backend.state()["requests"]


@pytest.mark.parametrize("step", ["start_upload", "upload_part", "finish_upload"])
def test_an_upload_that_fails_replaces_nothing(backend: Standin, tmp_path: Path, step: str) -> None:
    backup(backend.url, tmp_path)
    backend.fault(f"POST /api/import/{step}", times=9, status=500)
    env = variables(backend.url, tmp_path, RESTORE_FROM="latest", SOURCE_INSTANCE=INSTANCE)
    done = node("restore.mjs", env=env)
    assert done.returncode == 1
    assert f"/api/import/{step} answered 500" in last_line(done)
    assert backend.state()["imports"] == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_files_of_others_are_read_as_well(backend: Standin, tmp_path: Path, method: int) -> None:
    with (
        zipfile.ZipFile(tmp_path / "snapshot.zip", "w", method) as archive,
        archive.open(zipfile.ZipInfo("_tables/documents.jsonl"), "w", force_zip64=True) as entry,
    ):
        entry.write(b'{"name":"messages","id":1}\n')
    done = node("restore.mjs", env=variables(backend.url, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1 tables" in done.stdout
