"""Which Service answers for a public host: what Ingress and Gateway have in common."""

from __future__ import annotations

from constructs import Construct
from convex_k8s.backend import Backend
from convex_k8s.closed_paths import Closed
from convex_k8s.dashboard import Dashboard
from convex_k8s.naming import Naming
from convex_k8s.services import ComponentService
from convex_k8s.values.public_hosts import API_PATHS, PublicHost, Role


class Targets:
    """The Services behind the edge."""

    def __init__(self, scope: Construct, naming: Naming, backend: Backend, dashboard: Dashboard | None) -> None:
        self.backend = backend.service
        self.dashboard = dashboard.service if dashboard else None
        # The dashboard is no place for them: without a ready pod its path falls through to the backend in Traefik.
        self._metrics = Closed(scope, "closed", naming).service if naming.values.metrics else None

    def of(self, role: Role) -> tuple[ComponentService, str]:
        """The Service of a host, and the name of its port."""
        if role == "dashboard" and self.dashboard:
            return self.dashboard, "http"
        return self.backend, "http-actions" if role == "site" else "api"

    def closed(self, served: PublicHost) -> ComponentService | None:
        """Where requests for `/metrics` of a host go; None if they need no rule of their own.

        On a host that dashboard and API share they reach the dashboard already.
        """
        api_paths_only = served.role == "backend" and [entry.path for entry in served.paths] == list(API_PATHS)
        return None if served.role == "dashboard" or api_paths_only else self._metrics
