"""Writers: what lets two backends run at once."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, rule
from convexctl.audit.rules.database import MOST_COMPARED
from convexctl.behaviour import Backend, Decision
from convexctl.behaviour.manifests import same_namespace


@rule(
    "several-writers",
    Severity.ERROR,
    "More than one backend at a time",
    reason="A backend is one process. On Postgres and MySQL a second one takes the lease, and the first ends with "
    "code 0 at its next transaction. They take turns. On SQLite nothing guards the file, and two pods on one "
    "volume corrupt it.",
    basis="the server's lease; SQLite has none",
    parameter="replicaCount: 1 (the backend is always one; dashboard.replicaCount scales the dashboard)",
    change="set replicas to 1 and remove the autoscaler",
)
def several_writers(view: View) -> Iterator[Hit]:
    """Replicas, autoscalers and DaemonSets."""
    for backend in view.behaviour.backends:
        if backend.writers.value == "several":
            message = f"{backend.writers.text} backends at a time ({backend.writers.why})"
            yield hit(backend, backend.writers, message)


@rule(
    "overlapping-update",
    Severity.ERROR,
    "An update starts the new backend beside the old one",
    reason="A Deployment's rolling update starts the new pod before it stops the old one. With maxSurge: 0 the new "
    "pod still starts while the old one is stopping. Two backends then fight over the database's lease, or write to "
    "one SQLite file. With a ReadWriteOnce volume on another node the update hangs instead.",
    basis="Kubernetes: Deployment strategy; the server's lease",
    parameter="none: the backend is a StatefulSet, which ends the old pod first",
    change="set strategy.type: Recreate, or use a StatefulSet",
)
def overlapping_update(view: View) -> Iterator[Hit]:
    """Rolling updates with a surge."""
    for backend in view.behaviour.backends:
        if backend.writers.value == "overlap":
            yield hit(backend, backend.writers, f"at an update: {backend.writers.why}")


@rule(
    "shared-volume",
    Severity.WARNING,
    "SQLite on a volume that several nodes may mount",
    reason="SQLite's file has no guard against a second writer, and ReadWriteMany lets a writer on another node in. "
    "File locks over a network do not help.",
    basis="the server's SQLite storage; Kubernetes' access modes",
    parameter="backend.persistence.accessMode: ReadWriteOncePod (or ReadWriteOnce)",
    change="use ReadWriteOncePod, or ReadWriteOnce if the cluster lacks it",
)
def shared_volume(view: View) -> Iterator[Hit]:
    """ReadWriteMany under SQLite."""
    for backend in view.behaviour.backends:
        modes = backend.access_modes
        on_network = backend.volume_reach is not None and backend.volume_reach.value == "network"
        if modes and not on_network and backend.engine.value == "sqlite" and "ReadWriteMany" in _texts(modes):
            yield Hit(backend, modes.source, f"the claim's access modes: {modes.text}", unless=backend.engine.unless)


@rule(
    "shared-claim",
    Severity.ERROR,
    "Two backends on one volume claim",
    reason="On one node both pods mount the claim, even with ReadWriteOnce. They write to one SQLite file, which has "
    "no guard, or into one folder of files, and read each other's instance secret. On two nodes the second pod "
    "never starts.",
    basis="entry point of the backend's image; Kubernetes' access modes",
    parameter="backend.persistence.existingClaim: another for each release",
    change="give each backend a claim of its own",
)
def shared_claim(view: View) -> Iterator[Hit]:
    """Backends whose data is on the same claim."""
    mounting: dict[str, list[Backend]] = {}
    for other in view.behaviour.backends:
        if other.claim is None:
            continue
        known = mounting.setdefault(str(other.claim.value), [])
        for one in known[:MOST_COMPARED]:
            if one.place != other.place and _in_one_namespace(one, other):
                yield hit(other, other.claim, f"{one} mounts {other.claim.text} too")
                break
        known.append(other)


def _in_one_namespace(one: Backend, other: Backend) -> bool:
    """Whether two backends may be in one namespace. If they have one kind and name, a namespace left out is another."""
    if one.namespace != other.namespace and str(one) == str(other):
        return False
    return same_namespace(one.namespace, other.namespace)


def _texts(decision: Decision) -> tuple[str, ...]:
    return decision.value if isinstance(decision.value, tuple) else ()
