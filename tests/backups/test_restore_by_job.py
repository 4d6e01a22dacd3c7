"""`restore` from a backup's place: a Job of the target brings it to the server, from where the source keeps them."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from convexctl.backups.restore import upload
from convexctl.secrets.admin_key import make_admin_key
from convexctl.tools.convex_api import ConvexApi
from tests.support.command_line import Done, run
from tests.support.convex_standin import Standin, standin
from tests.support.job_cluster import JobCluster, condition, container
from tests.support.overlay_cases import environment_of

SECRET = "5a" * 32
THERE = {"messages": ['{"_id":"m1","body":"hello"}']}
IN_THE_BACKUP = {"messages": ['{"_id":"m2","body":"older"}']}
PROD = """
instance: {name: prod, existingSecret: instance}
s3: {provider: minio}
backend: {persistence: {enabled: true}}
backup: {enabled: true, s3: {bucket: safe, prefix: daily, endpoint: https://s3.example.com}}
"""
ON_A_CLAIM = PROD.replace(
    "s3: {bucket: safe, prefix: daily, endpoint: https://s3.example.com}",
    "destination: claim, claim: {existingClaim: old}",
)
REHEARSAL = """
releaseName: rehearsal
instance: {name: rehearsal, existingSecret: instance}
s3: {provider: minio}
backend: {persistence: {enabled: true}}
backup: {enabled: true, s3: {bucket: other, endpoint: https://other.example.com}}
"""


@dataclass
class Setting:
    """Overlays, a cluster that runs the Job of one, and the backend that it uploads to."""

    folder: Path
    cluster: JobCluster
    backend: Standin
    capsys: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=lambda: ["fetched daily/prod/2026-01-31T03-00-00Z.zip"])

    def overlays(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.yaml").write_text(text)

    def restore(self, source: str, *options: str) -> Done:
        words = ("restore", "prod", "--overlays", str(self.folder), "--url", self.backend.url)
        return run(self.capsys, *words, "--from", source, "--yes", *options)

    def let_the_job_upload(self, instance: str = "prod") -> None:
        """The Job does what its script does: it uploads, and says last which import that made."""

        def work(_: dict[str, Any]) -> None:
            api = ConvexApi(self.backend.url, make_admin_key(instance, SECRET))
            made = upload(api, self.folder / "backup.zip", lambda _: None)
            self.ends_with(json.dumps({"importId": made}))

        self.cluster.on_create = work

    def ends_with(self, *lines: str) -> None:
        logs = {"upload": "".join(f"{line}\n" for line in [*self.said, *lines])}
        look = {"containers": [container("upload", terminated={})], "logs": logs}
        self.cluster.looks = [look, {**look, "conditions": [condition("Complete")]}]


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Setting]:
    data = {"INSTANCE_SECRET": base64.b64encode(SECRET.encode()).decode()}
    with zipfile.ZipFile(tmp_path / "backup.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", '{"name":"messages","id":1}\n')
        archive.writestr("messages/documents.jsonl", "\n".join(IN_THE_BACKUP["messages"]) + "\n")
    with standin(instance="prod", tables=THERE, INSTANCE_SECRET=SECRET, LOOKS="0") as backend:
        cluster = JobCluster(monkeypatch, environment_of(PROD))
        cluster.secrets["instance"] = {"metadata": {"name": "instance"}, "type": "Opaque", "data": data}
        made = Setting(tmp_path, cluster, backend, capsys)
        made.overlays(prod=PROD)
        yield made


def test_the_latest_backup_of_an_environment_goes_back_into_it(setting: Setting) -> None:
    setting.let_the_job_upload()
    done = setting.restore("latest")
    assert done.code == 0, done.stderr
    assert setting.said[0] in done.stdout.splitlines()
    assert "table | replaced\nmessages\n" in done.stdout
    assert "restored: 1 documents" in done.stdout
    assert setting.backend.state()["tables"] == IN_THE_BACKUP
    (job,) = setting.cluster.created
    assert job["metadata"]["name"].startswith("convex-restore-20")
    assert f"Job {job['metadata']['name']}\n" in done.stderr
    assert setting.cluster.variables()["RESTORE_FROM"] == "latest"
    assert "prod|" not in done.stdout + done.stderr


def test_a_rehearsal_reads_from_the_place_of_the_source(setting: Setting) -> None:
    setting.overlays(rehearsal=REHEARSAL)
    setting.cluster.apply(environment_of(REHEARSAL))
    setting.backend.set(instance="rehearsal")
    setting.let_the_job_upload("rehearsal")
    done = setting.restore("2026-01-31T03-00-00Z.zip", "--into", "rehearsal")
    assert done.code == 0, done.stderr
    given = setting.cluster.variables()
    place = {name: given[name] for name in ("BUCKET", "PREFIX", "S3_ENDPOINT_URL", "SOURCE_INSTANCE", "RESTORE_FROM")}
    assert place == {
        "BUCKET": "safe",
        "PREFIX": "daily",
        "S3_ENDPOINT_URL": "https://s3.example.com",
        "SOURCE_INSTANCE": "prod",
        "RESTORE_FROM": "2026-01-31T03-00-00Z.zip",
    }
    assert given["INSTANCE_NAME"] == "rehearsal", "what is uploaded to is still the rehearsal's own"
    assert setting.backend.state()["tables"] == IN_THE_BACKUP


def without_backups(setting: Setting) -> tuple[str, ...]:
    setting.overlays(prod=PROD.replace("enabled: true, s3: {bucket", "enabled: false, s3: {bucket"))
    return ()


def from_a_claim(setting: Setting) -> tuple[str, ...]:
    setting.overlays(prod=ON_A_CLAIM, rehearsal=ON_A_CLAIM)
    return ("--into", "rehearsal")


def without_the_cron_job(setting: Setting) -> tuple[str, ...]:
    setting.cluster.cron_jobs.clear()
    return ()


def says_nothing(setting: Setting) -> tuple[str, ...]:
    setting.said.clear()
    setting.ends_with()
    return ()


def says_something_else(setting: Setting) -> tuple[str, ...]:
    setting.ends_with('["importId"]')
    return ()


def fails(setting: Setting) -> tuple[str, ...]:
    setting.cluster.looks = [
        {"containers": [container("fetch")], "logs": {"fetch": "failed: there is no backup of prod\n"}},
        {"conditions": [condition("Failed", reason="BackoffLimitExceeded")]},
    ]
    return ()


WRONG = {
    "the overlay prod has no backup.enabled, and its Job is what fetches a backup": without_backups,
    "a claim cannot be read from another environment: copy the ZIP here": from_a_claim,
    "there is no CronJob convex-restore": without_the_cron_job,
    "ended without saying which import it made": says_nothing,
    "without saying which import it made": says_something_else,
    "failed: there is no backup of prod": fails,
}


@pytest.mark.parametrize(("message", "spoil"), WRONG.items(), ids=[one.__name__ for one in WRONG.values()])
def test_what_no_job_can_bring_replaces_nothing(
    setting: Setting, message: str, spoil: Callable[[Setting], tuple[str, ...]]
) -> None:
    done = setting.restore("latest", *spoil(setting))
    assert done.code == 1
    assert message in done.stderr
    assert setting.backend.state()["tables"] == THERE


def test_an_import_that_cannot_be_given_up_is_told_of(setting: Setting) -> None:
    setting.let_the_job_upload()
    setting.backend.fault("POST /api/query", times=9, status=500)
    setting.backend.fault("POST /api/cancel_import", times=9, status=503)
    done = setting.restore("latest")
    assert done.code == 1
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: the import ")]
    assert "waits on the server and was not cancelled" in note
    assert setting.backend.state()["tables"] == THERE


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"state": "failed", "error_message": "not a ZIP"}, "the server refuses this backup: not a ZIP"),
        ({"state": "failed"}, "the server refuses this backup: no reason given"),
        ({"state": "completed"}, "is completed without having asked: look at the dashboard"),
    ],
    ids=["refused", "refused without a reason", "not asked"],
)
def test_an_import_that_does_not_ask_is_given_up(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, state: dict[str, str], message: str
) -> None:
    setting.let_the_job_upload()
    monkeypatch.setattr(ConvexApi, "import_state", lambda *_: state)
    done = setting.restore("latest")
    assert done.code == 1
    assert message in done.stderr
    (one,) = setting.backend.state()["imports"]
    assert one["state"] == "failed"


def test_an_import_that_fails_half_way_is_told_with_the_progress_before(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.let_the_job_upload()
    monkeypatch.setattr("convexctl.backups.restore.time.sleep", lambda _: None)
    states = iter(
        [
            {"state": "uploaded"},
            {"state": "waiting_for_confirmation"},
            {"state": "in_progress", "progress_message": "messages"},
            {"state": "in_progress", "progress_message": "messages"},
            {"state": "in_progress"},
            {"state": "failed", "error_message": "a table is broken"},
        ]
    )
    monkeypatch.setattr(ConvexApi, "import_state", lambda *_: next(states))
    monkeypatch.setattr(ConvexApi, "perform_import", lambda *_: None)
    done = setting.restore("latest")
    assert done.code == 1
    assert "the import failed: a table is broken" in done.stderr
    assert "The server lists nothing that it would replace.\nmessages\nin_progress\n" in done.stdout
