"""`adopt`: what it says about a Secret that is absent, of one that lacks a key, and when it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from convexctl.adopt.effects import effects
from convexctl.adopt.overlay import derive
from convexctl.adopt.release import Release, from_files
from convexctl.adopt.report import effects_text
from convexctl.adopt.steps import Adoption, Step
from convexctl.commands import adopt
from convexctl.errors import UserError
from convexctl.synth.environment import Environment, synthesise
from tests.support.overlay_cases import DATA, overlay_of

Secrets = list[dict[str, Any]]


def secret(name: str, *keys: str) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "shop"}, "data": dict.fromkeys(keys)}


DATABASE = secret("convex-postgres-secret", "DATABASE_URL", "INSTANCE_NAME", "INSTANCE_SECRET")
S3 = secret("convex-s3-credentials", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_S3_ENDPOINT", "AWS_S3_REGION")


@pytest.fixture
def release() -> Release:
    data = DATA / "chart-example-values.yaml", DATA / "helm-rendered" / "example.yaml"
    return from_files("convex", "shop", *data)


def told(release: Release, secrets: Secrets | None, tmp_path: Path) -> str:
    overlay = overlay_of(derive(release, secrets).text(release))
    environment: Environment = synthesise(overlay)
    return " ".join(effects_text(effects(release, environment, secrets), environment).split())


def test_an_optional_secret_that_the_cluster_has_not_sets_nothing(release: Release, tmp_path: Path) -> None:
    assert "unless Secret/convex-secrets" not in told(release, [DATABASE, S3], tmp_path)


def test_a_secret_without_the_instance_secret_is_told_with_the_one_hint_that_works(
    release: Release, tmp_path: Path
) -> None:
    without = secret("convex-postgres-secret", "DATABASE_URL", "INSTANCE_NAME")
    said = told(release, [without, S3], tmp_path)
    assert "once more" not in said
    if "Instance secret stays" in said:
        assert "secrets test --apply" in said


def test_an_interruption_says_what_is_done_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> Iterator[Step]:
        yield Step("First", ())
        raise KeyboardInterrupt

    adoption = SimpleNamespace(steps=steps, pending=lambda: [1], forgotten=lambda: True)
    arguments = SimpleNamespace(release="shop", apply=True, yes=True, namespace="prod", context="", name=None)
    with pytest.raises(UserError) as caught:
        adopt._commands(cast(Any, arguments), cast(Adoption, adoption))
    assert caught.value.exit_code == 130
    said = str(caught.value)
    assert said.startswith("interrupted: 0 steps of those above are done. The same command goes on from here")
    assert "adopt shop -n prod --rollback" in said


def test_an_instance_secret_in_the_container_is_one_stop_and_not_two(tmp_path: Path) -> None:
    rendered = list(yaml.safe_load_all((DATA / "helm-rendered" / "example.yaml").read_text()))
    (backend,) = (one for one in rendered if one and one["kind"] == "StatefulSet")
    (container,) = backend["spec"]["template"]["spec"]["containers"]
    container["env"] = [one for one in container["env"] if one["name"] != "INSTANCE_SECRET"]
    manifest = tmp_path / "rendered.yaml"
    manifest.write_text(yaml.safe_dump_all(rendered))
    release = from_files("convex", "shop", DATA / "chart-example-values.yaml", manifest)
    environment = synthesise(overlay_of(derive(release, [DATABASE, S3]).text(release)))
    assert [stop.id for stop in effects(release, environment, [DATABASE, S3]).stops] == ["instance-secret"]
