"""Which host and path reach which port of which container."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour import Behaviour, Route, predict
from tests.support.convex_manifests import backend, dashboard, ingress, metadata, service

API_AND_ACTIONS: dict[str, tuple[int, object]] = {"api": (3210, "api"), "http": (3211, "actions")}
PODS = [backend(), dashboard()]
SERVICES = [service("backend", "convex", API_AND_ACTIONS), service("board", "dashboard", {"web": (80, "http")})]


def edge(*manifests: dict[str, Any]) -> Behaviour:
    return predict([*PODS, *SERVICES, *manifests])


def only_route(*manifests: dict[str, Any]) -> Route:
    (route,) = predict(manifests).routes
    return route


@pytest.mark.parametrize("target", [None, 0, "", 3210, "api"])
def test_a_service_without_a_target_leads_to_the_port_of_its_own_number(target: object) -> None:
    """Kubernetes fills in the number of the port for a target that is left out, 0 or empty."""
    to_api = service("direct", "convex", {"api": (3210, target)})
    (route,) = edge(to_api, ingress({"x.example.com": [("/", "direct", 3210)]})).routes
    assert route.target is not None
    assert (route.role, route.target.port) == ("api", 3210)


@pytest.mark.parametrize(
    ("name", "port", "role", "number"),
    [
        ("backend", 3210, "api", 3210),
        ("backend", "api", "api", 3210),
        ("backend", 3211, "http actions", 3211),
        ("backend", "http", "http actions", 3211),
        ("board", "web", "dashboard", 6791),
        ("board", 80, "dashboard", 6791),
    ],
)
def test_through_services_and_named_ports(name: str, port: object, role: str, number: int) -> None:
    (route,) = edge(ingress({"x.example.com": [("/", name, port)]})).routes
    assert route.target is not None
    assert (route.role, route.target.port, route.problem) == (role, number, "")
    assert route.source.field == "spec.rules[0].http.paths[0]"


@pytest.mark.parametrize(
    ("target", "role"),
    [
        pytest.param(3210, "api", id="by number"),
        pytest.param("api", "api", id="by name"),
        pytest.param(None, "api", id="left out: the Service's own port"),
        pytest.param("3211", "http actions", id="a number in a string"),
    ],
)
def test_target_ports(target: object, role: str) -> None:
    its_service = service("s", "convex", {"p": (3210, target)})
    assert only_route(backend(), its_service, ingress({"x": [("/", "s", "p")]})).role == role


def test_a_port_that_the_container_does_not_declare_is_still_open() -> None:
    route = only_route(
        backend(container={"ports": []}), service("s", "convex", {"p": (80, 3211)}), ingress({"x": [("/", "s", "p")]})
    )
    assert route.role == "http actions"


def test_a_declared_port_is_not_what_the_backend_listens_on() -> None:
    route = only_route(
        backend(container={"ports": [{"name": "api", "containerPort": 8080}]}),
        service("s", "convex", {"p": (80, "api")}),
        ingress({"x": [("/", "s", "p")]}),
    )
    assert route.target is not None
    assert (route.target.port, route.role) == (8080, "")


def test_the_dashboards_port_follows_its_variable() -> None:
    moved = dashboard({"PORT": "8080"}, container={"ports": [{"name": "http", "containerPort": 8080}]})
    route = only_route(moved, service("s", "dashboard", {"p": (80, "http")}), ingress({"x": [("/", "s", "p")]}))
    assert route.role == "dashboard"


@pytest.mark.parametrize(
    ("manifests", "problem"),
    [
        ([], "Service s is not among the manifests"),
        ([service("s", "convex", {"q": (80, 3210)})], "Service s has no port p"),
        (
            [service("s", "nobody", {"p": (80, 3210)})],
            "no pod among the manifests has the labels that Service s selects",
        ),
        ([service("s", "convex", {"p": (80, "web")})], "no pod that Service s selects has a port web"),
        ([service("s", "convex", {"p": (80, 3210)}, selector={})], "Service s selects no pods"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_leads_nowhere_says_why(manifests: list[dict[str, Any]], problem: str) -> None:
    route = only_route(backend(), *manifests, ingress({"x": [("/", "s", "p")]}))
    assert (route.target, route.problem) == (None, problem)


def test_a_service_in_another_namespace_is_another() -> None:
    here = ingress({"x": [("/", "s", "p")]})
    here["metadata"]["namespace"] = "a"
    there = service("s", "convex", {"p": (80, 3210)}, namespace="b")
    assert only_route(backend(namespace="a"), there, here).problem == "Service s is not among the manifests"


@pytest.mark.parametrize(
    ("hosts", "host", "tls"),
    [
        (["x.example.com"], "x.example.com", True),
        (["*.example.com"], "x.example.com", True),
        (["y.example.com"], "x.example.com", False),
        (None, "x.example.com", False),
    ],
)
def test_tls(hosts: list[str] | None, host: str, tls: bool) -> None:
    (route,) = edge(ingress({host: [("/", "backend", "api")]}, tls=hosts)).routes
    assert route.tls is tls


def test_a_default_backend_takes_every_host() -> None:
    default = {"service": {"name": "backend", "port": {"number": 3210}}}
    model = edge(ingress({}, defaultBackend=default))
    route = model.reached("anything.example.com", "/x")
    assert route is not None
    assert route.role == "api"


class TestReached:
    RULES = ingress(
        {
            "api.example.com": [("/", "backend", "api"), ("/metrics", "board", "web")],
            "*.example.com": [("/", "board", "web")],
        }
    )

    @pytest.mark.parametrize(
        ("host", "path", "role"),
        [
            ("api.example.com", "/version", "api"),
            ("api.example.com", "/metrics", "dashboard"),
            ("api.example.com", "/metrics/x", "dashboard"),
            ("api.example.com", "/metricsx", "api"),
            ("API.example.com", "/", "api"),
            ("x.example.com", "/", "dashboard"),
        ],
    )
    def test_the_exact_host_and_the_longest_path_win(self, host: str, path: str, role: str) -> None:
        route = edge(self.RULES).reached(host, path)
        assert route is not None
        assert route.role == role

    @pytest.mark.parametrize("host", ["example.com", "a.b.example.com", "example.org"])
    def test_a_wildcard_is_one_label(self, host: str) -> None:
        assert edge(self.RULES).reached(host, "/") is None

    def test_an_exact_path_is_only_itself(self) -> None:
        model = edge(ingress({"x": [("/a", "backend", "api")]}, path_type="Exact"))
        assert model.reached("x", "/a") is not None
        assert model.reached("x", "/a/b") is None


@pytest.mark.parametrize(
    ("annotations", "more", "rewrite"),
    [
        ({}, [], None),
        ({"nginx.ingress.kubernetes.io/rewrite-target": "/$2"}, [], "/$2"),
        (
            {"traefik.ingress.kubernetes.io/router.middlewares": "default-strip@kubernetescrd"},
            [{"kind": "Middleware", "metadata": metadata("strip"), "spec": {"stripPrefix": {"prefixes": ["/http"]}}}],
            "strip /http",
        ),
        (
            {"traefik.ingress.kubernetes.io/router.middlewares": "default-headers@kubernetescrd"},
            [{"kind": "Middleware", "metadata": metadata("headers"), "spec": {"headers": {}}}],
            None,
        ),
    ],
)
def test_rewrites(annotations: dict[str, str], more: list[dict[str, Any]], rewrite: str | None) -> None:
    (route,) = edge(ingress({"x": [("/http", "backend", "http")]}, annotations=annotations), *more).routes
    assert (route.rewrite and str(route.rewrite)) == rewrite


def strip(kind: str, **spec: object) -> dict[str, Any]:
    return {"kind": "Middleware", "metadata": metadata("strip"), "spec": {kind: spec}}


TRAEFIK = {"traefik.ingress.kubernetes.io/router.middlewares": "default-strip@kubernetescrd"}
NGINX = "nginx.ingress.kubernetes.io/rewrite-target"


@pytest.mark.parametrize(
    ("path", "annotations", "more", "asked", "arrives"),
    [
        pytest.param("/http", {}, [], "/http/x", "/http/x", id="nothing rewrites"),
        pytest.param("/http(/|$)(.*)", {NGINX: "/$2"}, [], "/http/x", "/x", id="nginx with groups"),
        pytest.param("/()(.*)", {NGINX: "/$2"}, [], "/api/sync", "/api/sync", id="nginx with groups at the root"),
        pytest.param("/", {NGINX: "/"}, [], "/api/sync", "/", id="nginx without groups"),
        pytest.param("/", {NGINX: "/$2"}, [], "/api/sync", "/", id="nginx with a group that is not there"),
        pytest.param("/", TRAEFIK, [strip("stripPrefix", prefixes=["/http"])], "/http/x", "/x", id="Traefik strips"),
        pytest.param("/", TRAEFIK, [strip("stripPrefix", prefixes=["/a"])], "/http/x", "/http/x", id="another prefix"),
        pytest.param("/", TRAEFIK, [strip("stripPrefixRegex", regex=["/h.."])], "/http/x", "/p/x", id="by expression"),
        pytest.param("/", TRAEFIK, [strip("replacePath", path="/y")], "/http/x", "/y", id="Traefik replaces"),
        pytest.param(
            "/",
            TRAEFIK,
            [strip("replacePathRegex", regex="^/a/(.*)", replacement="/$1")],
            "/a/x",
            "/x",
            id="Traefik replaces by expression",
        ),
        pytest.param("/", TRAEFIK, [strip("stripPrefixRegex", regex=["("])], "/x", None, id="no expression"),
        pytest.param("/", {"haproxy.org/path-rewrite": "/a /b"}, [], "/x", None, id="not known"),
    ],
)
def test_the_path_that_arrives(
    path: str, annotations: dict[str, str], more: list[dict[str, Any]], asked: str, arrives: str | None
) -> None:
    (route,) = edge(ingress({"x": [(path, "backend", "http")]}, annotations=annotations), *more).routes
    assert route.arrives(asked) == arrives


def http_route(*rules: dict[str, Any], hosts: list[str] | None = None, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata("route"),
        "spec": {
            "parentRefs": [{"name": "gateway"}],
            "rules": list(rules),
            **({"hostnames": hosts} if hosts else {}),
            **spec,
        },
    }


def gateway(*listeners: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Gateway", "metadata": metadata("gateway"), "spec": {"listeners": list(listeners)}}


def to(name: str, port: int, path: dict[str, str] | None = None, **more: object) -> dict[str, Any]:
    matches = {"matches": [{"path": path}]} if path else {}
    return {**matches, "backendRefs": [{"name": name, "port": port}], **more}


class TestGateway:
    def test_without_a_gateway_in_sight_every_host_may_lead_there(self) -> None:
        (route,) = edge(http_route(to("backend", 3210))).routes
        assert (route.host, route.role) == ("", "api")

    def test_a_rule_without_a_match_takes_every_path(self) -> None:
        (route,) = edge(http_route(to("backend", 3210), hosts=["api.example.com"])).routes
        assert (route.host, route.path, route.path_type, route.role) == ("api.example.com", "/", "Prefix", "api")
        assert route.source.field == "spec.rules[0].backendRefs[0]"

    @pytest.mark.parametrize(
        ("path", "path_type"),
        [
            ({"type": "PathPrefix", "value": "/http"}, "Prefix"),
            ({"value": "/http"}, "Prefix"),
            ({"type": "Exact", "value": "/http"}, "Exact"),
            ({"type": "RegularExpression", "value": "/http"}, "RegularExpression"),
        ],
    )
    def test_paths(self, path: dict[str, str], path_type: str) -> None:
        (route,) = edge(http_route(to("backend", 3211, path), hosts=["x"])).routes
        assert (route.path, route.path_type, route.role) == ("/http", path_type, "http actions")
        assert route.source.field == "spec.rules[0].matches[0]"

    def test_each_host_name_is_a_route(self) -> None:
        model = edge(http_route(to("backend", 3210), hosts=["a.example.com", "b.example.com"]))
        assert [route.host for route in model.routes] == ["a.example.com", "b.example.com"]

    def test_without_host_names_the_listeners_count(self) -> None:
        (route,) = edge(
            http_route(to("board", 80)), gateway({"name": "w", "hostname": "x.example.com", "protocol": "HTTPS"})
        ).routes
        assert (route.host, route.tls) == ("x.example.com", True)

    @pytest.mark.parametrize(
        ("listener", "tls"),
        [
            ({"name": "w", "protocol": "HTTPS"}, True),
            ({"name": "w", "protocol": "HTTPS", "hostname": "*.example.com"}, True),
            ({"name": "w", "protocol": "HTTPS", "hostname": "y.example.com"}, False),
            ({"name": "w", "protocol": "HTTP"}, False),
        ],
    )
    def test_tls_is_the_listeners(self, listener: dict[str, Any], tls: bool) -> None:
        (route,) = edge(http_route(to("backend", 3210), hosts=["x.example.com"]), gateway(listener)).routes
        assert route.tls is tls

    def test_a_filter_rewrites(self) -> None:
        filters = [
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
        ]
        (route,) = edge(http_route(to("backend", 3211, {"value": "/http"}, filters=filters), hosts=["x"])).routes
        assert str(route.rewrite) == "/"
        assert route.arrives("/http/x") == "/x"

    def test_a_filter_may_put_something_before(self) -> None:
        path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/http"}
        filters = [{"type": "URLRewrite", "urlRewrite": {"path": path}}]
        (route,) = edge(http_route(to("backend", 3210, filters=filters), hosts=["x"])).routes
        assert (route.arrives("/"), route.arrives("/x")) == ("/http", "/http/x")

    def test_a_filter_may_replace_it_all(self) -> None:
        filters = [{"urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/y"}}}]
        (route,) = edge(http_route(to("backend", 3210, filters=filters), hosts=["x"])).routes
        assert route.arrives("/x") == "/y"


@pytest.mark.parametrize(("type_", "roles"), [("LoadBalancer", ["api"]), ("NodePort", ["api"]), ("ClusterIP", [])])
def test_services_that_are_open_by_themselves(type_: str, roles: list[str]) -> None:
    model = predict([backend(), service("s", "convex", {"p": (80, 3210)}, type=type_)])
    assert [route.role for route in model.exposed] == roles
    assert model.reached("anything", "/") is None


def test_routes_to_a_component() -> None:
    model = edge(ingress({"a": [("/", "backend", "api")], "b": [("/", "board", "web")]}))
    assert [route.host for route in model.routes_to(model.backends[0])] == ["a"]
    assert [route.host for route in model.routes_to(model.dashboards[0])] == ["b"]


@pytest.mark.parametrize(
    ("port", "role", "problem"),
    [
        (None, "api", ""),
        ("api", "api", ""),
        (3211, "http actions", ""),
        ("gone", "", "Service backend has no port gone"),
    ],
)
def test_a_route_of_openshift(port: object, role: str, problem: str) -> None:
    spec = {
        "host": "a.example.com",
        "path": "/p",
        "to": {"name": "backend"},
        "tls": {"termination": "edge"},
        **({} if port is None else {"port": {"targetPort": port}}),
    }
    manifest = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata("r"), "spec": spec}
    (route,) = edge(manifest).routes
    assert (route.host, route.path, route.tls, route.service) == ("a.example.com", "/p", True, "backend")
    assert (route.role, route.problem, route.source.field) == (role, problem, "spec.to")


def test_a_route_of_openshift_to_several_services() -> None:
    spec = {"to": {"name": "backend"}, "alternateBackends": [{"name": "board"}, {"name": "gone"}]}
    manifest = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata("r"), "spec": spec}
    assert [(route.role, route.source.field, route.problem) for route in edge(manifest).routes] == [
        ("api", "spec.to", ""),
        ("dashboard", "spec.alternateBackends[0]", ""),
        ("", "spec.alternateBackends[1]", "Service gone is not among the manifests"),
    ]
