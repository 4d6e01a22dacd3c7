"""Behaviour model and audit take whatever stands in a manifest: they may know nothing, and never fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from convexctl.audit import audit, formats
from tests.support.convex_manifests import (
    S3,
    backend,
    claim_template,
    dashboard,
    ingress,
    mounted,
    secret_variable,
    service,
    variables,
)

DATA = Path(__file__).resolve().parents[1] / "data"
ROUTE = {
    "kind": "HTTPRoute",
    "metadata": {"name": "route"},
    "spec": {
        "parentRefs": [{"name": "gateway", "sectionName": "web"}],
        "hostnames": ["api.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/http"}}],
                "filters": [{"urlRewrite": {"path": {"replacePrefixMatch": "/"}}}],
                "backendRefs": [{"name": "api", "port": 3211}],
            }
        ],
    },
}
HANDMADE: list[dict[str, Any]] = [
    backend(
        [
            *variables({**S3, "DO_NOT_REQUIRE_SSL": "false", "PG_CA_FILE": "/ca/ca.crt", "X": "$(POSTGRES_URL)"}),
            *variables({"DOCUMENT_RETENTION_DELAY": "172800", "POSTGRES_MAX_CONNECTIONS": "20"}),
            secret_variable("POSTGRES_URL", "db", "URL", optional=True),
        ],
        spec={"volumeClaimTemplates": [claim_template("data")], "strategy": {"rollingUpdate": {"maxSurge": "25%"}}},
        pod={"volumes": [{"name": "ca", "secret": {"secretName": "ca", "items": [{"key": "a", "path": "ca.crt"}]}}]},
        container={
            "volumeMounts": [mounted()["volumeMounts"][0], {"name": "ca", "mountPath": "/ca"}],
            "livenessProbe": {"httpGet": {"path": "/version", "port": "api"}},
            "startupProbe": {"exec": {"command": ["curl", "-f", "http://localhost:3210/version"]}},
            "lifecycle": {"preStop": {"exec": {"command": ["kill", "-INT", "1"]}}},
            "resources": {"limits": {"memory": "512Mi"}},
            "envFrom": [{"secretRef": {"name": "s"}, "prefix": "P_"}, {"configMapRef": {"name": "c"}}],
        },
    ),
    dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": "http://api", "NEXT_PUBLIC_ADMIN_KEY": "a|01", "PORT": "80"}),
    service("api", "convex", {"api": (3210, "api"), "http": (3211, 3211)}, type="NodePort"),
    ingress({"*.example.com": [("/http(/|$)(.*)", "api", "http")]}, tls=["*.example.com"]),
    {"kind": "Secret", "metadata": {"name": "db"}, "data": {"URL": "cG9zdGdyZXM6Ly9h", "N": None}, "stringData": {}},
    {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"name": "convex"}}},
    {"kind": "Gateway", "metadata": {"name": "gateway"}, "spec": {"listeners": [{"name": "web", "protocol": "HTTPS"}]}},
    {"kind": "Middleware", "metadata": {"name": "m"}, "spec": {"stripPrefix": {}}},
    ROUTE,
]
RICH: list[dict[str, Any]] = [
    *yaml.safe_load_all((DATA / "helm-rendered" / "example.yaml").read_text()),
    *HANDMADE,
]


def paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield (*above, key)
        yield from paths(item, (*above, key))


PATHS = list(paths(RICH))
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 10**5000, [10**5000]]),
    st.sampled_from(
        ["9" * 400, "9" * 5000, f"{'9' * 5000}%", f"{'9' * 5000}s", f"a{{{'9' * 30}}}", "1e400", "1e400Gi"]
    ),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["$(", "$(X)", "$$", "https://[", "http://a:b", "*", "(", "…", "postgres://@:@/?#", "1e999", "List"]
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), JUNK), min_size=1, max_size=6))
def test_junk_in_any_field(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    manifests: list[Any] = copy.deepcopy(RICH)
    for path, junk in changes:
        put(manifests, path, junk)
    report = audit(manifests)
    formats.text(report)
    json.loads(formats.as_json(report))
    json.loads(formats.sarif(report))


ODD = {
    "a number": 7,
    "a text": "x",
    "a list": [7],
    "a map": {"x": 7},
    "5000 digits as a number": 10**5000,
    "400 digits": "9" * 400,
    "5000 digits": "9" * 5000,
    "5000 digits and a percent sign": f"{'9' * 5000}%",
    "beyond what a float holds": "1e400",
    "an expression that repeats too much": f"/a{{{'9' * 30}}}(",
}
"""What every field gets once, whatever the examples above happen to hit."""


@pytest.mark.parametrize("junk", ODD.values(), ids=ODD)
def test_every_field_in_turn(junk: object) -> None:
    for path in paths(HANDMADE):
        manifests: list[Any] = copy.deepcopy(HANDMADE)
        put(manifests, path, junk)
        formats.as_json(audit(manifests))


def put(value: Any, path: tuple[str | int, ...], junk: object) -> None:
    """Put junk at a path, as far as earlier junk has left it there."""
    try:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = junk
    except (KeyError, IndexError, TypeError):
        pass


WORDS = st.sampled_from(
    [
        *[
            "bash",
            "sh",
            "tini",
            "dumb-init",
            "env",
            "X=1",
            "-c",
            "-ec",
            "-g",
            "--",
            "exec",
            "./run_backend.sh",
            "kill",
            "pkill",
            "-INT",
            "-s",
            "1",
        ],
        *(["while", "{", "`", "'", "$(", "#", ";", "&&", "||", "|", "&"]),
        '"$@"',
        "",
        "\n",
    ]
)
COMMANDS = st.lists(WORDS | st.lists(WORDS, max_size=8).map(" ".join), max_size=6)


@settings(max_examples=300, deadline=None)
@given(command=COMMANDS, hook=COMMANDS)
def test_any_command_of_a_pod(command: list[str], hook: list[str]) -> None:
    container = {"command": command, "lifecycle": {"preStop": {"exec": {"command": hook}}}}
    (found,) = audit([backend(container=container)]).behaviour.backends
    assert found.stop.value in ("clean", "killed")


def test_a_server_in_a_comment_is_not_started() -> None:
    (found,) = audit([backend(container={"command": ["bash", "-c", "# ./run_backend.sh"]})]).behaviour.backends
    assert found.stop.value == "killed"
