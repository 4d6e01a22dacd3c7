"""An object that holds `${` is annotated, so that Flux, which substitutes variables, takes it as it is."""

from __future__ import annotations

import json

import pytest

from convexctl.synth.environment import synthesise
from tests.support.overlay_cases import CASES, Case, overlay_of

ANNOTATION = "kustomize.toolkit.fluxcd.io/substitute"
WITH_A_REFERENCE = """\
commonAnnotations: {example.com/plain: text}
backend: {env: {MY_TEMPLATE: "${HOME}/x"}, persistence: {allowEphemeralData: true}}
postgres: {enabled: true}
ingress:
  enabled: true
  annotations: {example.com/rule: "a ${b} c"}
  dashboard: {host: d.acme.io}
  backend: {host: a.acme.io}
"""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_flux_would_substitute_is_annotated_and_nothing_else(case: Case) -> None:
    for manifest in case.environment().manifests:
        annotations = manifest["metadata"].get("annotations") or {}
        assert (annotations.get(ANNOTATION) == "disabled") == ("${" in json.dumps(manifest)), manifest["kind"]


def test_a_value_of_the_users() -> None:
    overlay = overlay_of(WITH_A_REFERENCE)
    annotated = {
        manifest["kind"]
        for manifest in synthesise(overlay).manifests
        if ANNOTATION in (manifest["metadata"].get("annotations") or {})
    }
    assert annotated == {"ConfigMap", "Ingress"}


BESIDE_IT = """\
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: mine, annotations: {example.com/a: b}}, data: {a: "${c}"}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {a: "$c"}}
patches:
  - {target: {kind: Deployment}, patch: {metadata: {annotations: {example.com/rule: "${d}"}}}}
"""


def test_objects_of_the_users_and_what_patches_bring() -> None:
    annotated = {
        (manifest["kind"], manifest["metadata"]["name"]): len(manifest["metadata"]["annotations"])
        for manifest in synthesise(overlay_of(WITH_A_REFERENCE + BESIDE_IT)).manifests
        if ANNOTATION in (manifest["metadata"].get("annotations") or {})
    }
    names = ("ConfigMap", "convex-config"), ("Ingress", "convex-ingress"), ("Deployment", "convex-dashboard")
    assert set(annotated) == {*names, ("ConfigMap", "mine")}
    assert annotated["ConfigMap", "mine"] > 2, "its own annotations stay"
