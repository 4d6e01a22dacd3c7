"""The Gateway API: routes, the Gateway of one's own, and what Ingress and Gateway must say alike."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.audit import audit
from convexctl.behaviour import predict
from tests.support.overlay_cases import annotations_of, case, environment_of, faults_of, one

GATEWAY = """\
postgres: {enabled: true}
gateway:
  enabled: true
  parentRefs: [{name: public}]
  dashboard: {host: dashboard.example.com}
  backend: {host: api.example.com}
"""


def routes(overlay: str) -> dict[str, Any]:
    found = (m for m in environment_of(overlay).manifests if m["kind"] == "HTTPRoute")
    return {route["metadata"]["name"]: route["spec"] for route in found}


def target(rule: dict[str, Any]) -> tuple[str, int]:
    (reference,) = rule["backendRefs"]
    return reference["name"], reference["port"]


def test_each_host_has_a_route_without_time_outs() -> None:
    found = routes(GATEWAY)
    assert {name: spec["hostnames"] for name, spec in found.items()} == {
        "convex-dashboard": ["dashboard.example.com"],
        "convex-backend": ["api.example.com"],
    }
    for spec in found.values():
        assert [(parent["kind"], parent["name"]) for parent in spec["parentRefs"]] == [("Gateway", "public")]
        assert [rule["timeouts"] for rule in spec["rules"]] == [{"request": "0s", "backendRequest": "0s"}]


def test_http_actions_avoid_the_bottleneck_unless_the_overlay_says_otherwise() -> None:
    overlay = GATEWAY + "  site: {host: site.example.com, paths: [{path: /}, {path: /hook, pathType: Exact}]}\n"
    root, hook = routes(overlay)["convex-site"]["rules"]
    assert root["filters"][0]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/http"}
    assert hook["filters"][0]["urlRewrite"]["path"] == {"type": "ReplaceFullPath", "replaceFullPath": "/http/hook"}
    assert root["backendRefs"] == hook["backendRefs"]
    assert target(root) == ("convex-backend-svc", 3210)
    (rule,) = routes(GATEWAY + "  site: {host: site.example.com, rewrite: false}\n")["convex-site"]["rules"]
    assert target(rule) == ("convex-backend-svc", 3211)
    assert "filters" not in rule


@pytest.mark.parametrize("site", ["", "  site: {host: site.example.com}\n"])
@pytest.mark.parametrize("rewrite", ["", "  site: {host: site.example.com, rewrite: false}\n"])
@pytest.mark.parametrize("dashboard", ["true", "false"])
def test_metrics_are_closed_on_every_host(site: str, rewrite: str, dashboard: str) -> None:
    overlay = (
        GATEWAY + (rewrite or site) + f"backend: {{metrics: {{enabled: true}}}}\ndashboard: {{enabled: {dashboard}}}\n"
    )
    behaviour = predict(environment_of(overlay).manifests)
    for host in {route.host for route in behaviour.routes}:
        route = behaviour.reached(host, "/metrics")
        assert route is not None
        assert route.role not in ("api", "http actions") or route.arrives("/metrics") == "/http/metrics"


def test_the_audit_finds_nothing_in_our_routes() -> None:
    for name in ("gateway", "gateway-created", "gateway-listeners", "gateway-beside-ingress", "dashboard-disabled"):
        findings = audit(case(name).environment().manifests).findings
        families = ("route", "origin", "metrics", "gateway", "sub-path", "http", "nginx")
        assert [found.rule.id for found in findings if found.rule.id.startswith(families)] == [], name


def test_a_gateway_of_ones_own_has_a_listener_for_each_host() -> None:
    gateway = one(case("gateway-created").environment(), "Gateway")
    assert annotations_of(gateway) == {
        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
        "example.com/team": "platform",
    }
    assert gateway["spec"]["gatewayClassName"] == "traefik"
    listeners = {entry["name"]: entry for entry in gateway["spec"]["listeners"]}
    assert {name: (entry["hostname"], entry["port"]) for name, entry in listeners.items()} == {
        "dashboard": ("dashboard.example.com", 443),
        "backend": ("api.example.com", 443),
    }
    assert [entry["name"] for entry in listeners["backend"]["tls"]["certificateRefs"]] == ["convex-backend-tls"]
    for route in routes_of("gateway-created"):
        assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["convex-gateway"]


def routes_of(name: str) -> list[dict[str, Any]]:
    return [m for m in case(name).environment().manifests if m["kind"] == "HTTPRoute"]


def test_plain_http_makes_a_plain_listener() -> None:
    overlay = GATEWAY.replace("parentRefs: [{name: public}]", "create: {className: lab}")
    overlay = overlay.replace("api.example.com", "api.lab, origin: 'http://api.lab'")
    listeners = one(environment_of(overlay), "Gateway")["spec"]["listeners"]
    assert {(entry["protocol"], entry["port"], "tls" in entry) for entry in listeners} == {("HTTP", 80, False)}


def test_a_certificate_elsewhere_needs_a_grant_there() -> None:
    reference = "listeners: [{name: all, tls: {certificateRefs: [{name: wildcard, namespace: certificates}]}}]"
    overlay = GATEWAY.replace("parentRefs: [{name: public}]", f"create: {{className: traefik, {reference}}}")
    grant = one(environment_of(f"{overlay}namespace: team-a\n"), "ReferenceGrant")
    assert grant["metadata"]["namespace"] == "certificates"
    assert grant["spec"] == {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "team-a"}],
        "to": [{"group": "", "kind": "Secret", "name": "wildcard"}],
    }
    assert faults_of(overlay) == [
        "test.yaml:4: gateway.create.listeners[0].tls.certificateRefs[0].namespace: needs a ReferenceGrant, which must "
        "name the environment's namespace: set namespace"
    ]


REFUSED = [
    pytest.param(
        GATEWAY.replace("  parentRefs: [{name: public}]\n", ""),
        "test.yaml:2: gateway.parentRefs: is empty, so no Gateway would serve the routes: name one, or set "
        "gateway.create.className to make one",
        id="nobody serves the routes",
    ),
    pytest.param(
        GATEWAY
        + "ingress: {enabled: true, dashboard: {host: dashboard.example.com}, backend: {host: old.example.com}}\n",
        "test.yaml:6: gateway.backend.host: is api.example.com, but ingress.backend.host is old.example.com, and both "
        "are on: they must agree",
        id="two hosts for one API",
    ),
    pytest.param(
        GATEWAY.replace("  backend: {host: api.example.com}\n", ""),
        "test.yaml:2: gateway.backend.host: is missing while gateway.enabled is true: set the public host name of the "
        "API, here or in ingress.backend.host",
        id="no host",
    ),
    pytest.param(
        GATEWAY.replace(
            "parentRefs: [{name: public}]", "create: {className: c, listeners: [{name: a, hostname: b.c}]}"
        ),
        "test.yaml:4: gateway.create.listeners: has no listener that takes dashboard.example.com: add one, or leave "
        "listeners out",
        id="a host that no listener takes",
    ),
    *(
        pytest.param(
            GATEWAY.replace("parentRefs: [{name: public}]", f"create: {{className: c, listeners: [{listeners}]}}"),
            f"test.yaml:4: gateway.create.listeners[1].{message}",
            id=id,
        )
        for listeners, message, id in (
            (
                "{name: a}, {name: b}",
                "port: has the same host and port as listener a: remove one of them",
                "two listeners for every host",
            ),
            (
                "{name: a, hostname: '*.example.com'}, {name: b, hostname: '*.example.com'}",
                "hostname: has the same host and port as listener a: remove one of them",
                "two listeners for one host",
            ),
            (
                "{name: a}, {name: b, port: 443, protocol: HTTP}",
                "port: is 443, which listener a has with protocol HTTPS: a port has one protocol",
                "two protocols on one port",
            ),
        )
    ),
]


@pytest.mark.parametrize(("overlay", "message"), REFUSED)
def test_refused(overlay: str, message: str) -> None:
    assert message in faults_of(overlay)
