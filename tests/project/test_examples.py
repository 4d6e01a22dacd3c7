"""The examples of GitOps are valid against the real CRDs, and their commands are the program's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from yaml import CSafeLoader as Loader

from convexctl.cli import COMMANDS
from tests.support.command_line import program
from tests.support.overlay_cases import ROOT, case, one

EXAMPLES = ROOT / "docs" / "examples"
PIPELINES = ["github/convex.yaml", "gitlab/.gitlab-ci.yml"]
MANIFESTS = sorted(path for folder in ("argocd", "flux") for path in (EXAMPLES / folder).glob("*.yaml"))


def schema_of(kind: str, version: str) -> Any:
    """The schema of a custom kind, in which a field that it does not know is an error."""
    for path in Path(os.environ["CRD_DIR"]).glob(f"*_{kind.lower().replace('repository', 'repositorie')}s.yaml"):
        for crd in yaml.load_all(path.read_text(), Loader=Loader):
            if crd and crd["spec"]["names"]["kind"] == kind:
                for item in crd["spec"]["versions"]:
                    if f"{crd['spec']['group']}/{item['name']}" == version:
                        return closed(item["schema"]["openAPIV3Schema"])
    pytest.fail(f"CRD_DIR has no {kind} of {version}")


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found and found.get("type"):
        found["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return found


@pytest.mark.skipif("CRD_DIR" not in os.environ, reason="needs CRDs in the folder that CRD_DIR names")
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_valid(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    assert set(manifest["metadata"]) == {"name", "namespace"}
    # Not `jsonschema.validate`, which would check the schema, upstream's own, for five seconds each time.
    validator = jsonschema.Draft202012Validator(schema_of(manifest["kind"], manifest["apiVersion"]))
    validator.validate(manifest)
    manifest["spec"]["misspelt"] = True
    with pytest.raises(jsonschema.ValidationError, match="misspelt"):
        validator.validate(manifest)


PROGRAM = """#!/bin/sh
[ "$1" != main.py ] || shift
exec {python} {main} "$@"
"""
SENDS = """#!/bin/sh
echo "$@" > {calls}
cat diff.md > {comment}
"""


def script_of(path: str) -> str:
    """What a pipeline runs, as one script that stops at the first failure."""
    pipeline = yaml.safe_load((EXAMPLES / path).read_text())
    if "convex" in pipeline:
        lines = pipeline["convex"]["script"]
    else:
        lines = [step["run"] for step in pipeline["jobs"]["manifests"]["steps"] if "run" in step]
    return "set -e\n" + "\n".join(lines).replace("${{ github.event.number }}", "7")


@pytest.fixture
def pull_request(tmp_path: Path) -> Path:
    """A repository on a branch that changes an overlay and its manifests, with programs that stand for CI's."""
    programs, folder = tmp_path / "bin", tmp_path / "repository"
    programs.mkdir()
    for name in ("make", "python3"):
        (programs / name).write_text(PROGRAM.format(python=sys.executable, main=ROOT / "main.py"))
    for name in ("gh", "curl"):
        (programs / name).write_text(SENDS.format(calls=tmp_path / "calls", comment=tmp_path / "comment"))
    for file in programs.iterdir():
        file.chmod(0o755)
    (folder / "overlays").mkdir(parents=True)
    (folder / "cdk8s.yaml").write_text("language: python\napp: python3 main.py synth\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    write(folder, "1Gi")
    git(folder, "remote", "add", "origin", str(folder))
    git(folder, "fetch", "--quiet", "origin")
    git(folder, "checkout", "--quiet", "-b", "feature")
    return folder


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def write(folder: Path, size: str, *, synth: bool = True) -> None:
    """Write the overlay and, with `synth`, its manifests, and commit both."""
    (folder / "overlays" / "lab.yaml").write_text(
        f"s3: {{enabled: false}}\nbackend: {{persistence: {{enabled: true, size: {size}}}}}\n"
    )
    if synth:
        with contextlib.chdir(folder):
            done = program("synth", "--allow-irreversible")
        assert done.code == 0, done.stderr
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", size)


def run_pipeline(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "GITHUB_BASE_REF": "main",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_API_V4_URL": "https://git.example.com/api/v4",
        "CI_PROJECT_ID": "3",
        "DIFF_TOKEN": "glpat-hunter2",
    }
    command = ["bash", "-c", script_of(path)]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.process
@pytest.mark.parametrize("path", PIPELINES)
def test_a_pipeline_comments_what_changes_and_fails_on_drift(pull_request: Path, path: str) -> None:
    write(pull_request, "2Gi")
    done = run_pipeline(pull_request, path)
    assert done.returncode == 0, done.stdout + done.stderr
    comment = (pull_request.parent / "comment").read_text()
    assert "lab" in comment
    assert "2Gi" in comment
    calls = (pull_request.parent / "calls").read_text()
    assert "glpat" not in calls + done.stdout + done.stderr
    assert ("merge_requests/7/notes" if "gitlab" in path else "pr comment 7") in calls
    assert json.loads((pull_request / "audit.sarif").read_text())["version"] == "2.1.0"

    (pull_request.parent / "comment").unlink()
    write(pull_request, "3Gi", synth=False)
    done = run_pipeline(pull_request, path)
    assert done.returncode != 0
    assert not (pull_request.parent / "comment").exists(), "stale manifests must not be shown as the change"


@pytest.mark.parametrize("path", PIPELINES)
def test_a_pipeline_calls_commands_that_exist(path: str) -> None:
    text = (EXAMPLES / path).read_text()
    assert yaml.safe_load(text)
    commands = re.findall(r"main\.py (\w[\w-]*)", text)
    assert commands
    assert set(commands) <= set(COMMANDS)


OVERLAY_OF_RENOVATE = """\
backend:
  image:
    tag: 652b828b5129e6cdbcaa3c20efa8d116d09ff3bf
dashboard: {image: {tag: "652b828b5129e6cdbcaa3c20efa8d116d09ff3bf"}}
backup:
  rclone:
    image:
      repository: docker.io/rclone/rclone
      tag: 1.69.3
      digest: sha256:%s
""" % ("0" * 64)


def test_the_rules_for_renovate_find_the_tags_and_the_image() -> None:
    """Renovate's own validator and its lookup were run by hand: this keeps what the patterns find."""
    convex, rclone = json.loads((EXAMPLES / "renovate.json").read_text())["customManagers"]
    found = {}
    for manager in (convex, rclone):
        (pattern,) = manager["matchStrings"]
        found[manager["datasourceTemplate"]] = [
            match.groupdict() for match in re.finditer(pattern.replace("(?<", "(?P<"), OVERLAY_OF_RENOVATE)
        ]
    assert found["git-refs"] == [{"currentDigest": "652b828b5129e6cdbcaa3c20efa8d116d09ff3bf"}] * 2
    (image,) = found["docker"]
    assert (image["currentValue"], image["depName"]) == ("1.69.3", "docker.io/rclone/rclone")


def test_the_page_on_backups_selects_what_a_run_makes() -> None:
    page = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    selected = re.findall(r"^kubectl (?:get jobs|describe pod) -l (\w+)=([\w-]+)", page, re.MULTILINE)
    assert len(selected) == 2
    job = one(case("backup-s3").environment(), "CronJob", "convex-backup")["spec"]["jobTemplate"]
    # A Job without labels of its own gets those of its pod template from the API server.
    assert "metadata" not in job
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert [(key, labels.get(key)) for key, _ in selected] == selected
