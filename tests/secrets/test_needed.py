"""Which Secrets manifests refer to."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.secrets.makers import makers
from convexctl.secrets.needed import needed_secrets

INGRESS = {
    "kind": "Ingress",
    "metadata": {"name": "e"},
    "spec": {"tls": [{"secretName": "a", "hosts": ["x", "y"]}, {}]},
}
LISTENERS = [
    {"name": "one", "hostname": "x", "tls": {"certificateRefs": [{"name": "b"}, {"name": "c", "namespace": "shop"}]}},
    {"name": "two", "tls": {"certificateRefs": [{"name": "d"}, {"name": "foreign", "namespace": "other"}]}},
    {"name": "plain"},
]
GATEWAY = {"kind": "Gateway", "metadata": {"name": "g", "namespace": "shop"}, "spec": {"listeners": LISTENERS}}


def test_certificates_of_both_edges() -> None:
    """A certificate of another namespace is that namespace's business."""
    needed = needed_secrets([INGRESS, GATEWAY, {"kind": "Service"}])
    assert [(one.name, one.use, one.optional, one.references[0].target) for one in needed] == [
        ("a", "certificate", True, "x, y"),
        ("b", "certificate", True, "x"),
        ("c", "certificate", True, "x"),
        ("d", "certificate", True, "every host"),
    ]


CONTAINER = {
    "name": "a",
    "env": [
        {"name": "PLAIN", "value": "x"},
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "b", "optional": True}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "c"}}},
    ],
    "envFrom": [
        {"secretRef": {"name": "whole"}},
        {"configMapRef": {"name": "config"}},
        {"secretRef": {"name": "maybe", "optional": True}},
    ],
}
POD = {
    "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "first"}}]}],
    "containers": [CONTAINER],
    "volumes": [
        {"name": "extra-ca", "secret": {"secretName": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"name": "config", "configMap": {"name": "config"}},
    ],
    "imagePullSecrets": [{"name": "pull"}],
}


@pytest.mark.parametrize(
    "manifest",
    [
        {"kind": "StatefulSet", "spec": {"template": {"spec": POD}}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}},
    ],
    ids=["StatefulSet", "CronJob"],
)
def test_each_way_in_which_a_pod_refers_to_a_secret(manifest: dict[str, Any]) -> None:
    found = {
        one.name: [(each.key, each.use, each.target, each.optional) for each in one.references]
        for one in needed_secrets([manifest])
    }
    assert found == {
        "first": [("", "all keys", "", False)],
        "keys": [("a", "variable", "A", False), ("b", "variable", "B", True)],
        "whole": [("", "all keys", "", False)],
        "maybe": [("", "all keys", "", True)],
        "ca": [("ca.crt", "file", "extra-ca", False)],
        "pull": [("", "image pull", "", False)],
    }


def test_an_edge_without_annotations_asks_nobody_for_its_certificate() -> None:
    assert makers([{**INGRESS, "apiVersion": "networking.k8s.io/v1"}]) == {}
