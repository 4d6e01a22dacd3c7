"""Where a real Ingress controller takes the requests for the hosts of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployment import make_prerequisites, write_files
from tests.support.edge import Edge
from tests.support.overlay_cases import case

API, ACTIONS, DASHBOARD = 3210, 3211, 6791
NOWHERE = 0
API_HOST, SITE_HOST, DASHBOARD_HOST = "api.example.com", "site.example.com", "dashboard.example.com"

ROUTES = {
    "production": [
        (API_HOST, "/", API),
        (API_HOST, "/version", API),
        (API_HOST, "/api/1.36.0/sync", API),
        (API_HOST, "/http/hello", API),
        (DASHBOARD_HOST, "/", DASHBOARD),
        (DASHBOARD_HOST, "/_next/static/app.js", DASHBOARD),
        (SITE_HOST, "/hello", NOWHERE),
        ("example.com", "/", NOWHERE),
    ],
    "ingress-site-host": [
        (API_HOST, "/version", API),
        (SITE_HOST, "/", ACTIONS),
        (SITE_HOST, "/hello", ACTIONS),
        (SITE_HOST, "/http/hello", ACTIONS),
        (DASHBOARD_HOST, "/", DASHBOARD),
        ("example.com", "/", NOWHERE),
    ],
    "metrics-with-ingress": [
        (API_HOST, "/version", API),
        (API_HOST, "/metrics", NOWHERE),
        (API_HOST, "/http/metrics", API),
        (SITE_HOST, "/hello", ACTIONS),
        (SITE_HOST, "/metrics", NOWHERE),
        (DASHBOARD_HOST, "/metrics", DASHBOARD),
    ],
}
"""Which port of a pod a request reaches, by case, host and path."""

SPELLINGS = [
    "/metrics",
    "/metrics/",
    "/metrics?format=text",
    "/metrics/../metrics",
    "//metrics",
    "/./metrics",
    "/http/../metrics",
    "/%6detrics",
    "/http/%2e%2e/metrics",
    "/;/../metrics",
]
"""Ways to ask for `/metrics`, of which an HTTP server may make the same path."""


@pytest.fixture(scope="module", params=ROUTES)
def served(request: pytest.FixtureRequest, edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The environment of a case behind the edge."""
    environment = case(request.param).environment()
    folder = write_files(environment, Path(tmp_path_factory.mktemp(request.param)))
    namespace = edge.cluster.namespace()
    make_prerequisites(edge.cluster, namespace, environment.manifests)
    edge.cluster.kubectl("apply", "--namespace", namespace, "--filename", folder)
    edge.serve(namespace)
    yield request.param
    edge.leave(namespace)


def test_requests_reach_the_port_that_is_theirs(served: str, edge: Edge) -> None:
    reached = [(host, path, edge.get(host, path).port) for host, path, _ in ROUTES[served]]
    assert reached == ROUTES[served]


def test_paths_and_hosts_arrive_as_they_were_asked_for(served: str, edge: Edge) -> None:
    for host, path, port in ROUTES[served]:
        if port != NOWHERE:
            answer = edge.get(host, path)
            assert (answer.path, answer.headers["host"]) == (path, host)
            assert answer.headers["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("served", ["metrics-with-ingress"], indirect=True)
def test_no_way_to_write_metrics_reaches_the_backend(served: str, edge: Edge, path: str) -> None:
    for host in (API_HOST, SITE_HOST):
        answer = edge.get(host, path)
        assert answer.port in (DASHBOARD, NOWHERE), f"{host}{path} reaches {answer.port}{answer.path}"
