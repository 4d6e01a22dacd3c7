"""Rules and Middlewares of Traefik's IngressRoute."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour import Behaviour, predict
from convexctl.behaviour.model import Route
from convexctl.behaviour.traefik_match import LONGEST, MOST, alternatives
from tests.support.convex_manifests import backend, metadata, service

A, B, X = "Host(`a`)", "Host(`b`)", "PathPrefix(`/x`)"
SERVICES = [service("api", "convex", {"api": (3210, "api"), "http": (3211, "actions")})]
NOT_READ = "a rule of the IngressRoute is not read in full"


def read(rule: str) -> list[list[str]] | None:
    """The alternatives of a rule, each matcher as `!name argument,argument`."""
    found = alternatives(rule)
    if found is None:
        return None
    return [[f"{'!' * one.negated}{one.name} {','.join(one.arguments)}" for one in each] for each in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (f"{A} && {X}", [["host a", "pathprefix /x"]]),
        (f"{A}||{B}", [["host a"], ["host b"]]),
        ('Host(`a`, "b")', [["host a,b"]]),
        (f"({A} || {B}) && {X}", [["host a", "pathprefix /x"], ["host b", "pathprefix /x"]]),
        (f"{A} || {B} && {X}", [["host a"], ["host b", "pathprefix /x"]]),
        (f"!({A} || {X})", [["!host a", "!pathprefix /x"]]),
        (f"!({A} && {X})", [["!host a"], ["!pathprefix /x"]]),
        (f"!!{A}", [["host a"]]),
        (f"{A} && !{X}", [["host a", "!pathprefix /x"]]),
        ("PathRegexp(`/(a|b)`)", [["pathregexp /(a|b)"]]),
    ],
)
def test_a_rule(rule: str, expected: list[list[str]]) -> None:
    assert read(rule) == expected


@pytest.mark.parametrize(
    "rule",
    ["", "Host(`a`", f"({A}", f"{A})", f"{A} &&", f"&& {A}", f"{A} {B}", f"{A} & {B}", "!", "()", "/x"],
)
def test_a_rule_that_is_none(rule: str) -> None:
    assert read(rule) is None


def test_the_bounds_of_a_rule() -> None:
    longest = A + " " * (LONGEST - len(A))
    assert read(longest) == [["host a"]]
    assert read(f"{longest} ") is None
    assert len(alternatives(" || ".join([A] * MOST)) or ()) == MOST
    assert read(" || ".join([A] * (MOST + 1))) is None
    assert read(" && ".join([f"({A} || {B})"] * 7)) is None
    assert read("(" * 16 + A + ")" * 16) == [["host a"]]
    assert read("!" * 16 + A) == [["host a"]]
    assert read("!" * 17 + A) is None
    assert read("(" * 17 + A + ")" * 17) is None


def ingress_route(rule: str, *middlewares: str, spec: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    route = {"match": rule, "services": [{"name": "api", "port": 3210}], **more}
    if middlewares:
        route["middlewares"] = [{"name": name} for name in middlewares]
    kind = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute"}
    return {**kind, "metadata": metadata("edge"), "spec": {"routes": [route], **(spec or {})}}


def middleware(name: str, **spec: object) -> dict[str, Any]:
    return {"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": metadata(name), "spec": spec}


def edge(*manifests: dict[str, Any]) -> Behaviour:
    return predict([backend(), *SERVICES, *manifests])


def only_route(*manifests: dict[str, Any]) -> Route:
    (route,) = edge(*manifests).routes
    return route


def test_every_host_and_path_of_a_rule_is_a_route() -> None:
    found = edge(ingress_route("Host(`a`, `b`) && (PathPrefix(`/x`) || Path(`/y`))")).routes
    assert [(route.host, route.path, route.path_type) for route in found] == [
        ("a", "/x", "Prefix"),
        ("b", "/x", "Prefix"),
        ("a", "/y", "Exact"),
        ("b", "/y", "Exact"),
    ]
    assert {route.role for route in found} == {"api"}


@pytest.mark.parametrize(
    ("path", "takes"), [("/x", True), ("/x/1", True), ("/", False), ("/x/private", False), ("/x/private/1", False)]
)
def test_a_path_that_is_left_out(path: str, takes: bool) -> None:
    route = only_route(ingress_route(f"{A} && {X} && !PathPrefix(`/x/private`)"))
    assert route.takes(path) is takes


@pytest.mark.parametrize(
    ("expression", "path", "takes"),
    [
        ("^/api/v[0-9]+$", "/api/v12", True),
        ("^/api/v[0-9]+$", "/api/v", False),
        ("^/(a+)+$", "/aaa", False),
        ("^/[", "/", False),
        ("^/a*b*c*d*$", "/abcd", True),
        ("^/a*b*c*d*e*$", "/abcde", False),
    ],
    ids=["fits", "does not", "may take for ever", "is no expression", "four repeats", "five repeats"],
)
def test_a_path_by_an_expression(expression: str, path: str, takes: bool) -> None:
    assert only_route(ingress_route(f"{A} && PathRegexp(`{expression}`)")).takes(path) is takes


@pytest.mark.parametrize(
    "rule",
    [
        f"{A} && Method(`POST`)",
        f"!{A}",
        "HostRegexp(`.*`)",
        "Host()",
        f"{A} && ClientIP(`10.0.0.0/8`) || {B}",
        f"{A} &&",
    ],
)
def test_a_rule_that_hangs_on_more_is_told_and_not_read(rule: str) -> None:
    model = edge(ingress_route(rule))
    assert model.routes == ()
    assert [unread.what for unread in model.unread] == [NOT_READ]


def test_a_service_of_traefiks_own_is_told() -> None:
    services = [{"name": "mirror", "kind": "TraefikService"}, {"name": "api", "port": "http"}]
    model = edge(ingress_route(A, services=services))
    assert [unread.what for unread in model.unread] == ["TraefikService is not read"]
    assert [route.role for route in model.routes] == ["http actions"]


@pytest.mark.parametrize(
    ("spec", "tls", "known"),
    [
        ({}, False, True),
        ({"tls": {}}, True, True),
        ({"entryPoints": ["web"]}, False, True),
        ({"entryPoints": ["websecure"]}, False, False),
    ],
)
def test_tls(spec: dict[str, Any], tls: bool, known: bool) -> None:
    route = only_route(ingress_route(A, spec=spec))
    assert (route.tls, route.tls_known) == (tls, known)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"stripPrefix": {"prefixes": ["/no", "/x"]}}, "/1"),
        ({"stripPrefixRegex": {"regex": ["/[a-z]"]}}, "/1"),
        ({"replacePath": {"path": "/y"}}, "/y"),
        ({"replacePathRegex": {"regex": "^/x/(.*)", "replacement": "/http/$1"}}, "/http/1"),
        ({"addPrefix": {"prefix": "/y"}}, None),
        ({"plugin": {"mine": {}}}, None),
        ({"compress": {}}, "/x/1"),
        ({"chain": {"middlewares": [{"name": "inner"}]}}, "/inner"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_a_middleware_makes_of_a_path(spec: dict[str, Any], path: str | None) -> None:
    inner = middleware("inner", replacePath={"path": "/inner"})
    route = only_route(ingress_route(f"{A} && {X}", "m"), middleware("m", **spec), inner)
    assert route.arrives("/x/1") == path


def test_what_cannot_be_known_of_middlewares() -> None:
    strip = middleware("strip", stripPrefix={"prefixes": ["/x"]})
    replace = middleware("replace", replacePath={"path": "/y"})
    assert only_route(ingress_route(A, "strip", "replace"), strip, replace).arrives("/x/1") is None
    assert only_route(ingress_route(A, "out-of-sight")).arrives("/x/1") is None
    circle = middleware("circle", chain={"middlewares": [{"name": "circle"}]})
    assert only_route(ingress_route(A, "circle"), circle).arrives("/x/1") == "/x/1"


@pytest.mark.parametrize(
    ("spec", "filters"),
    [
        ({"basicAuth": {"secret": "s"}}, ("a login (Middleware m)",)),
        ({"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}}, ("an allow-list (Middleware m)",)),
        ({"headers": {"accessControlAllowHeaders": ["*"]}}, ()),
        ({"headers": {"accessControlAllowHeaders": ["Convex-Client"]}}, ()),
        ({"headers": {"accessControlAllowOriginList": ["*"]}}, ()),
        (
            {"headers": {"accessControlAllowHeaders": ["X-Mine"]}},
            ("a CORS filter without the header Convex-Client (Middleware m)",),
        ),
    ],
)
def test_what_stands_before_the_service(spec: dict[str, Any], filters: tuple[str, ...]) -> None:
    assert only_route(ingress_route(A, "m"), middleware("m", **spec)).filters == filters


@pytest.mark.parametrize(
    ("port", "pod", "ports"),
    [
        ({"containerPort": 3210, "hostPort": 80}, {}, [(80,)]),
        ({"containerPort": 3210}, {}, []),
        ({"containerPort": 3210}, {"hostNetwork": True}, [(3210,)]),
        ({"containerPort": 3210, "hostPort": 80, "hostIP": "127.0.0.1"}, {}, []),
    ],
    ids=["a port of the node", "none", "the node's network", "of the node alone"],
)
def test_ports_of_the_node_are_open_by_themselves(
    port: dict[str, Any], pod: dict[str, Any], ports: list[tuple[int, ...]]
) -> None:
    model = predict([backend(pod=pod, container={"ports": [port]})])
    assert [route.ports for route in model.exposed] == ports


def test_a_port_of_the_node_that_leads_to_another_container() -> None:
    manifest = backend()
    proxy = {"name": "proxy", "image": "nginx:1", "ports": [{"containerPort": 80, "hostPort": 80}]}
    manifest["spec"]["template"]["spec"]["containers"].append(proxy)
    assert predict([manifest]).exposed == ()
