"""Sealed Secrets: encrypted by `kubeseal`, kept beside the overlay, opened in the cluster alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdk8s import ApiObject, ApiObjectMetadata, JsonPatch

from constructs import Construct
from convex_k8s.naming import Naming


class SealedSecrets(Construct):
    """`SealedSecret`s that were sealed elsewhere, with the overlay's name as an annotation."""

    def __init__(self, scope: Construct, id: str, naming: Naming, sealed: Iterable[Mapping[str, Any]]) -> None:
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
                    annotations={**(metadata.get("annotations") or {}), **naming.overlay_annotation} or None,
                    labels=metadata.get("labels"),
                ),
            )
            taken.add_json_patch(JsonPatch.add("/spec", manifest["spec"]))
