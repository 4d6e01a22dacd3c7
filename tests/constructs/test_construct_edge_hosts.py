"""A private dashboard, hosts with settings of their own, one host for all, and the public URLs."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour import predict
from tests.support.overlay_cases import INGRESS, annotations_of, case, environment_of, faults_of, one, overlay_of

DATABASE = "postgres: {enabled: true}\n"
PRIVATE = DATABASE + "ingress: {enabled: true, dashboard: {enabled: false}, backend: {host: api.example.com}}\n"


def kinds(overlay: str) -> set[tuple[str, str]]:
    return {(m["kind"], m["metadata"]["name"]) for m in environment_of(overlay).manifests}


def test_without_a_dashboard_none_of_its_objects_is_made() -> None:
    gone = kinds("{}") - kinds("dashboard: {enabled: false}")
    assert gone == {("Deployment", "convex-dashboard"), ("Service", "convex-dashboard-svc")}


def test_without_a_dashboard_nothing_speaks_of_one() -> None:
    for name in ("dashboard-disabled",):
        page = case(name).environment().files["README.md"]
        assert "dashboard" not in page.replace(f"# {name}", "").replace(f"dist/{name}", "").replace(name, "").lower()


def test_the_tag_of_a_dashboard_that_is_off_does_not_count() -> None:
    overlay = "postgres: {enabled: true}\nbackend: {image: {tag: aaa}}\n"
    assert overlay_of(overlay + "dashboard: {enabled: false}\n").warnings == []
    assert len(overlay_of(overlay).warnings) == 1


def test_a_private_dashboard_runs_and_has_no_rule() -> None:
    ingress = one(environment_of(PRIVATE), "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["api.example.com"]
    assert one(environment_of(PRIVATE), "Deployment")["spec"]["replicas"] == 1
    page = environment_of(PRIVATE).files["README.md"]
    assert "kubectl port-forward svc/convex-dashboard-svc 6791:80" in page
    assert "| dashboard | <http://localhost:6791> |" in page


def test_metrics_are_closed_without_a_dashboard() -> None:
    environment = case("dashboard-disabled").environment()
    route = predict(environment.manifests).reached("api.example.com", "/metrics")
    assert route is not None
    assert (route.service, route.role, route.target and route.target.port) == ("convex-closed", "", 9)


def test_settings_of_one_host_concern_no_other() -> None:
    environment = case("ingress-per-host").environment()
    dashboard = one(environment, "Ingress", "convex-ingress-dashboard")
    rest = one(environment, "Ingress", "convex-ingress")
    login = "nginx.ingress.kubernetes.io/auth-url"
    assert login in dashboard["metadata"]["annotations"]
    assert login not in rest["metadata"]["annotations"]
    assert dashboard["spec"]["ingressClassName"] == "nginx-internal"
    assert rest["spec"]["ingressClassName"] == "traefik"
    assert dashboard["spec"]["tls"] == [{"secretName": "dashboard-tls", "hosts": ["dashboard.example.com"]}]
    assert rest["spec"]["tls"] == [{"secretName": "api-tls", "hosts": ["api.example.com"]}]


@pytest.mark.parametrize("role", ["dashboard", "backend", "site"])
def test_each_host_may_have_an_object_of_its_own(role: str) -> None:
    overlay = INGRESS.replace(f"  {role}: {{", f"  {role}: {{className: own, ")
    if role == "site":
        overlay += "  site: {host: site.example.com, className: own}\n"
    own = one(environment_of(overlay), "Ingress", f"convex-ingress-{role}")
    rest = one(environment_of(overlay), "Ingress", "convex-ingress")
    assert [rule["host"] for rule in own["spec"]["rules"]] == [f"{'api' if role == 'backend' else role}.example.com"]
    assert own["spec"]["rules"] != rest["spec"]["rules"]
    assert "ingressClassName" not in rest["spec"]


def test_a_certificate_for_several_hosts_is_named_by_each_object_that_has_one_of_them() -> None:
    overlay = INGRESS.replace("dashboard: {", "dashboard: {className: own, ")
    overlay += "  tls: [{secretName: all, hosts: ['*.example.com']}]\n"
    ingresses = [m for m in environment_of(overlay).manifests if m["kind"] == "Ingress"]
    assert [m["spec"]["tls"] for m in ingresses] == [[{"secretName": "all", "hosts": ["*.example.com"]}]] * 2


ONE_HOST = [
    ("/", "dashboard"),
    ("/deployments", "dashboard"),
    ("/metrics", "dashboard"),
    ("/api/sync", "api"),
    ("/api/1.2.3/sync", "api"),
    ("/http/hook", "api"),
    ("/version", "api"),
    ("/instance_name", "api"),
]


@pytest.mark.parametrize("name", ["ingress-one-host", "gateway-beside-ingress"])
@pytest.mark.parametrize(("path", "role"), ONE_HOST)
def test_one_host_for_all(name: str, path: str, role: str) -> None:
    manifests = case(name).environment().manifests
    for kind in ("Ingress", "HTTPRoute"):
        behaviour = predict([m for m in manifests if m["kind"] not in {"Ingress", "HTTPRoute"} - {kind}])
        route = behaviour.reached("convex.example.com", path)
        if any(m["kind"] == kind for m in manifests):
            assert route is not None
            assert (route.role, route.arrives(path)) == (role, path)


def test_the_origins_of_one_host() -> None:
    assert origins(case("ingress-one-host").environment()) == {
        "CONVEX_CLOUD_ORIGIN": "https://convex.example.com",
        "CONVEX_SITE_ORIGIN": "https://convex.example.com/http",
        "NEXT_PUBLIC_DEPLOYMENT_URL": "https://convex.example.com",
    }


def origins(environment: Any) -> dict[str, str]:
    data = one(environment, "ConfigMap")["data"]
    (container,) = one(environment, "Deployment")["spec"]["template"]["spec"]["containers"]
    (url,) = [item["value"] for item in container["env"] if item["name"] == "NEXT_PUBLIC_DEPLOYMENT_URL"]
    return {
        "CONVEX_CLOUD_ORIGIN": data["CONVEX_CLOUD_ORIGIN"],
        "CONVEX_SITE_ORIGIN": data["CONVEX_SITE_ORIGIN"],
        "NEXT_PUBLIC_DEPLOYMENT_URL": url,
    }


ORIGINS = [
    pytest.param("backend: {origin: 'https://api.example.com:8443'}", "https://api.example.com:8443", None, id="port"),
    pytest.param("backend: {origin: 'http://api.lab'}", "http://api.lab", None, id="plain http"),
    pytest.param(
        "site: {origin: 'https://hooks.example.net'}", "https://api.example.com", "https://hooks.example.net", id="CDN"
    ),
    pytest.param(
        "site: {host: site.example.com, origin: 'https://cdn.example.net/http'}",
        "https://api.example.com",
        "https://cdn.example.net/http",
        id="a path /http",
    ),
]


@pytest.mark.parametrize("edge", ["ingress", "gateway"])
@pytest.mark.parametrize(("lines", "cloud", "site"), ORIGINS)
def test_origins_that_are_not_the_hosts(edge: str, lines: str, cloud: str, site: str | None) -> None:
    if lines.startswith("backend"):
        lines = lines.replace("{", "{host: api.example.com, ")
        hosts = f"dashboard: {{host: dashboard.example.com}}, {lines}"
    else:
        hosts = f"dashboard: {{host: dashboard.example.com}}, backend: {{host: api.example.com}}, {lines}"
    parents = ", parentRefs: [{name: public}]" if edge == "gateway" else ""
    found = origins(environment_of(f"{DATABASE}{edge}: {{enabled: true, {hosts}{parents}}}\n"))
    assert found["CONVEX_CLOUD_ORIGIN"] == found["NEXT_PUBLIC_DEPLOYMENT_URL"] == cloud
    assert found["CONVEX_SITE_ORIGIN"] == site or f"{cloud}/http"


CERTIFICATES = [
    ("clusterIssuer: ca", {"cert-manager.io/cluster-issuer": "ca"}),
    ("issuer: ca", {"cert-manager.io/issuer": "ca"}),
]


@pytest.mark.parametrize(("line", "annotations"), CERTIFICATES)
def test_cert_manager_makes_the_certificates(line: str, annotations: dict[str, str]) -> None:
    overlay = INGRESS.replace("dashboard: {", "dashboard: {className: traefik, ")
    overlay += f"  className: traefik\n  certManager: {{{line}}}\n"
    shared = one(environment_of(overlay), "Ingress", "convex-ingress")
    own = one(environment_of(overlay), "Ingress", "convex-ingress-dashboard")
    assert annotations_of(shared) == annotations_of(own) == annotations
    assert shared["spec"]["tls"] == [{"secretName": "convex-tls", "hosts": ["api.example.com"]}]
    assert own["spec"]["tls"] == [{"secretName": "convex-dashboard-tls", "hosts": ["dashboard.example.com"]}]
    assert not any("ingress.tls" in warning for warning in overlay_of(overlay).warnings)


CONTROLLERS = [
    ("haproxy", "haproxy.org/timeout-server", "300s"),
    ("haproxy", "haproxy-ingress.github.io/timeout-server", "300s"),
    ("alb", "alb.ingress.kubernetes.io/load-balancer-attributes", "idle_timeout.timeout_seconds=300"),
    ("alb", "alb.ingress.kubernetes.io/target-type", "ip"),
]


@pytest.mark.parametrize(("class_name", "key", "value"), CONTROLLERS)
def test_what_a_controller_needs_is_set_unless_the_overlay_says_otherwise(
    class_name: str, key: str, value: str
) -> None:
    overlay = f"{INGRESS}  className: {class_name}\n"
    assert one(environment_of(overlay), "Ingress")["metadata"]["annotations"][key] == value
    otherwise = f"{overlay}  annotations: {{{key}: mine}}\n"
    assert one(environment_of(otherwise), "Ingress")["metadata"]["annotations"][key] == "mine"


WARNED = [
    pytest.param(
        INGRESS + "  annotations: {nginx.ingress.kubernetes.io/auth-url: 'https://login.example.com'}\n",
        '6: ingress.annotations["nginx.ingress.kubernetes.io/auth-url"]: covers the API\'s host api.example.com',
        id="a login for all",
    ),
    pytest.param(
        INGRESS.replace("backend: {", "backend: {annotations: {haproxy.org/allow-list: 10.0.0.0/8}, "),
        '5: ingress.backend.annotations["haproxy.org/allow-list"]: covers the API\'s host api.example.com',
        id="an allow-list for the API",
    ),
    pytest.param(
        INGRESS.replace("dashboard.example.com", "example.com"),
        "4: ingress.dashboard.host: is an apex: the dashboard sends HSTS",
        id="the dashboard at the apex",
    ),
    pytest.param(
        INGRESS.replace("enabled: true\n", "enabled: false\n").replace("dashboard.example.com", "example.com")
        + "gateway: {enabled: true, parentRefs: [{name: g}]}\n",
        "4: ingress.dashboard.host: is an apex: the dashboard sends HSTS",
        id="at the apex, for a Gateway that takes its host over",
    ),
]


@pytest.mark.parametrize(("overlay", "warning"), WARNED)
def test_warned_about(overlay: str, warning: str) -> None:
    assert [text for text in overlay_of(overlay).warnings if text.startswith(f"test.yaml:{warning}")]


def test_a_certificate_is_not_missed_where_the_world_knows_plain_http() -> None:
    overlay = INGRESS.replace("backend: {", "backend: {origin: 'http://api.example.com', ")
    assert not any("ingress.tls" in text for text in overlay_of(overlay).warnings)


def test_a_login_for_the_dashboard_alone_is_not_warned_about() -> None:
    key = "nginx.ingress.kubernetes.io/auth-url: 'https://login.example.com'"
    overlay = INGRESS.replace("dashboard: {", f"dashboard: {{annotations: {{{key}}}, ")
    assert not any("locks clients" in text for text in overlay_of(overlay).warnings)


REFUSED = [
    pytest.param(
        INGRESS + "  certManager: {issuer: a, clusterIssuer: b}\n",
        "test.yaml:6: ingress.certManager.issuer: is set beside clusterIssuer, and a certificate has one issuer: "
        "remove one of them",
        id="two issuers",
    ),
    pytest.param(
        INGRESS + "  certManager: {issuer: a}\n  annotations: {cert-manager.io/issuer: a}\n",
        'test.yaml:7: ingress.annotations["cert-manager.io/issuer"]: says what ingress.certManager says: remove one',
        id="an issuer said twice",
    ),
    pytest.param(
        INGRESS.replace("backend: {", "backend: {origin: 'https://api.example.com/x', "),
        "test.yaml:5: ingress.backend.origin: must be an origin without a path: write https://api.example.com",
        id="an API under a path",
    ),
    pytest.param(
        INGRESS.replace("dashboard: {", "dashboard: {tls: [{hosts: [api.example.com]}], "),
        "test.yaml:4: ingress.dashboard.tls[0].hosts[0]: has no rule that serves api.example.com: the hosts are "
        "dashboard.example.com",
        id="a certificate of another host",
    ),
]


@pytest.mark.parametrize(("overlay", "message"), REFUSED)
def test_refused(overlay: str, message: str) -> None:
    assert faults_of(overlay) == [message]
