"""Values that say which irreversible changes are meant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from convex_k8s.values.base import wrong

IrreversibleChange = Literal[
    "release-name",
    "namespace",
    "instance-name",
    "instance-secret",
    "database-engine",
    "database-secret",
    "database-cluster",
    "database-size",
    "database-class",
    "database-version",
    "files-kind",
    "files-buckets",
    "files-endpoint",
    "files-region",
    "claim",
    "claim-template",
    "claim-size",
    "claim-class",
    "access-mode",
    "immutable-field",
    "retention",
    "backup-keep",
]
"""A change of an environment that cannot be undone, or loses data, or is refused by Kubernetes."""


def _text(value: Any) -> Any:
    """A scalar as text, since YAML reads `1209600` as a number and `on` as a boolean."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise wrong("must be the new value of what changes, as the message of synth says it")
    return str(value)


AcknowledgedValue = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
