"""Which Secrets manifests refer to."""

from __future__ import annotations

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
