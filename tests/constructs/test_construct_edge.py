"""The dashboard, and the Ingress in front of both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.overlay_cases import INGRESS, annotations_of, case, environment_of, one

TLS = "  tls: [{hosts: [api.example.com, dashboard.example.com]}]\n"


def ingress_of(overlay: str) -> dict[str, Any]:
    return one(environment_of(overlay), "Ingress")


def routes(ingress: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (rule["host"], path["path"], target["name"].removeprefix("convex-"), target["port"]["name"])
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
        for target in [path["backend"]["service"]]
    ]


def test_the_dashboard_is_told_the_api_and_nothing_else() -> None:
    deployment = one(environment_of("{}"), "Deployment")["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["name"] == "convex-dashboard"
    assert container["env"] == [
        {"name": "NEXT_PUBLIC_DEPLOYMENT_URL", "value": "http://localhost:3210"},
        {"name": "HOSTNAME", "value": "0.0.0.0"},  # noqa: S104
    ]
    assert "envFrom" not in container
    assert "volumes" not in deployment["template"]["spec"]


def test_the_dashboard_runs_as_its_own_user() -> None:
    pod = one(environment_of("{}"), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsUser": 1001,
        "runAsGroup": 1001,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_dashboard_is_probed_on_its_page() -> None:
    (container,) = one(environment_of("{}"), "Deployment")["spec"]["template"]["spec"]["containers"]
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[kind]["httpGet"] == {"path": "/", "port": "http"}


def test_the_dashboard_listens_on_another_port_when_it_is_told() -> None:
    environment = case("services").environment()
    (container,) = one(environment, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "PORT", "value": "3000"} in container["env"]
    assert container["ports"] == [{"containerPort": 3000, "name": "http", "protocol": "TCP"}]
    service = one(environment, "Service", "convex-dashboard-svc")
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"] == [{"name": "http", "port": 8082, "protocol": "TCP", "targetPort": "http"}]
    assert annotations_of(service) == {"service.example.com/internal": "true"}


def test_the_dashboard_may_have_several_pods() -> None:
    assert one(environment_of("{}"), "Deployment")["spec"]["replicas"] == 1
    assert one(case("services").environment(), "Deployment")["spec"]["replicas"] == 3


def test_the_dashboard_can_be_set_like_the_backend() -> None:
    (container,) = one(case("pods").environment(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "startupProbe" not in container
    assert container["readinessProbe"]["periodSeconds"] == 30
    assert container["resources"] == {}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    pod = one(case("placement").environment(), "Deployment")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert pod["tolerations"] == [{"operator": "Exists"}]


ROUTES = [
    pytest.param(
        "production",
        [
            ("dashboard.example.com", "/", "dashboard-svc", "http"),
            ("api.example.com", "/", "backend-svc", "api"),
        ],
        id="two hosts; HTTP actions under /http of the API",
    ),
    pytest.param(
        "ingress-site-host",
        [
            ("dashboard.example.com", "/", "dashboard-svc", "http"),
            ("api.example.com", "/", "backend-svc", "api"),
            ("site.example.com", "/", "backend-svc", "http-actions"),
        ],
        id="HTTP actions under a host of their own",
    ),
    pytest.param(
        "metrics-with-ingress",
        [
            ("dashboard.example.com", "/", "dashboard-svc", "http"),
            ("api.example.com", "/metrics", "closed", "http"),
            ("api.example.com", "/", "backend-svc", "api"),
            ("site.example.com", "/metrics", "closed", "http"),
            ("site.example.com", "/", "backend-svc", "http-actions"),
        ],
        id="metrics kept from the outside on both hosts",
    ),
]


@pytest.mark.parametrize(("name", "expected"), ROUTES)
def test_which_host_reaches_what(name: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert routes(one(case(name).environment(), "Ingress")) == expected


def test_paths_of_http_actions_are_taken_over() -> None:
    overlay = INGRESS + "  site: {host: site.example.com, paths: [{path: /hooks, pathType: Exact}, {path: /pay}]}\n"
    (*_, rule) = ingress_of(overlay)["spec"]["rules"]
    assert [(path["path"], path["pathType"]) for path in rule["http"]["paths"]] == [
        ("/hooks", "Exact"),
        ("/pay", "Prefix"),
    ]


def test_certificates_are_taken_over() -> None:
    assert one(case("chart-example").environment(), "Ingress")["spec"]["tls"] == [
        {"secretName": "convex-dashboard-tls", "hosts": ["convex-dashboard.example.com"]},
        {"secretName": "convex-backend-tls", "hosts": ["convex-backend.example.com"]},
    ]
    assert ingress_of(INGRESS + TLS)["spec"]["tls"] == [{"hosts": ["api.example.com", "dashboard.example.com"]}]
    assert "tls" not in ingress_of(INGRESS)["spec"]


NGINX = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "300",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "300",
}
CLASS = "kubernetes.io/ingress.class"
CLASSES = [
    pytest.param("", None, NGINX, id="the cluster's default class, which may be nginx"),
    pytest.param("className: traefik", "traefik", {}, id="a class"),
    pytest.param("className: nginx", "nginx", NGINX, id="nginx: body size and time-outs"),
    pytest.param("className: nginx-internal", "nginx-internal", NGINX, id="a class of nginx"),
    pytest.param("className: nginxinternal", "nginxinternal", NGINX, id="another class of nginx"),
    pytest.param(
        f"className: nginx\n  annotations: {{{CLASS}: nginx}}",
        "nginx",
        NGINX,
        id="the old annotation beside it is dropped",
    ),
    pytest.param(f"annotations: {{{CLASS}: nginx}}", None, {**NGINX, CLASS: "nginx"}, id="the old annotation alone"),
    pytest.param(f"annotations: {{{CLASS}: traefik}}", None, {CLASS: "traefik"}, id="another class by annotation"),
    pytest.param(
        'className: nginx\n  annotations: {nginx.ingress.kubernetes.io/proxy-body-size: "1g"}',
        "nginx",
        {**NGINX, "nginx.ingress.kubernetes.io/proxy-body-size": "1g"},
        id="what the overlay says wins",
    ),
]


@pytest.mark.parametrize(("lines", "class_name", "annotations"), CLASSES)
def test_class_and_annotations(lines: str, class_name: str | None, annotations: dict[str, str]) -> None:
    ingress = ingress_of(f"{INGRESS}  {lines}\n")
    assert ingress["spec"].get("ingressClassName") == class_name
    assert annotations_of(ingress) == annotations


def test_there_is_no_ingress_unless_it_is_asked_for() -> None:
    kinds = [manifest["kind"] for manifest in environment_of("{}").manifests]
    assert "Ingress" not in kinds
