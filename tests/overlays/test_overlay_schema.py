"""`overlays/schema.json`, by which an editor completes and checks, says the same as the program."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from convex_k8s import knobs
from convex_k8s.values.checks.backend import OWN_VARIABLES

from convexctl.overlays import schema
from convexctl.overlays.names import overlay_file
from tests.support.overlay_cases import CASES, INGRESS, OVERLAYS, SAMPLES, Case, faults_of, overlay_of

SCHEMA: dict[str, Any] = json.loads((OVERLAYS / schema.FILE).read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_takes_every_overlay_that_the_program_takes(case: Case) -> None:
    text = overlay_file(case.folder, case.stem).read_text(encoding="utf-8")
    VALIDATOR.validate(yaml.safe_load(text) or {})


@pytest.mark.parametrize("name", ["local", "production"])
def test_the_samples_point_to_it(name: str) -> None:
    first = overlay_file(SAMPLES, name).read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=./schema.json"


REFUSED = [
    pytest.param("backend: {imgae: {}}", id="misspelt key"),
    pytest.param("replica_count: 1", id="snake_case"),
    pytest.param("dashboard: {replicaCount: '2'}", id="text for a number"),
    pytest.param("ingress: {enabled: 'true'}", id="text for a boolean"),
    pytest.param("imagePullSecrets: {name: a}", id="map for a list"),
    pytest.param("service: {backend: {port: 65536}}", id="port"),
    pytest.param("service: {backend: {type: Loadbalancer}}", id="none of the choices"),
    pytest.param("backend: {persistence: {size: 5 GB}}", id="quantity"),
    pytest.param("convexConfig: {cloudOrigin: https://a.example/}", id="slash at the end"),
    pytest.param("convexConfig: {cloudOrigin: https://a.example/path}", id="path"),
    pytest.param("ingress: {backend: {host: https://a.example}}", id="host with a scheme"),
    pytest.param("instance: {name: 'a:b'}", id="instance name"),
    pytest.param("postgres: {existingSecret: 'postgresql://u:p@h'}", id="literal secret"),
    pytest.param("s3: {buckets: {files: ''}}", id="empty bucket"),
    pytest.param("backend: {env: {REUSE_ISOLATES: 1}}", id="knob of another type"),
    pytest.param("backend: {env: {DOCUMENT_RETENTION_DELAY: -1}}", id="knob below its minimum"),
    pytest.param("backend: {env: {DO_NOT_REQUIRE_SSL: true}}", id="variable that a parameter sets"),
    pytest.param("replicaCount: 2", id="a second backend"),
    pytest.param("commonLabels: {'bad key!': x}", id="a label's name"),
    pytest.param(f"releaseName: {'a' * 45}", id="release name too long"),
    pytest.param("convexConfig: {requireSsl: 'yes'}", id="the chart's boolean"),
    pytest.param(INGRESS + "  tls: [{host: a.example}]", id="misspelt key in a list"),
]


@pytest.mark.parametrize("overlay", REFUSED)
def test_it_refuses_what_the_program_refuses(overlay: str) -> None:
    assert faults_of(overlay)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(yaml.safe_load(overlay))


@pytest.mark.parametrize(
    "overlay",
    [
        "ingress:\n",
        "backend: {image: {tag: null}}",
        "extends: null",
        "s3: {region: null}",
        "replicaCount: null",
        "backend: {env: {FOO: null, DOCUMENT_RETENTION_DELAY: null, RUST_LOG: null}}",
        "backend: {nodeSelector: {a: null}, podLabels: {a: null}}",
        "commonLabels: {a: null}",
        "commonAnnotations: {a: null}",
        "ingress: {annotations: {a: null}}",
        "acknowledge: {claim: null}",
    ],
)
def test_it_takes_null(overlay: str) -> None:
    """In a layer, `null` takes back what the one below it says; the program takes it as well."""
    overlay_of(overlay)
    VALIDATOR.validate(yaml.safe_load(overlay))


def test_every_knob_shows_its_unit_and_default() -> None:
    shown = SCHEMA["definitions"]["Backend"]["properties"]["env"]["properties"]
    assert not shown.keys() & OWN_VARIABLES.keys()
    for name, knob in knobs.knobs().items():
        if name in OWN_VARIABLES:
            continue
        if knob.unit:
            assert knob.unit in shown[name]["description"]
        assert f"default: {json.dumps(knob.default)}" in shown[name]["description"]


def test_what_is_set_here_shows_its_value() -> None:
    shown = SCHEMA["definitions"]["Backend"]["properties"]["env"]["properties"]
    for name, value in knobs.COMPOSE_DEFAULTS.items():
        assert shown[name]["default"] == value
        assert shown[name]["description"].endswith(f" Set here: {json.dumps(value)}.")


def test_every_parameter_is_explained() -> None:
    def below(node: dict[str, Any]) -> None:
        for name, entry in node.get("properties", {}).items():
            assert entry.get("description"), name

    below(SCHEMA)
    for definition in SCHEMA["definitions"].values():
        below(definition)
