"""Routes of Traefik's kind IngressRoute, and what its Middlewares make of a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.manifests import Manifest, Manifests, mapping, number, sequence, source_of, text
from convexctl.behaviour.model import Rewrite, Route, UnreadEdge
from convexctl.behaviour.source import Source
from convexctl.behaviour.traefik_match import Matcher, alternatives

_DEEPEST_CHAIN = 5
_FILTERS = {
    "basicAuth": "a login",
    "digestAuth": "a login",
    "forwardAuth": "a login",
    "ipAllowList": "an allow-list",
    "ipWhiteList": "an allow-list",
}
_READ = ("host", "hostheader", "pathprefix", "path", "pathregexp", "hostregexp")


def ingress_route(targets: Targets, manifest: Manifest) -> Iterator[Route | UnreadEdge]:
    """The routes of an IngressRoute, and the rules of it that are not read."""
    namespace = source_of(manifest).namespace
    spec = mapping(manifest.get("spec"))
    entry_points = [text(name) for name in sequence(spec.get("entryPoints"))]
    for index, rule in enumerate(map(mapping, sequence(spec.get("routes")))):
        source = source_of(manifest, "spec", "routes", index)
        match = text(rule.get("match"))
        found = alternatives(match)
        if found is None or any(_unread(matchers) for matchers in found):
            yield UnreadEdge(source.at("match"), "a rule of the IngressRoute is not read in full")
            continue
        rewrite, filters = middlewares(targets.manifests, _references(rule, namespace), namespace)
        priority = number(rule.get("priority")) or len(match)
        for service in map(mapping, sequence(rule.get("services"))):
            if text(service.get("kind")) not in ("", "Service"):
                yield UnreadEdge(source.at("services"), f"{text(service.get('kind'))} is not read")
                continue
            port = service.get("port")
            wanted = {"number": port} if number(port) is not None else {"name": port}
            where = text(service.get("namespace")) or namespace
            target, problem = targets.service(where, text(service.get("name")), wanted)
            for host, path, path_type, excludes in _places(found):
                yield Route(
                    host=host,
                    path=path,
                    path_type=path_type,
                    service=text(service.get("name")),
                    service_port=text(port),
                    target=target,
                    problem=problem,
                    tls="tls" in spec,
                    tls_known="tls" in spec or not any("secure" in name for name in entry_points),
                    ports=(80, 443) if set(entry_points) <= {"web", "websecure"} else None,
                    priority=priority,
                    excludes=excludes,
                    filters=filters,
                    rewrite=rewrite,
                    source=source,
                )


def _unread(matchers: Sequence[Matcher]) -> bool:
    """Whether a rule hangs on more of a request than host and path, or in a way that is not read."""
    return any(
        matcher.name not in _READ
        or not matcher.arguments
        or (matcher.negated and not matcher.name.startswith("path"))
        or (matcher.name == "hostregexp")
        for matcher in matchers
    )


def _places(found: Iterable[Sequence[Matcher]]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Host, path, type of the path and the prefixes left out, for each way to match."""
    for matchers in found:
        hosts = [matcher.arguments for matcher in matchers if matcher.name in ("host", "hostheader")]
        paths = [matcher for matcher in matchers if matcher.name.startswith("path") and not matcher.negated]
        excludes = tuple(each for matcher in matchers if matcher.negated for each in matcher.arguments)
        kinds = {"pathprefix": "PathPrefix", "path": "Exact", "pathregexp": "RegularExpression"}
        longest = max(paths, key=lambda matcher: len(matcher.arguments[0]), default=None)
        for host in hosts[0] if hosts else ("",):
            if longest is None:
                yield host, "/", "Prefix", excludes
                continue
            for path in longest.arguments:
                yield host, path, kinds[longest.name].replace("PathPrefix", "Prefix"), excludes


def _references(rule: Mapping[str, Any], namespace: str) -> list[str]:
    return [
        f"{text(entry.get('namespace')) or namespace or 'default'}-{text(entry.get('name'))}"
        for entry in map(mapping, sequence(rule.get("middlewares")))
    ]


def middlewares(manifests: Manifests, names: Iterable[str], namespace: str) -> tuple[Rewrite | None, tuple[str, ...]]:
    """What Middlewares (`<namespace>-<name>@kubernetescrd`) make of a path, and put before the Services."""
    rewrites: list[Rewrite] = []
    filters: list[str] = []
    for spec, name in _specs(manifests, list(names), namespace, 0):
        if spec is None:
            rewrites.append(Rewrite("unknown"))
            continue
        if change := _rewrite(spec):
            rewrites.append(change)
        filters += [f"{what} (Middleware {name})" for key, what in _FILTERS.items() if key in spec]
        headers = mapping(spec.get("headers"))
        allowed = [text(header).lower() for header in sequence(headers.get("accessControlAllowHeaders"))]
        if allowed and not {"convex-client", "*"} & set(allowed):
            filters.append(f"a CORS filter without the header Convex-Client (Middleware {name})")
    if len(rewrites) > 1:
        return Rewrite("unknown"), tuple(filters)
    return (rewrites[0] if rewrites else None), tuple(filters)


def _specs(
    manifests: Manifests, names: list[str], namespace: str, depth: int
) -> Iterator[tuple[Mapping[str, Any] | None, str]]:
    """The specs of Middlewares, those of a chain in its place; None for one that is not in sight."""
    for name in names:
        found = _find(manifests, name.strip().removesuffix("@kubernetescrd"), namespace)
        spec = mapping(found.get("spec")) if found else None
        place = source_of(found) if found else Source("Middleware", "", name)
        if spec is not None and "chain" in spec and depth < _DEEPEST_CHAIN:
            inner = _references(mapping(spec["chain"]), place.namespace or namespace)
            yield from _specs(manifests, inner, place.namespace or namespace, depth + 1)
        else:
            yield spec, place.name


def _find(manifests: Manifests, qualified: str, namespace: str) -> Manifest | None:
    for dash in re.finditer("-", qualified[:512]):
        where, name = qualified[: dash.start()], qualified[dash.end() :]
        found = manifests.find("Middleware", where, name)
        if found is not None and where == (source_of(found).namespace or namespace or "default"):
            return found
    return None


def _rewrite(spec: Mapping[str, Any]) -> Rewrite | None:
    """The path after a Middleware; None if the Middleware leaves it as it is."""
    if "stripPrefix" in spec:
        prefixes = sequence(mapping(spec["stripPrefix"]).get("prefixes"))
        return Rewrite("strip", patterns=tuple(re.escape(text(prefix)) for prefix in prefixes))
    if "stripPrefixRegex" in spec:
        patterns = sequence(mapping(spec["stripPrefixRegex"]).get("regex"))
        return Rewrite("strip", patterns=tuple(map(text, patterns)))
    if "addPrefix" in spec or "plugin" in spec:
        return Rewrite("unknown")
    if "replacePath" in spec:
        return Rewrite("whole", text(mapping(spec["replacePath"]).get("path")))
    if "replacePathRegex" in spec:
        change = mapping(spec["replacePathRegex"])
        return Rewrite("replace", text(change.get("replacement")), (text(change.get("regex")),))
    return None
