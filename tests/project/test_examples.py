"""The examples of GitOps are valid against the real CRDs, and their commands are the program's."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from yaml import CSafeLoader as Loader

from convexctl.cli import COMMANDS
from tests.support.overlay_cases import ROOT, case, one

EXAMPLES = ROOT / "docs" / "examples"
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
    schema = schema_of(manifest["kind"], manifest["apiVersion"])
    jsonschema.validate(manifest, schema)
    manifest["spec"]["misspelt"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema)


@pytest.mark.parametrize("path", ["github/convex.yaml", "gitlab/.gitlab-ci.yml"])
def test_a_pipeline_calls_commands_that_exist(path: str) -> None:
    text = (EXAMPLES / path).read_text()
    assert yaml.safe_load(text)
    commands = re.findall(r"main\.py (\w[\w-]*)", text)
    assert commands
    assert set(commands) <= set(COMMANDS)


def test_the_rule_for_renovate_finds_the_image() -> None:
    (manager,) = json.loads((EXAMPLES / "renovate.json").read_text())["customManagers"]
    (pattern,) = manager["matchStrings"]
    digest = f"sha256:{'0' * 64}"
    text = f"      repository: docker.io/rclone/rclone\n      tag: 1.69.3\n      digest: {digest}\n"
    found = re.search(pattern.replace("(?<", "(?P<"), text)
    assert found
    assert found["currentValue"] == "1.69.3"


def test_the_page_on_backups_selects_what_a_run_makes() -> None:
    page = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    selected = re.findall(r"^kubectl (?:get jobs|describe pod) -l (\w+)=([\w-]+)", page, re.MULTILINE)
    assert len(selected) == 2
    job = one(case("backup-s3").environment(), "CronJob", "convex-backup")["spec"]["jobTemplate"]
    # A Job without labels of its own gets those of its pod template from the API server.
    assert "metadata" not in job
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert [(key, labels.get(key)) for key, _ in selected] == selected
