"""What the API server wants of Services, Ingresses and network policies, which its schemas do not say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from convex_k8s.problems import Problem
from convex_k8s.values.kubernetes.pod_specs import Struct


def _service(value: Struct) -> Iterator[Problem]:
    ports = value.get("ports") or []
    kind = value.get("type") or "ClusterIP"
    if kind == "ExternalName" and not value.get("externalName"):
        yield Problem((), "has no externalName, which type ExternalName needs")
    elif kind != "ExternalName" and not ports and value.get("clusterIP") != "None":
        yield Problem((), "has no ports")
    for index, port in enumerate(ports):
        if len(ports) > 1 and isinstance(port, dict) and not port.get("name"):
            yield Problem(("ports", index), "has no name, which each of several ports needs")
        if kind == "ClusterIP" and isinstance(port, dict) and port.get("nodePort"):
            yield Problem(("ports", index, "nodePort"), "needs type NodePort or LoadBalancer")
    if kind == "ClusterIP" and value.get("externalTrafficPolicy") and not value.get("externalIPs"):
        yield Problem(("externalTrafficPolicy",), "needs type NodePort or LoadBalancer")
    for name in ("loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts"):
        if value.get(name) not in (None, "", []) and kind != "LoadBalancer":
            yield Problem((name,), "needs type LoadBalancer")
    local = kind == "LoadBalancer" and value.get("externalTrafficPolicy") == "Local"
    if value.get("healthCheckNodePort") and not local:
        yield Problem(("healthCheckNodePort",), "needs type LoadBalancer and externalTrafficPolicy Local")
    yield from _addresses(value, kind)


def _addresses(value: Struct, kind: str) -> Iterator[Problem]:
    """The addresses of a Service: one, none (headless), or one of each family."""
    first, each = value.get("clusterIP") or "", value.get("clusterIPs") or []
    if kind == "ExternalName" and (first or each):
        yield Problem(("clusterIP" if first else "clusterIPs",), "means nothing with type ExternalName: remove it")
    elif kind in ("NodePort", "LoadBalancer") and first == "None":
        yield Problem(("clusterIP",), f"is None, which type {kind} cannot have")
    elif each and each[0] != first:
        yield Problem(("clusterIPs",), "must begin with the address under clusterIP")
    families = value.get("ipFamilies") or []
    if len(set(families)) < len(families):
        yield Problem(("ipFamilies",), "names a family twice: keep one")
    elif len(families) > 1 and value.get("ipFamilyPolicy") == "SingleStack":
        yield Problem(("ipFamilyPolicy",), "is SingleStack, and ipFamilies has two: write RequireDualStack")


def _ingress(value: Struct) -> Iterator[Problem]:
    if not value.get("rules") and not value.get("defaultBackend"):
        yield Problem((), "has neither rules nor a defaultBackend")


def _ingress_path(value: Struct) -> Iterator[Problem]:
    path = value.get("path", "/")
    if isinstance(path, str) and not path.startswith("/") and value.get("pathType") != "ImplementationSpecific":
        yield Problem(("path",), "must begin with /")


def _ingress_service(value: Struct) -> Iterator[Problem]:
    if not value.get("port"):
        yield Problem((), "has no port")


def _block(value: Struct) -> Iterator[Problem]:
    whole = ipaddress.ip_network(value["cidr"], strict=False)
    for index, text in enumerate(value.get("except") or []):
        part = ipaddress.ip_network(text, strict=False)
        if part.version != whole.version or part == whole or not part.subnet_of(whole):  # type: ignore[arg-type]
            yield Problem(("except", index), f"is not a part of {value['cidr']}")


def _peer(value: Struct) -> Iterator[Problem]:
    if not value:
        yield Problem((), "is empty: name an ipBlock, a namespaceSelector or a podSelector")
    elif "ipBlock" in value and len(value) > 1:
        yield Problem(("ipBlock",), "is set beside a selector: make two items of it")


def _policy_port(value: Struct) -> Iterator[Problem]:
    first, last = value.get("port"), value.get("endPort")
    if last is not None and not (isinstance(first, int) and first <= last):
        yield Problem(("endPort",), "needs a port that is a number and not above it")


OF_NETWORKS = {
    "HTTPIngressPath": _ingress_path,
    "IPBlock": _block,
    "IngressServiceBackend": _ingress_service,
    "IngressSpec": _ingress,
    "NetworkPolicyPeer": _peer,
    "NetworkPolicyPort": _policy_port,
    "ServiceSpec": _service,
}
"""The checks, by the type of the structure."""
