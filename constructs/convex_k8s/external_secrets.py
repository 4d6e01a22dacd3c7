"""Secrets from a store, by External Secrets Operator: one `ExternalSecret` for each Secret that the backend needs."""

from __future__ import annotations

from typing import Any

from cdk8s import ApiObject, JsonPatch

from constructs import Construct
from convex_k8s.naming import Naming
from convex_k8s.values.secret_references import needed_keys


class ExternalSecrets(Construct):
    """The `ExternalSecret`s (external-secrets.io/v1), each named as the Secret that it makes.

    The Secrets outlive them (`creationPolicy: Orphan`): removing an environment must not take its keys along.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        values = naming.values.secrets.external_secrets
        for secret, keys in needed_keys(naming.values).items():
            external = ApiObject(
                self,
                secret,
                api_version="external-secrets.io/v1",
                kind="ExternalSecret",
                metadata=naming.plain_metadata(secret),
            )
            remote = values.remote_keys.get(secret, secret)
            spec = {
                "refreshInterval": values.refresh_interval,
                "secretStoreRef": {"kind": values.store_kind, "name": values.store_name},
                "target": {
                    "name": secret,
                    "creationPolicy": "Orphan",
                    "deletionPolicy": "Retain",
                    # Without one the operator copies this object's labels, by which Argo CD would prune the Secret.
                    "template": {"engineVersion": "v2"},
                },
                "data": [{"secretKey": key, "remoteRef": _remote_reference(remote, key)} for key in keys],
            }
            external.add_json_patch(JsonPatch.add("/spec", spec))


def _remote_reference(remote: Any, key: str) -> dict[str, str]:
    return {"key": remote[key]} if isinstance(remote, dict) else {"key": remote, "property": key}
