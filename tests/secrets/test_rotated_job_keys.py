"""A rotated instance secret: the admin keys that only Jobs read are made again with it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from convexctl.secrets.admin_key import make_admin_key, open_admin_key
from tests.support.command_line import run
from tests.support.kubectl_stub import KubectlStub

OLD = "5a" * 32
KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
JOBS = ("convex-backup", "convex-functions")
OVERLAY = """
instance: {name: prod, existingSecret: instance}
s3: {enabled: false}
backend: {persistence: {enabled: true}}
backup: {enabled: true, s3: {bucket: backups, existingSecret: bucket, region: us-east-1}}
functions: {image: 'reg.example.com/app:1'}
"""


def test_the_jobs_get_new_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    stub.secret("instance", {"INSTANCE_SECRET": OLD})
    stub.secret("bucket", {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "hunter2-of-the-bucket"})
    for name in JOBS:
        stub.secret(name, {KEY: make_admin_key("prod", OLD)})
    (tmp_path / "test.yaml").write_text(OVERLAY)
    done = run(capsys, "secrets", "test", "--overlays", str(tmp_path), "--rotate")
    assert done.code == 0, done.stderr
    made = {
        secret["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        for secret in yaml.safe_load_all(done.stdout)
    }
    new = made["instance"]["INSTANCE_SECRET"]
    assert new != OLD
    for name in JOBS:
        assert open_admin_key(made[name][KEY], "prod", new), "which raises for a key of another secret"
