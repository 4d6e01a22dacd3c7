"""The backend's tuning variables: what they are, and how a value is written so that the backend takes it.

`knobs.json` lists them as of the upstream commit named in it. The backend parses them in Rust: a boolean is exactly
`true` or `false`, and what does not parse counts as unset. A few variables of the entry point go by presence instead:
any non-empty value, `false` too, switches them on.
"""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
import re
from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool

PRESENCE = frozenset({"REDACT_LOGS_TO_CLIENT", "DISABLE_BEACON", "DO_NOT_REQUIRE_SSL"})
"""Variables that are on when they have any value at all."""
BOOLEANS = frozenset(
    {"AWS_S3_FORCE_PATH_STYLE", "AWS_S3_DISABLE_SSE", "AWS_S3_DISABLE_CHECKSUMS", "AWS_S3_DISABLE_RANGE_PREFETCH"}
)
"""Variables outside the knobs that are Rust booleans."""
DEAD = {"ACTIONS_USER_TIMEOUT_SECS": "V8_ACTION_USER_TIMEOUT_SECS and NODE_ACTION_USER_TIMEOUT_SECS"}
"""Names that the backend no longer reads, and what took their place (on 2026-07-02)."""
READ_BESIDES = frozenset({"RUST_LOG", "RUST_BACKTRACE", "LOG_FORMAT", "NO_COLOR", "NODE_EXTRA_CA_CERTS", "TZ"})
"""Further variables that backend, runtime or system read: never taken for a misspelt knob."""
COMPOSE_DEFAULTS: dict[str, Scalar] = {
    "APPLICATION_MAX_CONCURRENT_MUTATIONS": 16,
    "APPLICATION_MAX_CONCURRENT_NODE_ACTIONS": 16,
    "APPLICATION_MAX_CONCURRENT_QUERIES": 16,
    "APPLICATION_MAX_CONCURRENT_V8_ACTIONS": 16,
    "DOCUMENT_RETENTION_DELAY": 172800,
    "RUST_LOG": "info",
}
"""What upstream's compose file sets; `backend.env` overrides each."""


@dataclass(frozen=True)
class Knob:
    """A tuning variable: its type, its default, and where known its unit and its minimum."""

    name: str
    type: Literal["integer", "number", "boolean", "string", "json"]
    default: object
    unit: str | None = None
    minimum: float | None = None


@functools.cache
def knobs() -> dict[str, Knob]:
    """All knobs by name."""
    text = importlib.resources.files("convex_k8s").joinpath("knobs.json").read_text(encoding="utf-8")
    return {name: Knob(name=name, **entry) for name, entry in json.loads(text)["knobs"].items()}


def written(name: str, value: Scalar) -> str | None:
    """The text that makes the backend read `name` as `value`; None if leaving the variable out says so.

    Raises `ValueError` with what would be right when the backend would not take the value.
    """
    if name in PRESENCE:
        return "true" if _boolean(value, "takes any value at all, FALSE and 0 too, as on") else None
    knob = knobs().get(name)
    if knob is None:
        return ("true" if _boolean(value) else "false") if name in BOOLEANS else _plain(value)
    match knob.type:
        case "boolean":
            return "true" if _boolean(value) else "false"
        case "integer" | "number":
            return _number(knob, value)
        case "json":
            return _json(value)
        case "string":
            return _plain(value)


def meant(name: str) -> str | None:
    """The variable that `name` was probably meant to be, or None if the name is known or like no other."""
    known = knobs().keys() | PRESENCE | BOOLEANS | READ_BESIDES
    if name in known or name in DEAD:
        return None
    name = name.upper()
    if close := difflib.get_close_matches(name, known, n=1, cutoff=0.85):
        return close[0]
    longer = [each for each in known if each.endswith(f"_{name}")]
    return longer[0] if len(longer) == 1 else None


def _plain(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _boolean(value: Scalar, otherwise: str = "takes anything else (1, yes, True) as not set") -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError(f"must be true or false: the backend {otherwise}")


def _number(knob: Knob, value: Scalar) -> str:
    kind = "a whole number" if knob.type == "integer" else "a number"
    unit = f" {knob.unit}" if knob.unit else ""
    text = str(value)
    pattern = r"-?[0-9]{1,18}" if knob.type == "integer" else r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"
    if isinstance(value, bool) or not re.fullmatch(pattern, text):
        raise ValueError(f"must be {kind}{f' of{unit}' if unit else ''}: the backend would use {knob.default} instead")
    if knob.minimum is not None and float(text) < knob.minimum:
        raise ValueError(f"must be at least {knob.minimum:g}{unit}")
    return text


def _json(value: Scalar) -> str:
    try:
        json.loads(str(value))
    except ValueError:
        raise ValueError("must be a string that holds JSON") from None
    return str(value)
