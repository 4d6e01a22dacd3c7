"""Which public URLs an environment has, and where each of them is written."""

from __future__ import annotations

import pytest
from convex_k8s.origins import Origins

from tests.support.overlay_cases import CASES, INGRESS, Case, environment_of, one, overlay_of

ORIGINS = [
    pytest.param("{}", "http://localhost:3210", "http://localhost:3211", "http://localhost:3210", id="nothing set"),
    pytest.param(
        "convexConfig: {cloudOrigin: 'https://a.example', siteOrigin: 'https://b.example', deploymentUrl: 'http://c:1'}",
        "https://a.example",
        "https://b.example",
        "http://c:1",
        id="each set",
    ),
    pytest.param(
        "convexConfig: {siteOrigin: 'https://a.example/http'}",
        "http://localhost:3210",
        "https://a.example/http",
        "http://localhost:3210",
        id="HTTP actions under /http",
    ),
    pytest.param(
        INGRESS,
        "https://api.example.com",
        "https://api.example.com/http",
        "https://api.example.com",
        id="Ingress: HTTP actions under the API's host, never the dashboard's",
    ),
    pytest.param(
        INGRESS + "  site: {host: site.example.com}\n",
        "https://api.example.com",
        "https://site.example.com",
        "https://api.example.com",
        id="Ingress with a host for HTTP actions",
    ),
    pytest.param(
        INGRESS + "convexConfig: {cloudOrigin: 'http://x', siteOrigin: 'http://x', deploymentUrl: 'http://x'}\n",
        "https://api.example.com",
        "https://api.example.com/http",
        "https://api.example.com",
        id="Ingress: what is said for the time without it does not count",
    ),
    pytest.param(
        INGRESS.replace("enabled: true\n  dash", "enabled: false\n  dash"),
        "http://localhost:3210",
        "http://localhost:3211",
        "http://localhost:3210",
        id="hosts of an Ingress that is off do not count",
    ),
]


@pytest.mark.parametrize(("overlay", "cloud", "site", "deployment"), ORIGINS)
def test_origins(overlay: str, cloud: str, site: str, deployment: str) -> None:
    assert Origins.of(overlay_of(overlay).values) == Origins(cloud, site, deployment)


@pytest.mark.parametrize(("overlay", "cloud", "site", "deployment"), ORIGINS)
def test_backend_and_dashboard_are_told(overlay: str, cloud: str, site: str, deployment: str) -> None:
    environment = environment_of(overlay)
    config = one(environment, "ConfigMap")["data"]
    assert config["CONVEX_CLOUD_ORIGIN"] == cloud
    assert config["CONVEX_SITE_ORIGIN"] == site
    (container,) = one(environment, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {variable["name"]: variable["value"] for variable in container["env"]} == {
        "NEXT_PUBLIC_DEPLOYMENT_URL": deployment,
        "HOSTNAME": "0.0.0.0",  # noqa: S104
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_cloud_origin_never_has_a_path_or_a_slash_at_the_end(case: Case) -> None:
    origins = Origins.of(case.overlay().values)
    for origin in (origins.cloud, origins.deployment, origins.site.removesuffix("/http")):
        assert origin.count("/") == 2
