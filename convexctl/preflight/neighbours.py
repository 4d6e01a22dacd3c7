"""Checks of what else is in the cluster: public hosts that others serve, and backends on the same data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from convexctl.behaviour import Backend, predict
from convexctl.behaviour.database import url_of
from convexctl.preflight.check import Check, failed, ok
from convexctl.preflight.cluster import CLUSTER, NAMESPACE
from convexctl.preflight.manifests import Manifest
from convexctl.preflight.questions import Question
from convexctl.tools.kubectl import ClusterSecret, Kubectl, KubectlError
from convexctl.wording import listed

HOSTS, BACKENDS = "public hosts", "other backends"

_WORKLOADS = "statefulsets.apps,deployments.apps,daemonsets.apps,pods,configmaps"
_ROUTES = "gateway.networking.k8s.io"
_SOLVER = "acme.cert-manager.io/http01-solver"
_CANARY = "nginx.ingress.kubernetes.io/canary"
_URLS = ("POSTGRES_URL", "MYSQL_URL", "DATABASE_URL")
_Rules = dict[str, set[str]]


def neighbour_questions(manifests: Sequence[Manifest], kubectl: Kubectl) -> list[Question]:
    """Whether somebody else in the cluster has a public host, or the data, of this environment."""
    hosts = _rules(manifests)
    return [
        *([Question(HOSTS, lambda: _hosts(manifests, hosts, kubectl), (CLUSTER,))] if hosts else []),
        Question(BACKENDS, lambda: _backends(manifests, kubectl), (CLUSTER, NAMESPACE)),
    ]


def _hosts(manifests: Sequence[Manifest], hosts: _Rules, kubectl: Kubectl) -> Check:
    namespace = kubectl.namespace_name()
    own = {(manifest["kind"], namespace, manifest["metadata"]["name"]) for manifest in manifests}
    taken: list[str] = []
    beside: list[str] = []
    for other in _edge(kubectl):
        metadata = other["metadata"]
        place = (other["kind"], metadata.get("namespace", ""), metadata["name"])
        if place in own or _passing(metadata):
            continue
        shown = f"{other['kind']} {metadata['name']} in namespace {metadata.get('namespace', '')}"
        for host, paths in _rules([other]).items():
            if host in hosts:
                (taken if paths & hosts[host] else beside).append(f"{host} by {shown}")
    if taken:
        return failed(
            HOSTS,
            f"served by others too: {listed(taken, 'and')}; which of the two answers is left to the controller",
            "choose another host in the overlay, or delete the other object if nothing needs it",
        )
    if beside:
        return ok(HOSTS, f"other paths are served elsewhere: {listed(beside, 'and')}")
    return ok(HOSTS, f"nobody else serves {listed(sorted(hosts), 'or')}")


def _edge(kubectl: Kubectl) -> Iterator[Manifest]:
    everywhere = ("--all-namespaces",)
    yield from kubectl.objects("get", "ingresses.networking.k8s.io", *everywhere)
    if "HTTPRoute" in kubectl.kinds(f"{_ROUTES}/v1"):
        yield from kubectl.objects("get", f"httproutes.{_ROUTES}", *everywhere)


def _passing(metadata: Mapping[str, Any]) -> bool:
    """Whether an Ingress is there for a challenge of cert-manager's, or as a canary of another one."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(_SOLVER) == "true" or annotations.get(_CANARY) == "true"


def _rules(manifests: Iterable[Manifest]) -> _Rules:
    """The hosts that manifests serve, in lower case, each with its paths."""
    found: _Rules = {}
    for manifest in manifests:
        spec = manifest.get("spec") or {}
        if manifest["kind"] == "Ingress":
            for rule in spec.get("rules") or []:
                paths = {path.get("path") or "/" for path in (rule.get("http") or {}).get("paths") or []}
                if rule.get("host"):
                    found.setdefault(rule["host"].lower(), set()).update(paths)
        elif manifest["kind"] == "HTTPRoute":
            matches = [match for rule in spec.get("rules") or [] for match in rule.get("matches") or [{}]]
            paths = {(match.get("path") or {}).get("value") or "/" for match in matches}
            for host in spec.get("hostnames") or []:
                found.setdefault(host.lower(), set()).update(paths)
    return found


