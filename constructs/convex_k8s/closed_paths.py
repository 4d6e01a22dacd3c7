"""Where the edge sends what it must not serve."""

from __future__ import annotations

from constructs import Construct
from convex_k8s.naming import Naming
from convex_k8s.services import ComponentService, Port

CLOSED_PORT = 9
"""A port of the backend's pod on which nothing listens."""


class Closed(Construct):
    """The Service `<release>-closed`: the edge answers 502 or 503 for what it sends there.

    It selects the backend's pod, so that it has endpoints as long as the backend has some: a controller that leaves
    out rules without endpoints would let the path fall through to the backend.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self.service = ComponentService(
            self, "service", naming, "closed", "backend", [Port("http", 80, CLOSED_PORT)], headless=False
        )
