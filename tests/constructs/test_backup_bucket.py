"""The shell scripts that carry backups to a bucket and back, by the real rclone against a real S3 server."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]

from tests.support.overlay_cases import ROOT
from tests.support.processes import free_ports, wait_until
from tests.support.servers import s3_server

SCRIPTS = ROOT / "constructs/convex_k8s/scripts"
KEY, SECRET = "admin", "admin-hunter2"
BUCKET = "convex-backups"
NEW = "2026-03-01T03-00-00Z.zip"

pytestmark = pytest.mark.skipif(shutil.which("rclone") is None, reason="needs rclone (Debian: rclone)")


@functools.cache
def versitygw() -> str:
    """The program of a real S3 server; empty if there is none."""
    operators = os.environ.get("CONVEX_K8S_OPERATORS")
    if not operators:
        return ""
    environment = {**os.environ, "XDG_CACHE_HOME": os.environ["CONVEX_K8S_USERS_CACHE"]}
    command = [operators, "path", "versitygw"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an S3 server: versitygw where the operators have it, else moto."""
    program = versitygw()
    if not program:
        with s3_server() as moto:
            yield moto.endpoint
        return
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("buckets")
    process = subprocess.Popen(
        [program, "--access", KEY, "--secret", SECRET, "--port", f"127.0.0.1:{port}", "posix", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}"), "the S3 server")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture
def bucket(server: str) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=server,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
        verify=False,
    )
    client.create_bucket(Bucket=BUCKET)
    yield client
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def run(script: str, server: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "FOLDER": str(folder),
        "BUCKET": BUCKET,
        "PREFIX": "team/backups",
        "AWS_REGION": "us-east-1",
        "S3_ENDPOINT_URL": server,
        "BACKUP_AWS_ACCESS_KEY_ID": KEY,
        "BACKUP_AWS_SECRET_ACCESS_KEY": SECRET,
        "KEEP_COUNT": "3",
        **more,
    }
    command = ["sh", str(SCRIPTS / script)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert SECRET not in done.stdout + done.stderr
    return done


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / NEW).write_bytes(os.urandom(300_000))
    return tmp_path


def place(name: str) -> str:
    return f"team/backups/prod/{name}"


def put(client: Any, *names: str) -> None:
    for name in names:
        client.put_object(Bucket=BUCKET, Key=place(name), Body=b"old")


def test_the_object_is_the_file_and_nothing_else_is_left(server: str, bucket: Any, work: Path) -> None:
    done = run("backup_upload.sh", server, work)
    assert done.returncode == 0, done.stderr
    assert keys(bucket) == [place(NEW)]
    assert bucket.get_object(Bucket=BUCKET, Key=place(NEW))["Body"].read() == (work / "prod" / NEW).read_bytes()
    assert (work / "uploaded").read_text() == f"{BUCKET}/{place(NEW)}\n"


def test_the_oldest_go_by_count(server: str, bucket: Any, work: Path) -> None:
    put(
        bucket,
        *(f"2026-02-{day:02}T03-00-00Z.zip" for day in range(1, 6)),
        "notes.zip",
        "2026-02-07T03-00-00Z.zip.incomplete",
    )
    assert run("backup_upload.sh", server, work).returncode == 0
    left = [*(f"2026-02-{day:02}T03-00-00Z.zip" for day in (4, 5)), NEW, "notes.zip"]
    assert keys(bucket) == [place(name) for name in left]


def test_the_oldest_go_by_days_and_the_new_one_stays(server: str, bucket: Any, work: Path) -> None:
    recent, old = (f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H-%M-%SZ}.zip" for days in (6, 8))
    put(bucket, recent, old)
    done = run("backup_upload.sh", server, work, KEEP_COUNT="", KEEP_DAYS="7")
    assert done.returncode == 0, done.stderr
    assert set(keys(bucket)) == {place(recent), place(NEW)}