def _backends(manifests: Sequence[Manifest], kubectl: Kubectl) -> Check:
    """The other backends of the namespace: their claims, and the databases that their Secrets name."""
    ours = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    others = [each for each in kubectl.all_of(_WORKLOADS) if _is_other(each, ours)]
    running = [each for each in predict(others).backends if each.replicas.value != 0]
    mine = predict(manifests).backends
    if not running or not mine:
        return ok(BACKENDS, "no other one runs in this namespace")
    secrets = _secrets(kubectl, [*running, *mine])
    (own, *_), places = predict([*manifests, *secrets]).backends, {each.place for each in running}
    problems = []
    for other in predict([*others, *secrets]).backends:
        if other.place in places and (shared := list(_shared(own, other, kubectl.namespace_name()))):
            problems.append(f"{other} has {listed(shared, 'and')}")
    if problems:
        return failed(
            BACKENDS,
            f"{'; '.join(problems)} of this environment",
            "stop the other one first, and for good (kubectl scale --replicas=0), or give this environment its own: "
            "instance.name, backend.persistence.existingClaim, another Secret",
        )
    return ok(BACKENDS, f"{listed([str(each) for each in running], 'and')}: with other data")


def _is_other(found: Manifest, ours: set[tuple[str, str]]) -> bool:
    return (found["kind"], found["metadata"]["name"]) not in ours and not found["metadata"].get("ownerReferences")


def _secrets(kubectl: Kubectl, backends: Iterable[Backend]) -> list[dict[str, Any]]:
    """The Secrets that backends take variables from, as far as they may be read."""
    names: dict[str, None] = {}
    for backend in backends:
        for entry in backend.container_spec.get("env") or []:
            names[((entry.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name", "")] = None
        for entry in backend.container_spec.get("envFrom") or []:
            names[(entry.get("secretRef") or {}).get("name", "")] = None
    try:
        found = kubectl.secrets(name for name in names if name)
    except KubectlError:
        return []
    return [_manifest(name, secret) for name, secret in found.items()]


def _manifest(name: str, secret: ClusterSecret) -> dict[str, Any]:
    values = {key: value.decode(errors="replace") for key, value in secret.data.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "stringData": values}


def _shared(one: Backend, other: Backend, namespace: str) -> Iterator[str]:
    """What two backends have in common that each must have for itself."""
    if one.claim and other.claim and one.claim.value == other.claim.value:
        yield f"the volume claim {one.claim.value}"
    if _databases(one, namespace) & _databases(other, namespace):
        yield "the database"
    if _values(one, "INSTANCE_SECRET") & _values(other, "INSTANCE_SECRET"):
        yield "the instance secret"


def _databases(backend: Backend, namespace: str) -> set[tuple[str, ...]]:
    """The database of a backend: where its URL and its name come from, and its server and name if they are in sight."""
    url = next((name for name in _URLS if backend.environment.read(name).filled), "")
    if not url:
        return set()
    name = backend.environment.read("INSTANCE_NAME")
    text = name.text if name.filled else str(backend.instance_name.value)
    names = _values(backend, "INSTANCE_NAME") or {("value", text or "")}
    databases: set[tuple[str, ...]] = {(*place, *named) for place in _values(backend, url) for named in names}
    server = url_of(backend.environment.read(url).text or "")
    if server and text is not None and not server.torn:
        host, _, port = server.host.lower().partition(":")
        host = host.removesuffix(".cluster.local").removesuffix(".svc").removesuffix(f".{namespace}")
        databases.add(("server", host, port or {"mysql": "3306"}.get(server.scheme, "5432"), text.replace("-", "_")))
    return databases


def _values(backend: Backend, variable: str) -> set[tuple[str, str]]:
    """A variable's value and the place that it comes from; empty if it has none."""
    reading = backend.environment.read(variable)
    found = {"from": reading.reference, "value": reading.text or ""}
    return {(kind, text) for kind, text in found.items() if text}
