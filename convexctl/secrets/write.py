"""Filled Secrets as manifests and as YAML."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from convexctl.located_yaml import dump_all
from convexctl.secrets.fill import Filled
from convexctl.secrets.plan import PULL_KEY, PULL_TYPE

_OPAQUE = "Opaque"


def secret_manifests(filled: Filled, namespace: str) -> list[dict[str, Any]]:
    """The Secrets, in the order of the plan.

    The values are base64 in `data`, because server-side apply loses track of `stringData`.
    """
    manifests = []
    for name in dict.fromkeys(entry.secret for entry in filled.values):
        data = {entry.key: value for entry, value in filled.values.items() if entry.secret == name}
        manifests.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
                "type": filled.types.get(name) or (PULL_TYPE if PULL_KEY in data else _OPAQUE),
                "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
            }
        )
    return manifests


def to_yaml(manifests: Iterable[Mapping[str, Any]]) -> str:
    """A YAML stream of the manifests, with `---` between them."""
    return dump_all(manifests)
