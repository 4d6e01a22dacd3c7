"""Tuning variables: checked by their type, and written in the way that the backend reads them."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest
from convex_k8s import knobs
from convex_k8s.knobs import COMPOSE_DEFAULTS
from convex_k8s.values.checks.backend import OWN_VARIABLES

WRITTEN = [
    pytest.param("REUSE_ISOLATES", True, "true", id="boolean"),
    pytest.param("REUSE_ISOLATES", False, "false", id="boolean, false"),
    pytest.param("REUSE_ISOLATES", "true", "true", id="boolean as text"),
    pytest.param("REUSE_ISOLATES", "false", "false", id="boolean as text, false"),
    pytest.param("AWS_S3_DISABLE_RANGE_PREFETCH", True, "true", id="boolean that is no knob"),
    pytest.param("DOCUMENT_RETENTION_DELAY", 172800, "172800", id="whole number"),
    pytest.param("DOCUMENT_RETENTION_DELAY", "172800", "172800", id="whole number as text"),
    pytest.param("DOCUMENT_RETENTION_DELAY", 0, "0", id="whole number, the least"),
    pytest.param("FUNCTION_LIMIT_WARNING_RATIO", 0.5, "0.5", id="number"),
    pytest.param("FUNCTION_LIMIT_WARNING_RATIO", 1, "1", id="number without a fraction"),
    pytest.param("FUNCTION_LIMIT_WARNING_RATIO", "1e-3", "1e-3", id="number with an exponent"),
    pytest.param("REQUEST_TRACE_SAMPLE_CONFIG", '{"a": 1}', '{"a": 1}', id="JSON"),
    pytest.param("AI_GATEWAY_USAGE_FIREHOSE", "stream", "stream", id="text"),
    pytest.param("DISABLE_BEACON", True, "true", id="switch by presence"),
    pytest.param("DISABLE_BEACON", False, None, id="switch by presence, off: the variable is absent"),
    pytest.param("REDACT_LOGS_TO_CLIENT", "false", None, id="switch by presence, off as text"),
    pytest.param("MY_FLAG", True, "true", id="unknown variable, boolean"),
    pytest.param("MY_TEXT", "True", "True", id="unknown variable, text"),
    pytest.param("MY_NUMBER", 1.0, "1.0", id="unknown variable, number"),
    pytest.param("MY_EMPTY", "", "", id="unknown variable, empty"),
]


@pytest.mark.parametrize(("name", "value", "text"), WRITTEN)
def test_a_value_is_written_in_the_backends_dialect(name: str, value: knobs.Scalar, text: str | None) -> None:
    assert knobs.written(name, value) == text


BOOLEAN = "must be true or false: the backend takes anything else (1, yes, True) as not set"
PRESENCE = "must be true or false: the backend takes any value at all, FALSE and 0 too, as on"
SECONDS = "must be a whole number of seconds: the backend would use 1209600 instead"
REFUSED = [
    *[
        pytest.param("REUSE_ISOLATES", value, BOOLEAN, id=f"boolean {value!r}")
        for value in (1, 0, "1", "yes", "True", "")
    ],
    pytest.param("AWS_S3_DISABLE_RANGE_PREFETCH", "TRUE", BOOLEAN, id="boolean that is no knob"),
    *[pytest.param("DISABLE_BEACON", value, PRESENCE, id=f"switch {value!r}") for value in (1, 0, "FALSE", "no", "")],
    *[
        pytest.param("DOCUMENT_RETENTION_DELAY", value, SECONDS, id=f"whole number {value!r}")
        for value in (1.5, 1.0, True, "14d", "1_000", " 1", "", "1e6")
    ],
    pytest.param("DOCUMENT_RETENTION_DELAY", -1, "must be at least 0 seconds", id="below the minimum"),
    pytest.param(
        "FUNCTION_LIMIT_WARNING_RATIO", "half", "must be a number: the backend would use 0.8 instead", id="number"
    ),
    pytest.param(
        "FUNCTION_LIMIT_WARNING_RATIO",
        float("nan"),
        "must be a number: the backend would use 0.8 instead",
        id="no number",
    ),
    pytest.param("REQUEST_TRACE_SAMPLE_CONFIG", "{", "must be a string that holds JSON", id="JSON"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_a_value_that_the_backend_would_not_take(name: str, value: knobs.Scalar, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        knobs.written(name, value)


MEANT = [
    pytest.param("APPLICATION_MAX_CONCURENT_QUERIES", "APPLICATION_MAX_CONCURRENT_QUERIES", id="misspelt"),
    pytest.param("document_retention_delay", "DOCUMENT_RETENTION_DELAY", id="in small letters"),
    pytest.param("DISABLE_BEACONS", "DISABLE_BEACON", id="near a switch"),
    pytest.param("AWS_S3_DISABLE_CHECKSUM", "AWS_S3_DISABLE_CHECKSUMS", id="near a boolean"),
    pytest.param("LOG_FORMATT", "LOG_FORMAT", id="near another variable"),
    pytest.param("MAX_CONCURRENT_QUERIES", "APPLICATION_MAX_CONCURRENT_QUERIES", id="the end of a name"),
    pytest.param("TIMEOUT_SECS", None, id="the end of many names"),
    pytest.param("DOCUMENT_RETENTION_DELAY", None, id="right"),
    pytest.param("RUST_LOG", None, id="right, and no knob"),
    pytest.param("ACTIONS_USER_TIMEOUT_SECS", None, id="dead, which is a warning of its own"),
    pytest.param("STRIPE_ACCOUNT", None, id="the user's own"),
]


@pytest.mark.parametrize(("name", "meant"), MEANT)
def test_a_near_miss_is_recognised(name: str, meant: str | None) -> None:
    assert knobs.meant(name) == meant


def test_no_known_variable_is_taken_for_another() -> None:
    known = knobs.knobs().keys() | knobs.PRESENCE | knobs.BOOLEANS | OWN_VARIABLES.keys() | COMPOSE_DEFAULTS.keys()
    assert {name: knobs.meant(name) for name in known if knobs.meant(name) and name not in OWN_VARIABLES} == {}


def test_dead_names_have_a_living_successor() -> None:
    for name, successors in knobs.DEAD.items():
        assert name not in knobs.knobs()
        assert set(successors.split(" and ")) <= knobs.knobs().keys()


RAW: dict[str, Any] = json.loads(resources.files("convex_k8s").joinpath("knobs.json").read_text())


def test_the_list_says_where_it_is_from() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", RAW["upstream_commit"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", RAW["upstream_date"])
    assert len(RAW["knobs"]) == 310


@pytest.mark.parametrize("knob", knobs.knobs().values(), ids=lambda knob: knob.name)
def test_an_entry_is_well_formed(knob: knobs.Knob) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", knob.name)
    expected = {"integer": int, "number": float, "boolean": bool, "string": str, "json": type(None)}
    assert type(knob.default) is expected[knob.type]
    assert (knob.minimum is None) or knob.type in ("integer", "number")
    if knob.type != "json":
        assert knobs.written(knob.name, knob.default) is not None  # type: ignore[arg-type]


def test_upstreams_compose_defaults_are_values_that_the_backend_takes() -> None:
    for name, value in COMPOSE_DEFAULTS.items():
        assert knobs.written(name, value) == str(value)