FAULTS = [
    pytest.param({"BACKUP_AWS_SECRET_ACCESS_KEY": "other"}, "the upload to convex-backups failed", id="wrong key"),
    pytest.param({"BUCKET": "no-such-bucket"}, "the upload to no-such-bucket failed", id="no bucket"),
    pytest.param({"S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "the upload to convex-backups failed", id="no server"),
]


@pytest.mark.parametrize(("wrong", "message"), FAULTS)
def test_an_upload_that_fails_removes_nothing(
    server: str, bucket: Any, work: Path, wrong: dict[str, str], message: str
) -> None:
    if "BACKUP_AWS_SECRET_ACCESS_KEY" in wrong and not versitygw():
        pytest.skip("moto takes any key: versitygw, of CONVEX_K8S_OPERATORS, does not")
    put(bucket, *(f"2026-02-{day:02}T03-00-00Z.zip" for day in range(1, 6)))
    before = keys(bucket)
    done = run("backup_upload.sh", server, work, RCLONE_RETRIES="1", RCLONE_LOW_LEVEL_RETRIES="1", **wrong)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert keys(bucket) == before


@pytest.mark.parametrize("step", ["copyto", "cat", "moveto", "lsf", "deletefile"])
@pytest.mark.parametrize("how", ["fails", "is killed", "lies"])
def test_a_fault_at_each_step_leaves_nothing_half(
    server: str, bucket: Any, work: Path, tmp_path: Path, step: str, how: str
) -> None:
    if how == "lies" and step != "cat":
        return
    programs = tmp_path / "bin"
    programs.mkdir()
    act = {"fails": "exit 1", "is killed": "kill -KILL $PPID", "lies": "echo other; exit 0"}[how]
    real = shutil.which("rclone")
    (programs / "rclone").write_text(f'#!/bin/sh\n[ "$1" = {step} ] && {{ {act}; }}\nexec {real} "$@"\n')
    (programs / "rclone").chmod(0o755)
    put(bucket, *(f"2026-02-{day:02}T03-00-00Z.zip" for day in range(1, 6)))
    done = run("backup_upload.sh", server, work, PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode != 0
    left = keys(bucket)
    before = [place(f"2026-02-{day:02}T03-00-00Z.zip") for day in range(1, 6)]
    old = [key for key in left if "2026-02" in key]
    assert old == before[len(before) - len(old) :], "the oldest go first"
    assert old == before or step == "deletefile"
    whole = place(NEW) in left
    assert not (how == "lies" and whole)
    assert whole or step != "deletefile", "nothing goes before the new one is whole"
    if whole:
        assert bucket.head_object(Bucket=BUCKET, Key=place(NEW))["ContentLength"] == 300_000


def test_the_newest_is_fetched(server: str, bucket: Any, tmp_path: Path) -> None:
    put(bucket, "2026-02-01T03-00-00Z.zip", "2026-02-03T03-00-00Z.zip.incomplete", "zzz.zip")
    bucket.put_object(Bucket=BUCKET, Key=place("2026-02-02T03-00-00Z.zip"), Body=b"newest")
    done = run("backup_fetch.sh", server, tmp_path, RESTORE_FROM="latest", SOURCE_INSTANCE="prod")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "snapshot.zip").read_bytes() == b"newest"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "this Job restores nothing by itself"),
        ("latest", "there is no backup below convex-backups/team/backups/prod/"),
        ("2026-01-01T00-00-00Z.zip", "convex-backups/team/backups/prod/2026-01-01T00-00-00Z.zip"),
    ],
)
def test_what_is_not_there_is_not_fetched(server: str, bucket: Any, tmp_path: Path, source: str, message: str) -> None:
    done = run("backup_fetch.sh", server, tmp_path, RESTORE_FROM=source, SOURCE_INSTANCE="prod")
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_shell_is_clean() -> None:
    scripts = [str(path) for path in SCRIPTS.glob("*.sh")]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False, cwd=SCRIPTS)
    assert done.stdout == ""
