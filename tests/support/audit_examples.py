"""The examples of the audit's rules as manifests: the short form of `convexctl/audit/examples.yaml`, written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.convex_manifests import S3, Object, backend, dashboard, ingress, service

_IDENTITY = ("kind", "name", "namespace")
_WORKLOAD = ("replicas", "strategy", "volumeClaimTemplates")
_POD = (
    *("automountServiceAccountToken", "hostNetwork", "serviceAccountName", "shareProcessNamespace"),
    *("terminationGracePeriodSeconds", "volumes"),
)
_MAKERS = {"backend": backend, "dashboard": dashboard}
_PORTS = {3210: ("api", "api"), 3211: ("api", "http"), 6791: ("board", "web")}
_SERVICES = [
    service("api", "convex", {"api": (3210, 3210), "http": (3211, 3211), "other": (8080, 8080)}),
    service("board", "dashboard", {"web": (6791, 6791)}),
]


def manifests(example: str) -> list[Object]:
    """The manifests that an example stands for."""
    given: dict[str, Any] = yaml.safe_load(example)
    workloads = [
        _workload(component, fields) for component in _MAKERS for fields in _listed(given.pop(component, None))
    ]
    edges = [_ingress(**edge) for edge in _listed(given.pop("ingress", None))]
    objects = given.pop("objects", [])
    assert not given, f"the short form has no {', '.join(given)}"
    return [*workloads, *_SERVICES, *edges, *objects]


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def _workload(component: str, fields: Mapping[str, Any]) -> Object:
    def some(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name in names}

    elsewhere = ("env", "buckets", *_IDENTITY, *_WORKLOAD, *_POD)
    container = {name: value for name, value in fields.items() if name not in elsewhere}
    env = [
        {"name": name, **({"valueFrom": value} if isinstance(value, dict) else {"value": value})}
        for name, value in {**(S3 if "buckets" in fields else {}), **fields.get("env", {})}.items()
    ]
    made = _MAKERS[component]
    return made(env, spec=some(_WORKLOAD), pod=some(_POD), container=container, **some(_IDENTITY))


def _ingress(
    paths: Mapping[str, Any],
    name: str = "edge",
    annotations: Mapping[str, str] | None = None,
    tls: list[str] | None = None,
    **more: str,
) -> Object:
    rules: dict[str, list[tuple[str, str, object]]] = {}
    for place, target in paths.items():
        host, slash, path = place.partition("/")
        its_service, port = _PORTS[target] if isinstance(target, int) else _named(target)
        rules.setdefault(host, []).append((f"{slash}{path}", its_service, port))
    made = ingress(rules, tls=tls, annotations=annotations, **({"ingressClassName": more["class"]} if more else {}))
    made["metadata"]["name"] = name
    return made


def _named(target: str) -> tuple[str, int]:
    name, _, port = target.partition(":")
    return name, int(port)
