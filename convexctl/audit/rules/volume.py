"""Volumes: what is lost with a pod, with a node or with the manifests."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, obstacles, rule
from convexctl.behaviour import Backend, Decision
from convexctl.behaviour.manifests import items, mapping, sequence, text
from convexctl.behaviour.quantities import quantity

LEAST_CLAIM = 1024**3
_SYSTEM_FOLDERS = ("/", "/usr", "/bin", "/lib", "/lib64", "/usr/bin", "/usr/lib")
_LOST = ("nothing", "container")


@rule(
    "data-lost-with-pod",
    Severity.ERROR,
    "Documents or files that are lost with the pod",
    reason="Without a database server, documents are in SQLite. Without S3, files, deployed code, exports and search "
    "indexes are in a folder. Both are under /convex/data. An emptyDir is deleted with the pod, at every update or "
    "drain. Without a volume a restart of the container is enough to lose the data.",
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
    reason="A hostPath is a folder of one node: a pod that is scheduled elsewhere starts empty. A claim of a class "
    "such as local-path binds the pod to the node, and what is on it is lost with the node's disk.",
    basis="Kubernetes' volumes; classes of local volumes",
    parameter="backend.persistence.enabled: true",
    change="use a class whose volumes outlive a node; else keep exports elsewhere, and restore them in a drill",
)
def data_on_one_node(view: View) -> Iterator[Hit]:
    """Data on a hostPath."""
    for backend in view.behaviour.backends:
        for what, decision in _on_disk(backend):
            if decision.value == "node":
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)
        reach = backend.volume_reach
        kept = [what for what, _ in _on_disk(backend)]
        if reach and reach.value == "node" and kept:
            yield Hit(backend, reach.source, f"{' and '.join(kept)} are on {reach.text}: lost with it")


@rule(
    "data-lost-with-manifests",
    Severity.WARNING,
    "Documents or files that are lost with the manifests",
    reason="A claim that is an object of the manifests is deleted with them: by `kubectl delete -f`, by pruning in "
    "Argo CD and Flux, by `helm uninstall`. A claim that a StatefulSet makes from a template stays, unless its "
    "retention policy says otherwise. Deleting a Namespace deletes every claim and every Secret in it.",
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
    reason="The backend writes to /convex/data and nowhere else. A claim that is not mounted there stays empty, and "
    "the data is on something that does not last.",
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
    "programs-hidden",
    Severity.ERROR,
    "A volume that hides the image's programs",
    reason="The entry point and the server are in /convex, the dashboard is in /app. A volume that is mounted there, "
    "or over a folder of the system, covers them, and the container cannot start. Data goes below: /convex/data.",
    basis="files of the images; Kubernetes' mounts",
    parameter="none: the volume is always mounted at /convex/data",
    change="mount the volume at /convex/data",
)
def programs_hidden(view: View) -> Iterator[Hit]:
    """Mounts over the folders of programs; an init container that has the volume too may fill it."""
    for component in view.behaviour.components:
        own = "/app" if component.TITLE == "dashboard" else "/convex"
        for step, mount in items(component.container_spec.get("volumeMounts")):
            at = posixpath.normpath(text(mount.get("mountPath")) or ".")
            if at not in (own, *_SYSTEM_FOLDERS):
                continue
            fills = [
                text(container.get("name"))
                for container in map(mapping, sequence(component.pod_spec.get("initContainers")))
                for other in map(mapping, sequence(container.get("volumeMounts")))
                if other.get("name") == mount.get("name")
            ]
            unless = f"the init container {fills[0]} copies them into it" if fills else ""
            source = component.source.at("volumeMounts", step)
            yield Hit(component, source, f"the volume at {at} hides the image's programs", unless=unless)


@rule(
    "sqlite-on-network-disk",
    Severity.WARNING,
    "SQLite on a file system of the network",
    reason="SQLite relies on file locks and on syncing. NFS and similar file systems do not keep them as a local "
    "disk does: the database may become corrupt, and it is slow.",
    basis="the server's SQLite storage; SQLite over a network",
    parameter="backend.persistence.storageClassName: a class of block volumes; or postgres.enabled: true",
    change="use a class of block volumes, or Postgres",
)
def sqlite_on_network_disk(view: View) -> Iterator[Hit]:
    """NFS, EFS, CephFS, SMB and the like under SQLite."""
    for backend in view.behaviour.backends:
        reach = backend.volume_reach
        if reach and reach.value == "network" and backend.engine.value == "sqlite":
            yield Hit(backend, reach.source, f"SQLite is on {reach.text}", unless=backend.engine.unless)


@rule(
    "claim-too-small",
    Severity.WARNING,
    "A claim that is too small for the backend",
    reason="The search cache alone may take 500 MiB. Temporary files, deployed code and exports need space too. A "
    "full disk stops the backend.",
    basis="the server's caches and its temporary files",
    parameter="backend.persistence.size (5Gi by default)",
    change="ask for at least 1Gi, and for several Gi with SQLite or files on the disk",
)
def claim_too_small(view: View) -> Iterator[Hit]:
    """Claims under 1 GiB."""
    for backend in view.behaviour.backends:
        size = backend.claim_size
        least = quantity(str(size.value)) if size and size.value else None
        if size and least is not None and least < LEAST_CLAIM:
            yield Hit(backend, size.source, f"the claim asks for {size.text}")


@rule(
    "no-volume",
    Severity.INFORMATION,
    "No volume at /convex/data",
    reason="Even with an outside database and S3 the backend writes to /convex/data: temporary files, a search cache "
    "of 500 MiB and a copy of the instance secret. Without a volume they are in the container's own layer, which "
    "counts as the node's ephemeral storage.",
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
    """What of a backend is on a disk, with what the disk survives; once if both are on the same one."""
    documents, files = backend.engine.value == "sqlite", backend.files.value == "disk"
    same = (backend.database_outlives.source, backend.database_outlives.value) == (
        backend.files_outlive.source,
        backend.files_outlive.value,
    )
    if documents and files and same and backend.database_outlives.unless == backend.files_outlive.unless:
        yield "documents and files", backend.database_outlives
        return
    if documents:
        yield "documents", backend.database_outlives
    if files:
        yield "files", backend.files_outlive
