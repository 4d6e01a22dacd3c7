"""Backups on pods that really run: from the CronJob to an object in a bucket, and back into a second backend.

Real are the CronJobs, their pods, the scripts, rclone and versitygw, and the commands `backup --now` and `restore`. The
backend is a stand-in that speaks the admin's HTTP API (`tests/support/convex_standin.mjs`), in a pod of Node.js.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]

from convexctl.synth.environment import synthesise_all
from tests.support.command_line import Done, program
from tests.support.convex_standin import PROGRAM
from tests.support.node import ADDRESS, Node
from tests.support.pods import apply

TAG = "9" * 40
IMAGE = f"ghcr.io/get-convex/convex-backend:{TAG}"
"""The stand-in image with Node.js and rclone beside what it has."""
BUCKET, KEY, SECRET = "backups", "admin", "admin-secret"
INSTANCE_SECRET = "5a" * 32
OVERLAY = """
namespace: {namespace}
instance: {{name: {instance}, existingSecret: instance}}
s3: {{enabled: false}}
backend: {{persistence: {{enabled: true, storageClassName: ''}}, image: {{tag: '{tag}'}}}}
dashboard: {{enabled: false}}
backup:
  enabled: true
  timeout: 4m
  keep: {{count: 2}}
  s3: {{bucket: {bucket}, endpoint: 'http://{address}:7070', region: us-east-1, existingSecret: bucket}}
  rclone: {{image: {{repository: ghcr.io/get-convex/convex-backend, tag: '{tag}', digest: ''}}}}
"""
PUSH = """
functions:
  image: {image}
  command: [/bin/bash, -c, '{script}']
  env: {{STAGE: '{stage}'}}
"""
SCRIPT = (
    'curl -sSf -H "Authorization: Convex $CONVEX_SELF_HOSTED_ADMIN_KEY" -d "{\\"changes\\":[{\\"name\\":\\"STAGE\\",'
    '\\"value\\":\\"$STAGE\\"}]}" "$CONVEX_SELF_HOSTED_URL/api/update_environment_variables"'
)
"""Sets a variable of the deployment: what is pushed is not the Job's business."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "backup.md"
NO_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY is not set: make its Secret"
PROGRAMS = "node rclone grep sort tail awk cmp wc tr"


@dataclass
class Side:
    """An environment with the stand-in in the place of its backend."""

    namespace: str
    instance: str


@pytest.fixture(scope="module")
def bucket(operators: Callable[..., Node]) -> Iterator[tuple[Node, Any]]:
    """A node with the image, and the bucket of a real S3 server on it."""
    if missing := [name for name in ("node", "rclone") if not shutil.which(name)]:
        pytest.skip(f"needs {' and '.join(missing)} on this machine, to put into the image")
    node = operators("versitygw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_IMAGE_PROGRAMS", PROGRAMS)
        node.tool("image", IMAGE)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{node.operators('reach', 7070).stdout.strip()}",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    yield node, client


def overlay(folder: Path, name: str, side: Side) -> None:
    text = OVERLAY.format(namespace=side.namespace, instance=side.instance, tag=TAG, bucket=BUCKET, address=ADDRESS)
    (folder / f"{name}.yaml").write_text(text)


def stand_in(side: Side, tables: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The stand-in backend as a pod that the backend's Service finds."""
    variables = {
        "PORT": "3210",
        "INSTANCE_NAME": side.instance,
        "INSTANCE_SECRET": INSTANCE_SECRET,
        "TABLES": json.dumps(tables),
        "TAG": TAG,
        "CLOUD_ORIGIN": "http://localhost:3210",
        "LOOKS": "1",
    }
    container = {
        "name": "convex-backend",
        "image": IMAGE,
        "command": ["node", "/standin/convex_standin.mjs"],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": [{"name": "api", "containerPort": 3210}, {"name": "http-actions", "containerPort": 3211}],
        "readinessProbe": {"httpGet": {"path": "/version", "port": "api"}, "periodSeconds": 1},
        "volumeMounts": [{"name": "program", "mountPath": "/standin"}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "standin"},
            "data": {"convex_standin.mjs": PROGRAM.read_text()},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "convex-backend-0", "labels": {"app": "convex-backend"}},
            "spec": {"containers": [container], "volumes": [{"name": "program", "configMap": {"name": "standin"}}]},
        },
    ]


def begin(node: Node, folder: Path, tables: dict[str, dict[str, list[str]]], *sides: Side) -> None:
    """Apply environments, with the stand-in instead of their workloads, and make their Secrets as a user does."""
    keys = {"BACKUP_AWS_ACCESS_KEY_ID": KEY, "BACKUP_AWS_SECRET_ACCESS_KEY": SECRET}
    for side in sides:
        name = side.instance
        overlay(folder, name, side)
        (environment,) = synthesise_all(folder, [name])
        ours = [item for item in environment.manifests if item["kind"] not in ("StatefulSet", "Deployment")]
        apply(node, side.namespace, [*ours, *stand_in(side, tables.get(name, {}))])
        done = command(node, folder, "secrets", name, "--apply", "--yes", INSTANCE_SECRET=INSTANCE_SECRET, **keys)
        assert done.code == 0, done.stderr
    for side in sides:
        where = ("--timeout=60s", "--namespace", side.namespace)
        node.kubectl("wait", "--for=condition=ready", "pod/convex-backend-0", *where)


