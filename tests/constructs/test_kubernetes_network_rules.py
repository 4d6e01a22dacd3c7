"""What is wrong between the fields of a Service, an Ingress or a network policy, with its place; and what is right."""

from __future__ import annotations

from typing import Any

import pytest
from convex_k8s.values.kubernetes.networks import OF_NETWORKS

ONE, TWO = [{"port": 80}], [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
WRONG: list[tuple[str, dict[str, Any], tuple[str | int, ...]]] = [
    ("ServiceSpec", {"type": "ExternalName"}, ()),
    ("ServiceSpec", {}, ()),
    ("ServiceSpec", {"ports": [{"port": 80, "name": "a"}, {"port": 81}]}, ("ports", 1)),
    ("ServiceSpec", {"ports": [{"port": 80, "nodePort": 30000}]}, ("ports", 0, "nodePort")),
    ("ServiceSpec", {"ports": ONE, "externalTrafficPolicy": "Local"}, ("externalTrafficPolicy",)),
    ("ServiceSpec", {"ports": ONE, "type": "NodePort", "loadBalancerClass": "a"}, ("loadBalancerClass",)),
    ("ServiceSpec", {"ports": ONE, "allocateLoadBalancerNodePorts": False}, ("allocateLoadBalancerNodePorts",)),
    ("ServiceSpec", {"ports": ONE, "type": "LoadBalancer", "healthCheckNodePort": 1}, ("healthCheckNodePort",)),
    ("ServiceSpec", {"type": "ExternalName", "externalName": "a", "clusterIP": "None"}, ("clusterIP",)),
    ("ServiceSpec", {"type": "ExternalName", "externalName": "a", "clusterIPs": ["None"]}, ("clusterIPs",)),
    ("ServiceSpec", {"ports": ONE, "type": "NodePort", "clusterIP": "None"}, ("clusterIP",)),
    ("ServiceSpec", {"ports": ONE, "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}, ("clusterIPs",)),
    ("ServiceSpec", {"ports": ONE, "ipFamilies": ["IPv4", "IPv4"]}, ("ipFamilies",)),
    (
        "ServiceSpec",
        {"ports": ONE, "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"},
        ("ipFamilyPolicy",),
    ),
    ("IngressSpec", {}, ()),
    ("HTTPIngressPath", {"path": "a", "pathType": "Prefix"}, ("path",)),
    ("IngressServiceBackend", {"name": "a"}, ()),
    ("IPBlock", {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/16"]}, ("except", 1)),
    ("IPBlock", {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}, ("except", 0)),
    ("IPBlock", {"cidr": "10.0.0.0/8", "except": ["fd00::/64"]}, ("except", 0)),
    ("NetworkPolicyPeer", {}, ()),
    ("NetworkPolicyPeer", {"ipBlock": {}, "podSelector": {}}, ("ipBlock",)),
    ("NetworkPolicyPort", {"endPort": 80}, ("endPort",)),
    ("NetworkPolicyPort", {"port": 81, "endPort": 80}, ("endPort",)),
    ("NetworkPolicyPort", {"port": "http", "endPort": 80}, ("endPort",)),
]
RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("ServiceSpec", {"ports": ONE}),
    ("ServiceSpec", {"ports": TWO, "type": "ClusterIP"}),
    ("ServiceSpec", {"clusterIP": "None", "clusterIPs": ["None"]}),
    ("ServiceSpec", {"type": "ExternalName", "externalName": "a"}),
    ("ServiceSpec", {"ports": ONE, "externalTrafficPolicy": "Local", "externalIPs": ["10.0.0.1"]}),
    ("ServiceSpec", {"ports": [{"port": 80, "nodePort": 30000}], "type": "NodePort"}),
    (
        "ServiceSpec",
        {
            "ports": ONE,
            "type": "LoadBalancer",
            "loadBalancerClass": "a",
            "externalTrafficPolicy": "Local",
            "healthCheckNodePort": 1,
        },
    ),
    ("ServiceSpec", {"ports": ONE, "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    ("IngressSpec", {"defaultBackend": {"service": {"name": "a"}}}),
    ("HTTPIngressPath", {"path": "a", "pathType": "ImplementationSpecific"}),
    ("HTTPIngressPath", {"pathType": "Prefix"}),
    ("IngressServiceBackend", {"name": "a", "port": {"number": 80}}),
    ("IPBlock", {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}),
    ("NetworkPolicyPeer", {"podSelector": {}, "namespaceSelector": {}}),
    ("NetworkPolicyPort", {"port": 80, "endPort": 80}),
]


@pytest.mark.parametrize(("kind", "value", "place"), WRONG)
def test_what_is_wrong_is_told_once_with_its_place(
    kind: str, value: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    (problem,) = OF_NETWORKS[kind](value)
    assert problem.path == place


@pytest.mark.parametrize(("kind", "value"), RIGHT)
def test_what_is_right_passes(kind: str, value: dict[str, Any]) -> None:
    assert list(OF_NETWORKS[kind](value)) == []
