"""Every snippet of `docs/production.md` fits the sample, and all together make a hardened environment."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from convexctl.audit import Severity, audit
from convexctl.behaviour import predict
from convexctl.synth.environment import Environment, synthesise_all
from tests.support.overlay_cases import ROOT, SAMPLES

TEXT = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
STEPS = dict(re.findall(r"^## ([^\n]+)\n\n```yaml\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL))
CUSTOM = ("cnpg.io", "external-secrets.io", "monitoring.coreos.com")


@cache
def laid_over(folder: Path, *steps: str) -> Environment:
    """The sample with these steps, in their order."""
    files = []
    for number, step in enumerate(steps):
        file = folder / f"{number}.yaml"
        file.write_text(STEPS[step])
        files.append(file)
    (environment,) = synthesise_all(SAMPLES, ["production"], files)
    return environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


def sure(environment: Environment) -> None:
    """Nothing is warned of, and every object of Kubernetes' own is valid."""
    assert environment.overlay.warnings == []
    found = [each for each in audit(environment.manifests).findings if each.severity is not Severity.INFORMATION]
    assert [(each.rule.id, each.message) for each in found] == []
    for manifest in environment.manifests:
        if not any(group in manifest["apiVersion"] for group in CUSTOM):
            kubernetes_validate.validate(manifest, "1.36", strict=True)


def test_there_are_steps() -> None:
    assert len(STEPS) == TEXT.count("```yaml") >= 8


@pytest.mark.parametrize("step", STEPS)
def test_each_step_fits_the_sample_alone(folder: Path, step: str) -> None:
    sure(laid_over(folder, step))


def test_all_steps_make_a_hardened_environment(folder: Path) -> None:
    environment = laid_over(folder, *STEPS)
    sure(environment)
    kinds = {manifest["kind"] for manifest in environment.manifests}
    assert {"Cluster", "ExternalSecret", "NetworkPolicy", "ServiceMonitor", "PrometheusRule", "CronJob"} <= kinds
    model = predict(environment.manifests)
    (backend,) = model.backends
    assert (backend.obstacles, backend.telemetry.value) == ((), False)
    assert backend.database_tls is not None
    assert backend.database_tls.value == "required"
    assert {route.role for route in model.routes} == {"api", ""}
    pods = [
        each["spec"]["template"]["spec"]
        for each in environment.manifests
        if each["kind"] in ("StatefulSet", "Deployment")
    ]
    for container in (container for pod in pods for container in pod["containers"]):
        security: dict[str, Any] = container["securityContext"]
        assert (security["allowPrivilegeEscalation"], security["capabilities"]["drop"]) == (False, ["ALL"])


def test_every_finding_that_checkov_skips_is_explained() -> None:
    skipped = yaml.safe_load((ROOT / ".checkov.yaml").read_text(encoding="utf-8"))["skip-check"]
    assert re.findall(r"^\| `(CKV\w+)`", TEXT, re.MULTILINE) == skipped
