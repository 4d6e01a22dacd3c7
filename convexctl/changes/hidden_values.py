"""Values of manifests as a comparison may show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from convex_k8s.secrecy import NOT_SHOWN, asks_for_a_secret, named_like_a_secret, shows_a_secret

from convexctl.changes.compare_objects import FieldChange

_CHECKSUM = "checksum/"
"""Annotations with this prefix look like instance secrets, and are not."""


def without_secrets(field: FieldChange) -> FieldChange:
    """A field as it may be shown: manifests that Helm made, or that somebody edited, may hold a secret."""
    if _CHECKSUM in field.path:
        return field
    *before, last = re.findall(r"\w+", field.path) or [""]
    name = before[-1] if last == "value" and before else last
    return FieldChange(field.path, _hidden(field.before, name), _hidden(field.after, name))


def _hidden(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        variable = str(value.get("name", ""))
        return {
            key: item if str(key).startswith(_CHECKSUM) else _hidden(item, variable if key == "value" else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        before = ["", *(item if isinstance(item, str) else "" for item in value)]
        return [
            NOT_SHOWN if isinstance(item, str) and asks_for_a_secret(option) else _hidden(item, name)
            for option, item in zip(before, value, strict=False)
        ]
    # Fields of Kubernetes, such as the `key` of a reference, are not in capitals, variables are.
    named = name.isupper() and named_like_a_secret(name)
    return NOT_SHOWN if isinstance(value, str) and value and (named or shows_a_secret(value)) else value
