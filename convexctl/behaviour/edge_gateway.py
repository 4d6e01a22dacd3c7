"""Routes of an HTTPRoute, with the listeners of its Gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convexctl.behaviour.edge_ingress import covers
from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.edge_traefik import middlewares
from convexctl.behaviour.manifests import Manifest, dig, items, mapping, number, sequence, source_of, text
from convexctl.behaviour.model import Rewrite, Route

_PATH_TYPES = {"PathPrefix": "Prefix", "Exact": "Exact", "RegularExpression": "RegularExpression"}


def http_route(targets: Targets, route: Manifest) -> Iterator[Route]:
    """The routes of an HTTPRoute."""
    namespace = source_of(route).namespace
    spec = mapping(route.get("spec"))
    listeners = list(_listeners(targets, spec, namespace))
    own_hosts = [text(host) for host in sequence(spec.get("hostnames"))]
    hosts = own_hosts or list(dict.fromkeys(text(listener.get("hostname")) for listener in listeners)) or [""]
    for rule_index, rule in enumerate(sequence(spec.get("rules"))):
        rewrite, filters = _changes(targets, rule, namespace)
        matches = sequence(mapping(rule).get("matches")) or [{}]
        for match_index, match in enumerate(matches):
            path = mapping(mapping(match).get("path"))
            for backend_index, backend in enumerate(sequence(mapping(rule).get("backendRefs"))):
                reference = mapping(backend)
                service = text(reference.get("name"))
                target, problem = targets.service(
                    text(reference.get("namespace")) or namespace, service, {"number": reference.get("port")}
                )
                steps = ("spec", "rules", rule_index, "backendRefs", backend_index)
                if path:
                    steps = ("spec", "rules", rule_index, "matches", match_index)
                for host in hosts:
                    yield Route(
                        host=host,
                        path=text(path.get("value")) or "/",
                        path_type=_PATH_TYPES.get(text(path.get("type")) or "PathPrefix", "ImplementationSpecific"),
                        service=service,
                        service_port=text(reference.get("port")),
                        target=target,
                        problem=problem,
                        tls=_tls(listeners, host),
                        tls_known=bool(listeners),
                        ports=tuple(filter(None, (number(each.get("port")) for each in listeners))) or (80, 443),
                        rewrite=rewrite,
                        filters=filters,
                        source=source_of(route, *steps),
                    )


def _listeners(targets: Targets, spec: Mapping[str, Any], namespace: str) -> Iterator[Mapping[str, Any]]:
    for parent in map(mapping, sequence(spec.get("parentRefs"))):
        gateway = targets.manifests.find(
            "Gateway", text(parent.get("namespace")) or namespace, text(parent.get("name"))
        )
        for _, listener in items(dig(gateway, "spec", "listeners")):
            section = parent.get("sectionName")
            if section in (None, listener.get("name")):
                yield listener


def _tls(listeners: list[Mapping[str, Any]], host: str) -> bool:
    return any(
        listener.get("protocol") in ("HTTPS", "TLS") and covers(text(listener.get("hostname")), host)
        for listener in listeners
    )


def _changes(targets: Targets, rule: object, namespace: str) -> tuple[Rewrite | None, tuple[str, ...]]:
    """What the filters of a rule make of a path, and what they put in front of the Services."""
    names = []
    for entry in map(mapping, sequence(mapping(rule).get("filters"))):
        path = mapping(dig(entry, "urlRewrite", "path"))
        if "replaceFullPath" in path:
            return Rewrite("whole", text(path["replaceFullPath"])), ()
        if path:
            return Rewrite("prefix", text(path.get("replacePrefixMatch")) or "/"), ()
        if reference := mapping(entry.get("extensionRef")):
            names.append(f"{namespace or 'default'}-{text(reference.get('name'))}@kubernetescrd")
    return middlewares(targets.manifests, names, namespace)
