"""NetworkPolicies: who may call the pods, and whom the backend may call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from cdk8s import ApiObject, JsonPatch

from constructs import Construct
from convex_k8s.backend import ACTIONS_PORT, API_PORT
from convex_k8s.naming import Component, Naming
from convex_k8s.origins import Origins
from convex_k8s.values import Values
from convex_k8s.values.network_policy import PolicyPeer, PolicyPort

LINK_LOCAL = "169.254.0.0/16"
"""Where AWS, Google, Azure and others answer with the node's credentials."""
POD_IDENTITY = "169.254.170.23/32"
"""Where the agent of EKS Pod Identity answers with the pod's own credentials."""
DATABASE_PORTS = {"postgres": 5432, "mysql": 3306}
Rule = dict[str, Any]


class NetworkPolicies(Construct):
    """`<release>-default-deny` for all pods of the release, and one policy each for backend and dashboard.

    A kubelet always reaches its own pods, so that probes and `kubectl port-forward` need no rule.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._values = naming.values.network_policy
        release = {"app.kubernetes.io/instance": naming.release, "app.kubernetes.io/part-of": "convex"}
        self._policy("default-deny", {"podSelector": {"matchLabels": release}, "policyTypes": ["Ingress"]})
        self._of("backend", list(self._backend_callers()), list(self._destinations()))
        if naming.values.dashboard.enabled:
            self._of("dashboard", list(self._dashboard_callers()), [])

    def _policy(self, suffix: str, spec: Rule) -> None:
        name = f"{self._naming.release}-{suffix}"
        metadata = self._naming.plain_metadata(name)
        made = ApiObject(self, suffix, api_version="networking.k8s.io/v1", kind="NetworkPolicy", metadata=metadata)
        made.add_json_patch(JsonPatch.add("/spec", spec))

    def _of(self, component: Component, callers: list[Rule], destinations: list[Rule]) -> None:
        selector = {"matchLabels": self._naming.selector(component)}
        types = ["Ingress", "Egress"]
        # The API server drops an empty list, and a second apply would then differ; none given allows nothing either.
        rules = {name: given for name, given in (("ingress", callers), ("egress", destinations)) if given}
        self._policy(component, {"podSelector": selector, "policyTypes": types, **rules})

    def _edge(self) -> list[Rule]:
        """The pods of the Ingress controller or Gateway."""
        peer: Rule = {"namespaceSelector": _selector(self._values.ingress_ns_match_labels)}
        if self._values.ingress_ns_pod_match_labels:
            peer["podSelector"] = _selector(self._values.ingress_ns_pod_match_labels)
        return [peer]

    def _backend_callers(self) -> Iterator[Rule]:
        values, ports = self._naming.values, _ports(API_PORT, ACTIONS_PORT)
        if values.service.backend.type != "ClusterIP":
            yield {"ports": ports}
        elif values.public_hosts:
            yield {"from": self._edge(), "ports": ports}
        if values.metrics:
            peer = {"namespaceSelector": _selector(self._values.metrics_ns_match_labels)}
            yield {"from": [peer], "ports": _ports(API_PORT)}
        backup: list[Component] = ["backup", "restore"] if values.backup.enabled else []
        push: list[Component] = ["functions"] if values.functions.image else []
        if own := [{"podSelector": {"matchLabels": self._naming.selector(job)}} for job in (*backup, *push)]:
            yield {"from": own, "ports": _ports(API_PORT)}
        for rule in self._values.extra_ingress:
            yield {"from": _peers(rule.from_), "ports": _given(rule.ports) or ports}

    def _dashboard_callers(self) -> Iterator[Rule]:
        values = self._naming.values
        ports = _ports(values.service.dashboard.target_port)
        if values.service.dashboard.type != "ClusterIP":
            yield {"ports": ports}
        elif values.public_hosts:
            yield {"from": self._edge(), "ports": ports}

    def _destinations(self) -> Iterator[Rule]:
        values = self._naming.values
        yield {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
        if self._values.egress == "all":
            # A block of addresses does not stand for pods in every network, so these are named as well.
            everybody = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [LINK_LOCAL]}}
            yield {"to": [{"namespaceSelector": {}}, everybody]}
        else:
            yield from self._listed()
        if values.s3.enabled and values.s3.credentials == "ambient":
            yield {"to": [{"ipBlock": {"cidr": POD_IDENTITY}}], "ports": _ports(80)}
        for rule in self._values.extra_egress:
            yield _to(_peers(rule.to), _given(rule.ports))

    def _listed(self) -> Iterator[Rule]:
        values, policy = self._naming.values, self._values
        anywhere: list[Rule] = [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": [LINK_LOCAL]}}]
        if values.engine:
            yield _to(_peers(policy.database) or anywhere, _at(policy.database, _database_port(values)))
        if values.s3.enabled:
            yield _to(_peers(policy.s3) or anywhere, _at(policy.s3, _port_of(values.s3.endpoint or "https://s3")))
        if values.public_hosts:
            # A public address often leads straight to the edge's pods, on ports of theirs.
            yield {"to": self._edge()}
        origins = Origins.of(values)
        public = [origin for origin in (origins.cloud, origins.site) if not _is_local(origin)]
        if public:
            yield _to(_peers(policy.origins) or anywhere, _ports(*dict.fromkeys(map(_port_of, public))))


def _selector(labels: dict[str, str]) -> Rule:
    return {"matchLabels": dict(labels)} if labels else {}


def _ports(*numbers: int) -> list[Rule]:
    return [{"port": number, "protocol": "TCP"} for number in numbers]


def _given(ports: Iterable[PolicyPort]) -> list[Rule]:
    return [{"port": port.port, "protocol": port.protocol} for port in ports]


def _peers(peers: Iterable[PolicyPeer]) -> list[Rule]:
    return [peer.manifest for peer in peers]


def _at(peers: list[PolicyPeer], port: int) -> list[Rule]:
    """The usual port; for peers that are named every port, because the real one may be in a Secret."""
    return [] if peers else _ports(port)


def _to(peers: list[Rule], ports: list[Rule]) -> Rule:
    return {"to": peers, "ports": ports} if ports else {"to": peers}


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else 443)


def _is_local(origin: str) -> bool:
    return urlsplit(origin).hostname in ("localhost", "127.0.0.1")


def _database_port(values: Values) -> int:
    database = values.postgres if values.engine == "postgres" else values.mysql
    return database.port or DATABASE_PORTS[values.engine or "postgres"]
