"""The database server that an environment makes itself: CloudNativePG's Cluster, and its volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.behaviour.manifests import Manifest, dig, source_of, text
from convexctl.behaviour.quantities import quantity
from convexctl.changes.irreversible.model import Explanation, Side, rule
from convexctl.wording import listed

NO_CLUSTER = "none"
_VOLUMES = (("", "storage"), ("WAL ", "walStorage"))


def _clusters(side: Side) -> dict[str, Manifest]:
    clusters = side.manifests.of_kind("Cluster")
    return {source_of(each).name: each for each in clusters if "postgresql.cnpg.io" in text(each.get("apiVersion"))}


def _names(side: Side) -> str:
    return ", ".join(sorted(_clusters(side))) or NO_CLUSTER


def _gone(before: Side, after: Side) -> list[str]:
    return sorted(_clusters(before).keys() - _clusters(after).keys())


@rule("database-cluster", _names, lambda before, after: bool(_gone(before, after)))
def database_cluster(before: Side, after: Side) -> Explanation:
    """A Cluster that holds documents leaves the manifests, or gets another name."""
    gone = _gone(before, after)
    names = listed(gone, "and")
    happens = f"all documents are in the Cluster {names}, and its volumes are deleted with it"
    if _clusters(after):
        happens += f". {_names(after)} is a new and empty one"
    cure = (
        f"keep it. kubectl, Argo CD and Flux leave {names} in the cluster when it is no longer in the manifests, so "
        "the acknowledgement is enough if somebody else looks after it from now on. To move, restore a backup into "
        "the new Cluster with the backend stopped, or export and import"
    )
    return Explanation(happens, cure, (f"{before.kubectl} get cluster.postgresql.cnpg.io",))


def _described(side: Side, *field: str) -> str | None:
    """One field of each volume of each Cluster; None without a Cluster."""
    found = []
    for name, cluster in sorted(_clusters(side).items()):
        for title, storage in _VOLUMES:
            if value := text(dig(cluster, "spec", storage, *field)):
                found.append(f"{title}{value}" if len(_clusters(side)) == 1 else f"{name} {title}{value}")
    return ", ".join(found) or (NO_CLUSTER if _clusters(side) else None)


def _both(before: Side, after: Side) -> Iterator[tuple[str, Manifest, Manifest]]:
    old, new = _clusters(before), _clusters(after)
    yield from ((name, old[name], new[name]) for name in sorted(old.keys() & new.keys()))


def _shrinks(before: Side, after: Side) -> bool:
    for _, old, new in _both(before, after):
        for _, storage in _VOLUMES:
            sizes = [quantity(text(dig(side, "spec", storage, "size"))) or 0 for side in (old, new)]
            if sizes[1] < sizes[0]:
                return True
    return False


@rule("database-size", lambda side: _described(side, "size"), _shrinks)
def database_size(before: Side, after: Side) -> Explanation:
    """A volume of the Cluster gets smaller, or that of its write-ahead log goes."""
    happens = "the operator does not shrink a volume or remove the one of the write-ahead log: apply would fail"
    cure = "keep the size. A smaller database is a new Cluster: restore a backup into it, or export and import"
    return Explanation(happens, cure)


def _class_differs(before: Side, after: Side) -> bool:
    return any(
        dig(old, "spec", storage) is not None
        and dig(new, "spec", storage) is not None
        and dig(old, "spec", storage, "storageClass") != dig(new, "spec", storage, "storageClass")
        for _, old, new in _both(before, after)
        for _, storage in _VOLUMES
    )


def _classes(side: Side) -> str | None:
    described = _described(side, "storageClass")
    return "default" if described == NO_CLUSTER else described


@rule("database-class", _classes, _class_differs)
def database_class(before: Side, after: Side) -> Explanation:
    """Volumes of the Cluster get another StorageClass."""
    (name, *_) = sorted(_clusters(after))
    happens = "instances that exist keep their volumes: the new class is for instances that are made later"
    cure = (
        "if that is meant, acknowledge and apply, then let the operator recreate one instance after the other, each "
        "when the one before is a replica again. With one instance there is no other to copy from: keep the class"
    )
    claim = f"{after.kubectl} delete pvc/{name}-N pod/{name}-N   # N: one replica, never the primary"
    return Explanation(happens, cure, (f"{after.kubectl} get pods -l cnpg.io/cluster={name} -L role", claim))


def _version(side: Side) -> str | None:
    """The major version of PostgreSQL, as far as the images' tags say it."""
    tags = (re.search(r":(\d+)[^/]*$", text(dig(each, "spec", "imageName"))) for each in _clusters(side).values())
    return ", ".join(tag[1] for tag in tags if tag) or None


@rule("database-version", _version, lambda before, after: any(True for _ in _both(before, after)))
def database_version(before: Side, after: Side) -> Explanation:
    """The Cluster gets another major version of PostgreSQL."""
    happens = (
        "the operator upgrades the data in place, with the database down meanwhile. There is no way back: a lower "
        "major version is refused"
    )
    cure = "back up first. Stop the backend, acknowledge, synth, apply, wait for the Cluster, start the backend"
    stop = f"{before.kubectl} scale {before.workload} --replicas=0"
    return Explanation(happens, cure, (stop,))
