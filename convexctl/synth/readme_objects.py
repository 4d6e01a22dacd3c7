"""The objects of an environment, as the pages of its README look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Objects:
    """The manifests of one environment, and the names in them that commands need."""

    def __init__(self, manifests: list[dict[str, Any]]) -> None:
        self.all = manifests
        self.namespace: str = manifests[0]["metadata"].get("namespace", "")
        self.backend = self._named("StatefulSet", "-backend")
        self.dashboard = self._named("Deployment", "-dashboard")
        self.backend_service = self._named("Service", "-backend-svc")
        self.dashboard_service = self._named("Service", "-dashboard-svc")
        self.config = self._named("ConfigMap", "-config")
        self.ingress = next((manifest for manifest in manifests if manifest["kind"] == "Ingress"), None)

    @property
    def in_namespace(self) -> str:
        """The option that kubectl needs, with a space before it; empty where the manifests name no namespace."""
        return f" -n {self.namespace}" if self.namespace else ""

    @property
    def claim(self) -> str:
        """The volume claim of the backend; empty where there is none."""
        spec = self.backend["spec"]
        for template in spec.get("volumeClaimTemplates") or []:
            return f"{template['metadata']['name']}-{self.backend['metadata']['name']}-0"
        for volume in spec["template"]["spec"]["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                return str(claim["claimName"])
        return ""

    def _named(self, kind: str, ending: str) -> dict[str, Any]:
        return next(m for m in self.all if m["kind"] == kind and m["metadata"]["name"].endswith(ending))


def name_of(manifest: Mapping[str, Any]) -> str:
    """The object's name."""
    return str(manifest["metadata"]["name"])


def port_of(service: Mapping[str, Any], name: str) -> int:
    """The number of a Service's named port."""
    return next(int(port["port"]) for port in service["spec"]["ports"] if port["name"] == name)
