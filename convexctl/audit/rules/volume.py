"""Volumes: what is lost with a pod, with a node or with the manifests."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, obstacles, rule
from convexctl.behaviour import Backend, Decision

_LOST = ("nothing", "container")


@rule(
    "data-lost-with-pod",
    Severity.ERROR,
    "Documents or files that go with the pod",
    reason="Without a database server documents lie in SQLite, and without S3 files, deployed code, exports and "
    "search indexes lie in a folder, both under /convex/data. An emptyDir goes with the pod at every update or "
    "drain; without a volume a restart of the container is enough.",
    basis="entry point of the backend's image; Kubernetes' volumes",
    parameter="backend.persistence.enabled: true (or postgres.enabled and s3.enabled)",
    change="mount a claim at /convex/data",
)
def data_lost(view: View) -> Iterator[Hit]:
    """Data on the container's layer, or on a volume of the pod."""
    for backend in view.behaviour.backends:
        for what, decision in _on_disk(backend):
            if decision.value in _LOST:
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "data-on-one-node",
    Severity.WARNING,
    "Documents or files on one node's disk",
    reason="A hostPath is a folder of one node: a pod that is scheduled elsewhere starts empty.",
    basis="Kubernetes' volumes",
    parameter="backend.persistence.enabled: true",
    change="use a claim, or bind the pod to the node",
)
def data_on_one_node(view: View) -> Iterator[Hit]:
    """Data on a hostPath."""
    for backend in view.behaviour.backends:
        for what, decision in _on_disk(backend):
            if decision.value == "node":
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "data-lost-with-manifests",
    Severity.WARNING,
    "Documents or files that go with the manifests",
    reason="A claim that stands in the manifests as an object is deleted with them: by `kubectl delete -f`, by "
    "pruning in Argo CD and Flux, by `helm uninstall`. One that a StatefulSet makes from a template stays, "
    "unless its retention policy says otherwise. A Namespace among the manifests takes every claim in it along, also "
    "those of a template and those made elsewhere, and the Secrets too.",
    basis="Kubernetes: owner and life of a PersistentVolumeClaim; deletion of a Namespace",
    parameter="backend.persistence.enabled: true (a template), or backend.persistence.existingClaim; createNamespace "
    "writes the Namespace into a file of its own",
    change="use volumeClaimTemplates, and keep the manifests of claims and of the Namespace apart from those that are "
    "deleted",
)
def data_lost_with_manifests(view: View) -> Iterator[Hit]:
    """Data on a claim that is deleted with its manifest."""
    for backend in view.behaviour.backends:
        for what, decision in _on_disk(backend):
            if decision.value == "pod":
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "claim-not-mounted",
    Severity.ERROR,
    "A volume claim that holds nothing of Convex",
    reason="The backend writes to /convex/data and nowhere else: a claim that is not mounted there stays empty, and "
    "the data lies on something that does not last.",
    basis="entry point of the backend's image (DATA_DIR)",
    parameter="backend.persistence.enabled or backend.persistence.existingClaim: always mounted at /convex/data",
    change="mount the claim at /convex/data",
)
def claim_not_mounted(view: View) -> Iterator[Hit]:
    """Claims that are made and not mounted where the data is."""
    for backend in view.behaviour.backends:
        if backend.claims_astray:
            data = (backend.environment.read("DATA_DIR").shown or "/convex/data").rstrip("/") or "/"
            yield hit(backend, backend.claims_astray, f"{backend.claims_astray.text} is not mounted at {data}")


@rule(
    "no-volume",
    Severity.INFORMATION,
    "No volume at /convex/data",
    reason="Even with an outside database and S3 the backend writes there: temporary files, a search cache of 500 MiB "
    "and a copy of the instance secret end in the container's own layer, which counts as the node's ephemeral "
    "storage.",
    basis="entry point of the backend's image",
    parameter="none: a volume is always mounted there",
    change="mount an emptyDir at /convex/data",
)
def no_volume(view: View) -> Iterator[Hit]:
    """Nothing mounted, where that loses nothing."""
    for backend in view.behaviour.backends:
        if backend.data_volume.value == "none":
            yield hit(backend, backend.data_volume, backend.data_volume.text)


@rule(
    "data-read-only",
    Severity.ERROR,
    "/convex/data cannot be written",
    reason="The entry point makes folders there before it starts the server.",
    basis="entry point of the backend's image",
    parameter="none: the volume is always writable",
    change="mount a writable volume",
)
def data_read_only(view: View) -> Iterator[Hit]:
    """Read-only volumes."""
    yield from obstacles(view, "read-only")


def _on_disk(backend: Backend) -> Iterator[tuple[str, Decision]]:
    """What of a backend is on a disk, with what the disk survives."""
    if backend.engine.value == "sqlite":
        yield "documents", backend.database_outlives
    if backend.files.value == "disk":
        yield "files", backend.files_outlive
