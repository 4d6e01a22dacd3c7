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
        self.dashboard = self._found("Deployment", "-dashboard")
        """None if the environment has no dashboard."""
        self.backend_service = self._named("Service", "-backend-svc")
        self.dashboard_service = self._found("Service", "-dashboard-svc")
        self.config = self._named("ConfigMap", "-config")
        self.ingresses = [manifest for manifest in manifests if manifest["kind"] == "Ingress"]
        self.http_routes = [manifest for manifest in manifests if manifest["kind"] == "HTTPRoute"]
        self.gateways = [manifest for manifest in manifests if manifest["kind"] == "Gateway"]

    @property
    def clusters(self) -> list[dict[str, Any]]:
        """The database servers that the environment makes, by CloudNativePG."""
        return [
            each
            for each in self.all
            if each["apiVersion"].startswith("postgresql.cnpg.io/") and each["kind"] == "Cluster"
        ]

    @property
    def in_namespace(self) -> str:
        """The option that kubectl needs, with a space before it; empty if the manifests name no namespace."""
        return f" -n {self.namespace}" if self.namespace else ""

    @property
    def claim(self) -> str:
        """The volume claim of the backend; empty if there is none."""
        spec = self.backend["spec"]
        for template in spec.get("volumeClaimTemplates") or []:
            return f"{template['metadata']['name']}-{self.backend['metadata']['name']}-0"
        for volume in spec["template"]["spec"]["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                return str(claim["claimName"])
        return ""

    @property
    def edge(self) -> list[dict[str, Any]]:
        """The Ingresses and HTTPRoutes."""
        return [*self.ingresses, *self.http_routes]

    def holds(self, kind: str, name: str) -> bool:
        """Whether the object is among the manifests."""
        return any(manifest["kind"] == kind and name_of(manifest) == name for manifest in self.all)

    def _named(self, kind: str, ending: str) -> dict[str, Any]:
        found = self._found(kind, ending)
        if found is None:
            raise LookupError(f"no {kind} {ending} among the manifests")
        return found

    def _found(self, kind: str, ending: str) -> dict[str, Any] | None:
        named = (m for m in self.all if m["kind"] == kind and m["metadata"]["name"].endswith(ending))
        return next(named, None)


def name_of(manifest: Mapping[str, Any]) -> str:
    """The object's name."""
    return str(manifest["metadata"]["name"])


def port_of(service: Mapping[str, Any], name: str) -> int:
    """The number of a Service's named port."""
    return next(int(port["port"]) for port in service["spec"]["ports"] if port["name"] == name)
