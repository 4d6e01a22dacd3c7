"""How far a volume reaches: the disk of one node, or a file system of the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from convexctl.behaviour.decisions import Decision
from convexctl.behaviour.manifests import Manifests, dig, mapping, text
from convexctl.behaviour.volumes import Disk

_NETWORK_KINDS = ("nfs", "cephfs", "glusterfs", "azureFile", "quobyte")
_NETWORK = re.compile(
    r"(^|[-_./])(nfs|efs|cephfs|azure-?file|smb|cifs|glusterfs|filestore|juicefs|nfs-client|nfs-subdir|beegfs|lustre|fsx|rwx|file\.csi\.azure)"
    r"($|[-_./0-9])"
)
"""Names of storage classes, their provisioners and drivers for file systems of the network."""
_NODE = re.compile(
    r"(^|[-_./])(local-path|local-storage|hostpath|local-hostpath|openebs-(local|hostpath|lvm\w*|zfs\w*)|topolvm|"
    r"no-provisioner|local\.csi\.openebs|localvolume|lvm-local)($|[-_./0-9])"
)
"""The same for disks of one node."""


def volume_reach(manifests: Manifests, disk: Disk, volume: Mapping[str, Any]) -> Decision | None:
    """How far the volume of a disk reaches, as far as its kind, class or driver says."""
    if disk.kind in _NETWORK_KINDS:
        return _network(disk, disk.kind)
    if disk.kind == "csi":
        return _by_name(disk, text(dig(volume, "csi", "driver")))
    if disk.claim is None:
        return None
    bound = manifests.find("PersistentVolume", "", text(disk.claim.spec.get("volumeName")))
    if bound is not None:
        spec = mapping(bound.get("spec"))
        kind = next((kind for kind in (*_NETWORK_KINDS, "local", "hostPath") if kind in spec), "")
        if kind:
            return _node(disk, f"a {kind} volume") if kind in ("local", "hostPath") else _network(disk, kind)
        return _by_name(disk, text(dig(spec, "csi", "driver")))
    name = text(disk.claim.spec.get("storageClassName"))
    if not name:
        return None
    provisioner = text(mapping(manifests.find("StorageClass", "", name)).get("provisioner"))
    return _by_name(disk, provisioner or name)


def _by_name(disk: Disk, name: str) -> Decision | None:
    if _NETWORK.search(name):
        return _network(disk, name)
    return _node(disk, name) if _NODE.search(name) else None


def _network(disk: Disk, what: str) -> Decision:
    source = disk.claim.source if disk.claim else disk.source
    return Decision("network", f"{what}, a file system of the network", "its kind, class or driver", source)


def _node(disk: Disk, what: str) -> Decision:
    source = disk.claim.source if disk.claim else disk.source
    return Decision("node", f"{what}, on the disk of one node", "its kind, class or driver", source)
