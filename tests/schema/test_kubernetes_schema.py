"""Every environment is valid, down to the last field, for each supported version of Kubernetes."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION
from kubernetes_validate import utils

from convexctl.synth.environment import NAMESPACE
from tests.support.overlay_cases import CASES, case, one

VERSIONS = [f"1.{minor}" for minor in range(27, 37)]
CUSTOM_GROUPS = {
    "bitnami.com",
    "external-secrets.io",
    "gateway.networking.k8s.io",
    "monitoring.coreos.com",
    "postgresql.cnpg.io",
}
"""Kinds of these groups are custom: Kubernetes has no schema of them."""


@pytest.fixture(autouse=True, scope="module")
def schemas_read_once() -> Iterator[None]:
    """The library reads megabytes of definitions, and lists its versions, anew for every object."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("schema_contents", "all_versions"):
            patch.setattr(utils, name, functools.cache(getattr(utils, name)))
        yield


@functools.cache
def distinct_objects() -> dict[str, str]:
    """Every object of every overlay once, as JSON, with the first overlay that has it.

    Whether an object is valid does not hang on the name of the overlay, which each carries.
    """
    objects: dict[str, str] = {}
    for overlay in CASES:
        environment = overlay.environment()
        namespace = [yaml.safe_load(environment.files[NAMESPACE])] if NAMESPACE in environment.files else []
        for manifest in [*namespace, *environment.manifests]:
            unnamed = copy.deepcopy(manifest)
            if OVERLAY_ANNOTATION in unnamed["metadata"].get("annotations", {}):
                unnamed["metadata"]["annotations"][OVERLAY_ANNOTATION] = "any"
            objects.setdefault(json.dumps(unnamed), overlay.name)
    return objects


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    faults = []
    for text, overlay in distinct_objects().items():
        manifest = json.loads(text)
        if manifest["apiVersion"].partition("/")[0] in CUSTOM_GROUPS:
            continue
        try:
            assert kubernetes_validate.validate(manifest, version, strict=True) == version
        except kubernetes_validate.ValidationError as error:
            faults.append((overlay, manifest["kind"], error.json_path, error.message))
    assert faults == []


WRONG = [
    pytest.param(lambda spec: spec.update(replica=1), "'replica' was unexpected", id="a field that is not there"),
    pytest.param(
        lambda spec: spec["template"]["spec"]["containers"][0].update(environment=[]),
        "'environment' was unexpected",
        id="a field that is not there, deep inside",
    ),
    pytest.param(lambda spec: spec.update(replicas="1"), "'1' is not of type", id="a field of the wrong type"),
    pytest.param(lambda spec: spec.pop("selector"), "'selector' is a required property", id="a field that is missing"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_field_is_caught(version: str, change: Callable[[dict[str, Any]], object], said: str) -> None:
    stateful_set = copy.deepcopy(one(case("local").environment(), "StatefulSet"))
    change(stateful_set["spec"])
    with pytest.raises(kubernetes_validate.ValidationError) as caught:
        kubernetes_validate.validate(stateful_set, version, strict=True)
    assert said in caught.value.message


LATER = [
    pytest.param(
        28,
        lambda pod: pod.update(initContainers=[{"name": "a", "image": "i", "restartPolicy": "Always"}]),
        "'restartPolicy' was unexpected",
        id="a sidecar",
    ),
    pytest.param(
        29,
        lambda pod: pod["containers"][0].update(lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
        "'sleep' was unexpected",
        id="a handler that sleeps",
    ),
    pytest.param(
        30,
        lambda pod: pod["containers"][0]["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
        "'appArmorProfile' was unexpected",
        id="an AppArmor profile",
    ),
]


@pytest.mark.parametrize(("since", "change", "said"), LATER)
def test_a_field_that_came_later_is_caught(since: int, change: Callable[[dict[str, Any]], object], said: str) -> None:
    """So the oldest version decides what an overlay may make."""
    stateful_set = copy.deepcopy(one(case("local").environment(), "StatefulSet"))
    change(stateful_set["spec"]["template"]["spec"])
    for version in VERSIONS:
        if int(version.partition(".")[2]) >= since:
            kubernetes_validate.validate(stateful_set, version, strict=True)
            continue
        with pytest.raises(kubernetes_validate.ValidationError) as caught:
            kubernetes_validate.validate(stateful_set, version, strict=True)
        assert said in caught.value.message


def test_a_kind_without_a_schema_is_no_pass() -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({"apiVersion": "v1", "kind": "Convex"}, "1.36", strict=True)
