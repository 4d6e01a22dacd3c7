"""`backup`: what it shows of the CronJob in the cluster, and a backup made now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import Done, run
from tests.support.job_cluster import JobCluster, condition, container
from tests.support.overlay_cases import environment_of

OVERLAY = """
s3: {enabled: false}
backend: {persistence: {enabled: true}}
backup: {enabled: true, s3: {bucket: safe, region: eu-central-1, existingSecret: safe}}
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> JobCluster:
    (tmp_path / "prod.yaml").write_text(OVERLAY)
    return JobCluster(monkeypatch, environment_of(OVERLAY))


def backup(capsys: pytest.CaptureFixture[str], tmp_path: Path, *options: str) -> Done:
    return run(capsys, "backup", "prod", "--overlays", str(tmp_path), *options)


def test_one_that_never_ran(cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = backup(capsys, tmp_path)
    assert done.code == 0, done.stderr
    assert done.stdout == (
        "schedule      0 3 * * * (UTC)\nlast started  never\nlast success  never\nrunning       none\n"
    )


def test_one_that_is_suspended_and_at_work(
    cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cron_job = cluster.cron_jobs["convex-backup"]
    cron_job["spec"] = {**cron_job["spec"], "suspend": True}
    cron_job["status"] = {
        "lastScheduleTime": "2026-01-31T03:00:00Z",
        "lastSuccessfulTime": "2026-01-30T03:00:05Z",
        "active": [{"name": "one"}, {"name": "two"}],
    }
    done = backup(capsys, tmp_path)
    assert done.stdout.splitlines() == [
        "schedule      0 3 * * * (UTC), suspended",
        "last started  2026-01-31T03:00:00Z",
        "last success  2026-01-30T03:00:05Z",
        "running       one, two",
    ]


def test_one_made_now_is_followed_to_its_end(
    cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look = {"containers": [container("export", terminated={})], "logs": {"export": "a\x1b[31mb\n"}}
    cluster.looks = [look, {**look, "conditions": [condition("Complete")]}]
    done = backup(capsys, tmp_path, "--now")
    assert done.code == 0, done.stderr
    (job,) = cluster.created
    assert f": Job {job['metadata']['name']}\n" in done.stderr
    assert job["metadata"]["name"].startswith("convex-backup-20")
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_one_that_fails_is_an_error(cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.looks = [{"conditions": [condition("Failed", message="too long")]}]
    done = backup(capsys, tmp_path, "--now")
    assert done.code == 1
    assert "failed: too long" in done.stderr


def test_an_interruption_says_that_the_job_goes_on(
    cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    cluster.looks = [{}]
    monkeypatch.setattr("convexctl.backups.jobs.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        backup(capsys, tmp_path, "--now", "-n", "team-a")
    (job,) = cluster.created
    name = job["metadata"]["name"]
    assert f"the Job {name} is still running: kubectl logs -f job/{name} --namespace=team-a" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--now",)], ids=["shown", "now"])
def test_without_its_cron_job_the_remedy_is_told(
    cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    cluster.cron_jobs.clear()
    done = backup(capsys, tmp_path, *options)
    assert done.code == 1
    assert "there is no CronJob convex-backup" in done.stderr
    assert cluster.created == []


def test_an_overlay_without_backups_says_how_to_have_some(
    cluster: JobCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prod.yaml").write_text("s3: {enabled: false}\nbackend: {persistence: {enabled: true}}\n")
    done = backup(capsys, tmp_path)
    assert done.code == 1
    assert "the overlay prod makes no backups: set backup.enabled (docs/backup.md)" in done.stderr
