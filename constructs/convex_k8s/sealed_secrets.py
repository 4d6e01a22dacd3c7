"""Sealed Secrets: encrypted by `kubeseal`, kept beside the overlay, opened in the cluster alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdk8s import ApiObject, ApiObjectMetadata, JsonPatch

from constructs import Construct


class SealedSecrets(Construct):
    """`SealedSecret`s that were sealed elsewhere, taken over as they are."""

    def __init__(self, scope: Construct, id: str, sealed: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(scope, id)
        for manifest in sealed:
            metadata = manifest["metadata"]
            taken = ApiObject(
                self,
                metadata["name"],
                api_version=manifest["apiVersion"],
                kind=manifest["kind"],
                metadata=ApiObjectMetadata(
                    name=metadata["name"],
                    namespace=metadata.get("namespace"),
                    annotations=metadata.get("annotations"),
                    labels=metadata.get("labels"),
                ),
            )
            taken.add_json_patch(JsonPatch.add("/spec", manifest["spec"]))
