"""Which host and path of the edge reach which container port, through Services and named ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convexctl.behaviour.context import Context
from convexctl.behaviour.find import ACTIONS_PORT, API_PORT, Role
from convexctl.behaviour.manifests import (
    Manifest,
    Manifests,
    Pod,
    dig,
    items,
    mapping,
    number,
    same_namespace,
    sequence,
    source_of,
    text,
)
from convexctl.behaviour.model import Rewrite, Route, Target
from convexctl.behaviour.source import Source

_PATH_TYPES = {"PathPrefix": "Prefix", "Exact": "Exact", "RegularExpression": "RegularExpression"}


class Edge:
    """The routes of a set of manifests."""

    def __init__(self, manifests: Manifests, components: list[tuple[Role, Context, int | None]]) -> None:
        self._manifests = manifests
        self._components = components
        """Backends and dashboards; with a dashboard the port that it listens on."""

    def routes(self) -> Iterator[Route]:
        """The routes of all Ingresses and HTTPRoutes."""
        for ingress in self._manifests.of_kind("Ingress"):
            yield from self._ingress(ingress)
        for route in self._manifests.of_kind("HTTPRoute"):
            yield from self._http_route(route)

    def exposed(self) -> Iterator[Route]:
        """The ports of Services that are open outside the cluster by themselves: LoadBalancer and NodePort."""
        for service in self._manifests.of_kind("Service"):
            if dig(service, "spec", "type") not in ("LoadBalancer", "NodePort"):
                continue
            place = source_of(service)
            for step, port in items(dig(service, "spec", "ports")):
                target, problem = self._target(service, port)
                shown = text(port.get("port"))
                source = source_of(service, "spec", "ports", step)
                yield Route("", "/", "Prefix", place.name, shown, target, problem, False, None, source)

    def _ingress(self, ingress: Manifest) -> Iterator[Route]:
        namespace = source_of(ingress).namespace
        spec = mapping(ingress.get("spec"))
        rewrite = self._ingress_rewrite(ingress, namespace)
        if default := mapping(dig(spec, "defaultBackend", "service")):
            target, problem = self._service(namespace, text(default.get("name")), mapping(default.get("port")))
            source = source_of(ingress, "spec", "defaultBackend")
            yield Route(
                "", "/", "Prefix", text(default.get("name")), _shown(default), target, problem, False, rewrite, source
            )
        for rule_index, rule in enumerate(sequence(spec.get("rules"))):
            host = text(mapping(rule).get("host"))
            for path_index, entry in enumerate(sequence(dig(rule, "http", "paths"))):
                service = mapping(dig(entry, "backend", "service"))
                target, problem = self._service(namespace, text(service.get("name")), mapping(service.get("port")))
                yield Route(
                    host=host,
                    path=text(mapping(entry).get("path")) or "/",
                    path_type=text(mapping(entry).get("pathType")) or "ImplementationSpecific",
                    service=text(service.get("name")),
                    service_port=_shown(service),
                    target=target,
                    problem=problem,
                    tls=_ingress_tls(spec, host),
                    rewrite=rewrite,
                    source=source_of(ingress, "spec", "rules", rule_index, "http", "paths", path_index),
                )

    def _ingress_rewrite(self, ingress: Manifest, namespace: str) -> Rewrite | None:
        annotations = mapping(dig(ingress, "metadata", "annotations"))
        if target := text(annotations.get("nginx.ingress.kubernetes.io/rewrite-target")):
            return Rewrite("expression", target)
        if "haproxy.org/path-rewrite" in annotations:
            return Rewrite("unknown")
        for name in text(annotations.get("traefik.ingress.kubernetes.io/router.middlewares")).split(","):
            middleware = name.strip().removesuffix("@kubernetescrd")
            for manifest in self._manifests.of_kind("Middleware"):
                place = source_of(manifest)
                changes = _middleware(mapping(manifest.get("spec")))
                if changes and middleware == f"{place.namespace or namespace or 'default'}-{place.name}":
                    return changes
        return None

    def _http_route(self, route: Manifest) -> Iterator[Route]:
        namespace = source_of(route).namespace
        spec = mapping(route.get("spec"))
        listeners = list(self._listeners(spec, namespace))
        own_hosts = [text(host) for host in sequence(spec.get("hostnames"))]
        hosts = own_hosts or list(dict.fromkeys(text(listener.get("hostname")) for listener in listeners)) or [""]
        for rule_index, rule in enumerate(sequence(spec.get("rules"))):
            rewrite = _route_rewrite(rule)
            matches = sequence(mapping(rule).get("matches")) or [{}]
            for match_index, match in enumerate(matches):
                path = mapping(mapping(match).get("path"))
                for backend_index, backend in enumerate(sequence(mapping(rule).get("backendRefs"))):
                    reference = mapping(backend)
                    service = text(reference.get("name"))
                    target, problem = self._service(
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
                            tls=_gateway_tls(listeners, host),
                            rewrite=rewrite,
                            source=source_of(route, *steps),
                        )

    def _listeners(self, spec: Mapping[str, Any], namespace: str) -> Iterator[Mapping[str, Any]]:
        for parent in map(mapping, sequence(spec.get("parentRefs"))):
            gateway = self._manifests.find(
                "Gateway", text(parent.get("namespace")) or namespace, text(parent.get("name"))
            )
            for _, listener in items(dig(gateway, "spec", "listeners")):
                section = parent.get("sectionName")
                if section in (None, listener.get("name")):
                    yield listener

    def _service(self, namespace: str, name: str, port: Mapping[str, Any]) -> tuple[Target | None, str]:
        service = self._manifests.find("Service", namespace, name)
        if service is None:
            return None, f"Service {name} is not among the manifests"
        for _, entry in items(dig(service, "spec", "ports")):
            by_name = port.get("name") is not None and entry.get("name") == port.get("name")
            if by_name or (port.get("number") is not None and number(entry.get("port")) == number(port.get("number"))):
                return self._target(service, entry)
        return None, f"Service {name} has no port {text(port.get('name')) or text(port.get('number'))}"

    def _target(self, service: Manifest, port: Mapping[str, Any]) -> tuple[Target | None, str]:
        place = source_of(service)
        selector = mapping(dig(service, "spec", "selector"))
        if not selector:
            return None, f"Service {place.name} selects no pods"
        pods = [
            pod
            for pod in self._manifests.pods()
            if same_namespace(pod.source.namespace, place.namespace)
            and all(pod.labels.get(key) == value for key, value in selector.items())
        ]
        if not pods:
            return None, f"no pod among the manifests has the labels that Service {place.name} selects"
        wanted = port.get("targetPort") if port.get("targetPort") is not None else port.get("port")
        for pod in pods:
            if target := self._in_pod(pod, wanted):
                return target, ""
        return None, f"no pod that Service {place.name} selects has a port {text(wanted)}"

    def _in_pod(self, pod: Pod, wanted: object) -> Target | None:
        containers = list(pod.containers())
        as_number = number(wanted)
        declared: tuple[Source, Mapping[str, Any], int] | None = None
        for source, container in containers:
            for _, entry in items(container.get("ports")):
                its_number = number(entry.get("containerPort"))
                if its_number is not None and (entry.get("name") == wanted or its_number == as_number):
                    declared = declared or (source, container, its_number)
        if declared is None and as_number is None:
            return None
        its_port = declared[2] if declared else as_number or 0
        role, listener = self._listens(pod, its_port)
        source = listener or (declared[0] if declared else containers[0][0])
        name = next((text(container.get("name")) for place, container in containers if place == source), "")
        owner = pod.source
        return Target(owner.kind, owner.namespace, owner.name, name, its_port, role)

    def _listens(self, pod: Pod, port: int) -> tuple[str, Source | None]:
        """What of Convex listens on a port of a pod, and its container."""
        for role, context, dashboard_port in self._components:
            if context.pod.source != pod.source:
                continue
            if role == "backend" and port in (API_PORT, ACTIONS_PORT):
                return "api" if port == API_PORT else "http actions", context.source
            if role == "dashboard" and port == dashboard_port:
                return "dashboard", context.source
        return "", None


def _shown(service: Mapping[str, Any]) -> str:
    port = mapping(service.get("port"))
    return text(port.get("name")) or text(port.get("number"))


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host == pattern or host.partition(".")[2] == pattern[2:]
    return pattern in ("", host)


def _ingress_tls(spec: Mapping[str, Any], host: str) -> bool:
    for entry in map(mapping, sequence(spec.get("tls"))):
        hosts = [text(its_host) for its_host in sequence(entry.get("hosts"))]
        if not hosts or any(_covers(its_host, host) for its_host in hosts):
            return True
    return False


def _gateway_tls(listeners: list[Mapping[str, Any]], host: str) -> bool:
    return any(
        listener.get("protocol") in ("HTTPS", "TLS") and _covers(text(listener.get("hostname")), host)
        for listener in listeners
    )


def _middleware(spec: Mapping[str, Any]) -> Rewrite | None:
    """What a Middleware of Traefik's makes of a path; None for one that leaves it."""
    if "stripPrefix" in spec:
        prefixes = sequence(mapping(spec["stripPrefix"]).get("prefixes"))
        return Rewrite("strip", patterns=tuple(re.escape(text(prefix)) for prefix in prefixes))
    if "stripPrefixRegex" in spec:
        patterns = sequence(mapping(spec["stripPrefixRegex"]).get("regex"))
        return Rewrite("strip", patterns=tuple(map(text, patterns)))
    if "replacePath" in spec:
        return Rewrite("whole", text(mapping(spec["replacePath"]).get("path")))
    if "replacePathRegex" in spec:
        change = mapping(spec["replacePathRegex"])
        return Rewrite("replace", text(change.get("replacement")), (text(change.get("regex")),))
    return None


def _route_rewrite(rule: object) -> Rewrite | None:
    for entry in map(mapping, sequence(mapping(rule).get("filters"))):
        path = mapping(dig(entry, "urlRewrite", "path"))
        if "replaceFullPath" in path:
            return Rewrite("whole", text(path["replaceFullPath"]))
        if path:
            return Rewrite("prefix", text(path.get("replacePrefixMatch")) or "/")
    return None