def command(node: Node, folder: Path, *arguments: str, **variables: str) -> Done:
    path = f"{node.assets}:{os.environ['PATH']}"
    environment = {"PATH": path, "KUBECONFIG": str(node.kubeconfig), **variables}
    return program(*arguments, "--overlays", folder, environment=environment)


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def state_of(node: Node, side: Side) -> Any:
    path = f"/api/v1/namespaces/{side.namespace}/pods/convex-backend-0:3210/proxy/standin/state"
    return json.loads(node.read(path))


def test_from_the_cron_job_into_the_bucket_and_back_into_another_backend(
    bucket: tuple[Node, Any], tmp_path: Path
) -> None:
    node, client = bucket
    tables = {"messages": ['{"_id":"m1","body":"größer"}'], "users": ['{"_id":"u1"}', '{"_id":"u2"}']}
    prod, rehearsal = Side(node.namespace(), "prod"), Side(node.namespace(), "rehearsal")
    try:
        begin(node, tmp_path, {"prod": tables, "rehearsal": {"other": ['{"_id":"o"}']}}, prod, rehearsal)

        where = ("--namespace", prod.namespace)
        node.kubectl("create", "job", "by-hand", "--from=cronjob/convex-backup", *where)
        node.kubectl("wait", "--for=condition=complete", "job/by-hand", "--timeout=120s", *where)
        (first,) = keys(client)
        assert first.startswith("backups/prod/")
        assert first.endswith("Z.zip")

        done = command(node, tmp_path, "backup", "prod", "--now")
        assert done.code == 0, done.stderr
        assert "uploaded, read back and compared: prod/" in done.stdout
        assert len(keys(client)) == 2
        export = state_of(node, prod)["exports"][0]
        assert int(export["expiration_ts"]) < int(export["start_ts"]) + 2 * 3600 * 10**9

        done = command(node, tmp_path, "restore", "prod", "--from", "latest", "--into", "rehearsal", "--yes")
        assert done.code == 0, done.stderr
        assert "restored: 3 documents" in done.stdout
        assert state_of(node, rehearsal)["tables"] == tables
        assert state_of(node, prod)["imports"] == []

        done = command(node, tmp_path, "verify", "rehearsal", "--allow-empty")
        assert done.code == 0, done.stdout + done.stderr
        for check in ("version", "admin key", "upload urls", "websocket", "large request"):
            assert re.search(f"^ok +{check}  ", done.stdout, re.MULTILINE), done.stdout
        done = command(node, tmp_path, "backup", "prod")
        assert done.code == 0, done.stderr
        assert done.stdout.startswith("schedule      0 3 * * * (UTC)\nlast started  never\n"), done.stdout

        file = tmp_path / "here.zip"
        client.download_file(BUCKET, first, str(file))
        done = command(node, tmp_path, "restore", "prod", "--from", str(file), "--yes")
        assert done.code == 0, done.stderr
        assert "restored: 3 documents" in done.stdout, "by a port-forward to the Service"
        done = command(node, tmp_path, "restore", "prod", "--from", first.removeprefix("backups/prod/"), "--yes")
        assert done.code == 0, done.stderr
        assert [each["state"] for each in state_of(node, prod)["imports"]] == ["completed"] * 2

        client.delete_object(Bucket=BUCKET, Key=keys(client)[-1])
        node.kubectl("delete", "secret", "convex-backup", *where)
        done = command(node, tmp_path, "backup", "prod", "--now")
        assert done.code == 1
        assert NO_KEY in done.stderr
        assert keys(client) == [first]
        jobs, describe = re.findall("^kubectl (get jobs .*|describe pod [^#]*)", PAGE.read_text(), re.MULTILINE)
        assert len(node.kubectl(*jobs.split(), "--output=name", *where).stdout.split()) >= 3
        said = node.kubectl(*describe.split(), *where).stdout
        assert re.search(rf"^ *Message: .*{NO_KEY}", said, re.MULTILINE), said
    finally:
        node.forget(prod.namespace)
        node.forget(rehearsal.namespace)


def test_the_functions_job_pushes_once_for_each_image_or_setting(bucket: tuple[Node, Any], tmp_path: Path) -> None:
    node, _ = bucket
    side = Side(node.namespace(), "prod")
    where = ("--namespace", side.namespace)
    try:
        begin(node, tmp_path, {}, side)
        jobs = set()
        for stage in ("one", "two"):
            file = tmp_path / f"{stage}.yaml"
            file.write_text(PUSH.format(image=IMAGE, script=SCRIPT, stage=stage))
            (environment,) = synthesise_all(tmp_path, ["prod"], [file])
            (job,) = [item for item in environment.manifests if item["kind"] == "Job"]
            jobs.add(job["metadata"]["name"])
            key = node.kubectl("get", "secret", "convex-backup", "--output=json", *where).stdout
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "convex-functions"}}
            apply(node, side.namespace, [secret | {"data": json.loads(key)["data"]}, job])
            name = f"job/{job['metadata']['name']}"
            node.kubectl("wait", "--for=condition=complete", name, "--timeout=90s", *where)
            assert state_of(node, side)["variables"] == {"STAGE": stage}
        assert len(jobs) == 2
    finally:
        node.forget(side.namespace)
