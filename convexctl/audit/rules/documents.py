"""The documents themselves."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, rule
from convexctl.behaviour.manifests import source_of


@rule(
    "object-twice",
    Severity.WARNING,
    "Two different documents for one object",
    reason="Two documents with the same kind, namespace and name are one object. The document that is applied last "
    "replaces the other document, and the order of the files decides which document is last. A finding on this "
    "object is about one of the two.",
    basis="Kubernetes: the identity of an object",
    parameter="releaseName, namespace and cluster: another for each environment",
    change="remove one of them, or give each its own name or namespace; audit each environment alone",
)
def object_twice(view: View) -> Iterator[Hit]:
    """Objects that differ and have one identity."""
    for same in view.manifests.twice():
        source = source_of(same[0])
        yield Hit(None, source, f"{len(same)} documents are {source}, and they differ")
