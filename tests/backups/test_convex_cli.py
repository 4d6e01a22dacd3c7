"""The real CLI `convex` against the stand-in, as docs/functions.md calls it, and with a backup of the CLI's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.convex_standin import NODE, Standin, standin
from tests.support.kubectl_stub import KubectlStub
from tests.support.overlay_cases import ROOT

CLI = os.environ.get("CONVEX_CLI", "")
SECRET = "5a" * 32
TABLES = {"messages": ['{"_id":"m1","body":"hello"}']}
FUNCTIONS = """
import { queryGeneric } from "convex/server";
export const list = queryGeneric({ args: {}, handler: (ctx) => ctx.db.query("messages").collect() });
"""

pytestmark = pytest.mark.skipif(
    not CLI, reason="CONVEX_CLI is not set: it names bin/main.js of npm's package convex (1.27.0) in a node_modules"
)


@pytest.fixture
def backend() -> Iterator[Standin]:
    with standin(instance="prod", tables=TABLES, INSTANCE_SECRET=SECRET) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, backend: Standin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """A project of functions, whose environment is what `admin-key --env` prints."""
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    stub.secret("instance", {"INSTANCE_SECRET": SECRET})
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    (overlays / "production.yaml").write_text(
        "instance: {name: prod, existingSecret: instance}\n"
        f"convexConfig: {{cloudOrigin: '{backend.url}', siteOrigin: '{backend.url}/http'}}\n"
        "backend: {persistence: {enabled: true}}\n"
    )
    done = run(capsys, "admin-key", "production", "--env", "--overlays", str(overlays))
    assert done.code == 0, done.stderr
    folder = tmp_path / "project"
    (folder / "convex").mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "project", "dependencies": {"convex": "1.27.0"}}')
    (folder / "convex" / "messages.ts").write_text(FUNCTIONS)
    (folder / "node_modules").symlink_to(Path(CLI).parents[2])
    (folder / ".env.local").write_text(done.stdout)
    return folder


def convex(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(project), "CI": "1"}
    command = [NODE, str(Path(CLI)), *words]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    key = re.search(r"\|(\w+)", (project / ".env.local").read_text())
    assert key
    assert key[1] not in done.stdout + done.stderr
    return done


def commands_of(page: str) -> list[str]:
    """What a page of docs has behind `npx convex` in its blocks of shell."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    return re.findall(r"^npx convex (.+)$", "".join(blocks), re.MULTILINE)


def test_the_page_on_functions_deploys(project: Path, backend: Standin) -> None:
    commands = commands_of("functions.md")
    assert commands == ["env set APP_STAGE production", "deploy"]
    for command in commands:
        done = convex(project, *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    state = backend.state()
    assert state["variables"] == {"APP_STAGE": "production"}
    assert state["functions"] == [{"identifier": "messages.js"}]
    assert convex(project, "env", "list").stdout == "APP_STAGE=production\n"


def test_an_export_goes_back_by_an_import(project: Path, backend: Standin) -> None:
    done = convex(project, "export", "--path", "backup.zip")
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(project / "backup.zip") as archive:
        assert json.loads(archive.read("messages/documents.jsonl"))["body"] == "hello"
    backend.set(tables={"other": []})
    done = convex(project, "import", "--replace-all", "-y", "backup.zip")
    assert done.returncode == 0, done.stdout + done.stderr
    assert backend.state()["tables"] == TABLES


def test_the_key_of_another_instance_is_refused(project: Path, backend: Standin) -> None:
    text = (project / ".env.local").read_text()
    (project / ".env.local").write_text(text.replace("prod|", "staging|"))
    assert convex(project, "env", "set", "APP_STAGE", "x").returncode != 0
    assert backend.state()["variables"] == {}
