"""Values of the Secrets' origin: who makes the Secrets that the manifests refer to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from convex_k8s.values.base import Model, ObjectName, OptionalObjectName, TextLike, wrong

ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
"""Variable and key of the admin key. The backend does not read it; `npx convex` does, also in a shell of the pod."""

Duration = Annotated[
    str,
    BeforeValidator(
        lambda value: "0" if type(value) is int and value == 0 else value, json_schema_input_type=str | int
    ),
    TextLike(r"0|([0-9]+(h|m|s))+", "a duration like 1h or 15m, or 0"),
]


def _remote_key(value: Any) -> Any:
    by_key = isinstance(value, dict) and all(isinstance(item, str) and item for item in value.values())
    if not by_key and not (isinstance(value, str) and value):
        raise wrong("must be the remote key of the whole Secret, or a map from each of its keys to a remote key")
    return value


RemoteKey = Annotated[
    Any,
    BeforeValidator(_remote_key),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}),
]


class ExternalSecrets(Model):
    """How External Secrets Operator gets the Secrets."""

    store_name: OptionalObjectName = ""
    """Name of the store that holds the values."""
    store_kind: Literal["SecretStore", "ClusterSecretStore"] = "ClusterSecretStore"
    """Kind of the store."""
    refresh_interval: Duration = "1h"
    """How often the values are read again; `0` means once."""
    remote_keys: dict[ObjectName, RemoteKey] = {}
    """Where a Secret's values are in the store, by the Secret's name: one remote key, of which each key of the Secret
    is a property; or a map from each key to a remote key of its own. Not set: the Secret's own name."""


class Secrets(Model):
    """Who makes the Secrets."""

    provider: Literal["existing", "external-secrets", "sealed-secrets", "bootstrap"] = "existing"
    """Who makes the Secrets. `existing`: you, before the first apply. `external-secrets`: External Secrets Operator,
    from a store. `sealed-secrets`: the controller, from the sealed file that the command `secrets <overlay> --seal`
    keeps beside the overlay. `bootstrap`: a Job makes instance secret and admin key in the cluster, once; you make the
    other Secrets."""
    external_secrets: ExternalSecrets = ExternalSecrets()
    """How External Secrets Operator gets them."""
