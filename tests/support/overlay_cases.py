"""The overlays that the tests walk through: both samples, the Helm chart's example, and one for each option.

A new file in `tests/data/overlays/` is a new case for every test that iterates over `CASES`.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION

from convexctl.overlays.load import Overlay, load_overlays
from convexctl.overlays.names import OverlayError
from convexctl.synth.environment import Environment, synthesise

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ROOT / "overlays"
"""The overlays of whoever runs this: nothing is known of them but that they are right."""
DATA = ROOT / "tests" / "data"
OPTIONS = DATA / "overlays"
SAMPLES = DATA / "samples"
"""The overlays as the project comes with them, to which the expectations of tests refer."""

INGRESS = """\
postgres: {enabled: true}
ingress:
  enabled: true
  dashboard: {host: dashboard.example.com}
  backend: {host: api.example.com}
"""
"""Five lines that make an Ingress; what a test adds below them begins in line 6."""


@dataclass(frozen=True)
class Case:
    """An overlay by name, and the folder that it lies in. Tests show `str(case)` as the id."""

    name: str
    folder: Path
    stem: str

    def __str__(self) -> str:
        return self.name

    def overlay(self) -> Overlay:
        """The overlay, checked. It carries the case's name."""
        return _overlay(self)

    def environment(self) -> Environment:
        """The overlay, synthesised; once in a process."""
        return _environment(self)


def _cases() -> list[Case]:
    options = sorted(path.stem for path in OPTIONS.glob("*.yaml") if not path.stem.startswith("_"))
    return [
        Case("local", SAMPLES, "local"),
        Case("production", SAMPLES, "production"),
        Case("chart-example", DATA, "chart-example-values"),
        *(Case(name, OPTIONS, name) for name in options),
    ]


CASES = _cases()
"""Every overlay of the project and its tests: `@pytest.mark.parametrize("case", CASES, ids=str)`."""


def case(name: str) -> Case:
    """The case with that name."""
    return next(case for case in CASES if case.name == name)


@functools.cache
def _overlay(case: Case) -> Overlay:
    (overlay,) = load_overlays(case.folder, [case.stem])
    return replace(overlay, name=case.name)


@functools.cache
def _environment(case: Case) -> Environment:
    return synthesise(case.overlay())


@functools.cache
def overlay_of(text: str) -> Overlay:
    """An overlay with this content, checked. Raises `OverlayError` like any other, and calls its file `test.yaml`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test.yaml").write_text(text, encoding="utf-8")
        try:
            (overlay,) = load_overlays(Path(folder), ["test"])
        except OverlayError as error:
            raise OverlayError([message.removeprefix(f"{folder}/") for message in error.messages]) from None
        warnings = [warning.removeprefix(f"{folder}/") for warning in overlay.warnings]
        return replace(overlay, warnings=warnings)


def faults_of(text: str) -> list[str]:
    """All messages about an overlay with this content, which must have some."""
    with pytest.raises(OverlayError) as caught:
        overlay_of(text)
    return caught.value.messages


@functools.cache
def environment_of(text: str) -> Environment:
    """An overlay with this content, synthesised; once in a process."""
    return synthesise(overlay_of(text))


def annotations_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of an object, without the one that every object has."""
    annotations: dict[str, str] = dict(manifest["metadata"]["annotations"])
    del annotations[OVERLAY_ANNOTATION]
    return annotations


def one(environment: Environment, kind: str, name: str | None = None) -> dict[str, Any]:
    """The only object of that kind (and name) in the environment."""
    found = [
        manifest
        for manifest in environment.manifests
        if manifest["kind"] == kind and name in (None, manifest["metadata"]["name"])
    ]
    assert len(found) == 1, [(manifest["kind"], manifest["metadata"]["name"]) for manifest in environment.manifests]
    return found[0]


def config_of(environment: Environment) -> dict[str, str]:
    """What the backend's ConfigMap tells it."""
    name = f"{environment.overlay.values.release_name}-config"
    return dict(one(environment, "ConfigMap", name)["data"])


def backend_container(environment: Environment) -> dict[str, Any]:
    """The container of Convex in the backend's pod, beside which the user may have others."""
    container: dict[str, Any] = one(environment, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    return container
