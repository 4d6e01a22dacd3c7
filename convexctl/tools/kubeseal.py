"""The user's `kubeseal`, which seals Secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexctl.errors import UserError
from convexctl.tools import run

KIND = "SealedSecret"


ANNOTATIONS = {
    "sealedsecrets.bitnami.com/managed": "true",
    "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
}
"""Annotations that reach the controller through the unsealed Secret. The Secret outlives the SealedSecret, because it
has no owner, and the controller still updates it, which it would not do without `managed`."""


@dataclass(frozen=True)
class Kubeseal:
    """How `kubeseal` finds the key to seal with: a certificate's file, or the controller in the cluster."""

    certificate: Path | None = None
    controller_name: str = ""
    """Empty: kubeseal's default."""
    controller_namespace: str = ""
    """Empty: kubeseal's default."""
    context: str = ""

    def seal(self, secret: Mapping[str, Any]) -> dict[str, Any]:
        """Seal a Secret for its name and namespace alone. Raises `UserError` if kubeseal is not there or fails."""
        metadata = {**secret["metadata"], "annotations": ANNOTATIONS}
        said = run.run(
            "kubeseal",
            ["--format=json", "--scope=strict", *self._options()],
            stdin=json.dumps({**secret, "metadata": metadata}),
            lead="kubeseal failed: ",
        )
        sealed = run.parsed(said, "kubeseal")
        if sealed_fault(sealed):
            raise UserError(f"kubeseal answered something that is not a complete {KIND}")
        return {
            "apiVersion": sealed["apiVersion"],
            "kind": sealed["kind"],
            "metadata": {key: sealed["metadata"][key] for key in ("name", "namespace")},
            "spec": {
                "encryptedData": sealed["spec"]["encryptedData"],
                "template": {
                    "metadata": {"annotations": ANNOTATIONS},
                    "type": secret["type"],
                },
            },
        }

    def _options(self) -> list[str]:
        if self.certificate:
            return [f"--cert={self.certificate}"]
        given = {
            "controller-name": self.controller_name,
            "controller-namespace": self.controller_namespace,
            "context": self.context,
        }
        return [f"--{name}={value}" for name, value in given.items() if value]


def sealed_fault(manifest: Any) -> str:
    """Why this is no SealedSecret; empty if it is one."""
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if kind == "Secret":
        return "is a Secret in plain text: take it out of the repository, and treat its values as known to others"
    group = str(manifest.get("apiVersion", "")).partition("/")[0] if isinstance(manifest, dict) else ""
    if kind != KIND or group != "bitnami.com":
        return f"must be a {KIND} of bitnami.com: only these belong into this file"
    metadata, spec = manifest.get("metadata"), manifest.get("spec")
    named = isinstance(metadata, dict) and all(isinstance(metadata.get(key), str) for key in ("name", "namespace"))
    data = spec.get("encryptedData") if isinstance(spec, dict) else None
    sealed = isinstance(data, dict) and all(isinstance(value, str) for value in data.values())
    return (
        ""
        if named and sealed
        else f"is not a complete {KIND}: it needs metadata.name, .namespace and spec.encryptedData"
    )
