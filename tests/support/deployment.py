"""An environment in a namespace of a real cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from convexctl.synth.environment import Environment
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane

WORKLOADS = ("StatefulSet", "Deployment", "Job")


def write_files(environment: Environment, folder: Path) -> Path:
    """Write the files of an environment to `folder`, as they are in `dist/<overlay>/`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in environment.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def namespace_of(cluster: ControlPlane, environment: Environment) -> str:
    """A new namespace for an environment: the one that it names, else one that was never there."""
    return cluster.namespace(environment.overlay.values.namespace)


def make_prerequisites(cluster: ControlPlane, namespace: str, manifests: Iterable[Object]) -> None:
    """Make what the pods of these manifests need so that they can be made, and what only the user can bring."""
    manifests = list(manifests)
    accounts = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ServiceAccount"}
    for pod in pod_specs(manifests):
        account, priority = pod.get("serviceAccountName"), pod.get("priorityClassName")
        if account and account not in accounts:
            cluster.create("v1", "ServiceAccount", {"metadata": {"name": account}}, namespace)
        if priority:
            cluster.api.delete("priorityclasses", "", priority)
            cluster.create("scheduling.k8s.io/v1", "PriorityClass", {"metadata": {"name": priority}, "value": 1000})
        for volume in pod.get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                make_claim(cluster, namespace, claim["claimName"])


def make_claim(cluster: ControlPlane, namespace: str, name: str) -> None:
    """Make a volume claim that nothing binds."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "any"}
    cluster.create("v1", "PersistentVolumeClaim", {"metadata": {"name": name}, "spec": spec}, namespace)


def pod_specs(objects: Iterable[Object]) -> list[Object]:
    """The pods that these workloads describe."""
    return [thing["spec"]["template"]["spec"] for thing in objects if thing["kind"] in WORKLOADS]


def containers(pod: Object) -> list[Object]:
    """All containers of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def kinds(manifests: Iterable[Object]) -> list[str]:
    """The kinds of these manifests, as `kubectl get` takes them."""
    found: dict[str, None] = {}
    for manifest in manifests:
        group, slash, version = manifest["apiVersion"].rpartition("/")
        found[f"{manifest['kind']}.{version}.{group}" if slash else manifest["kind"]] = None
    return list(found)


def key(thing: Any) -> str:
    """`Kind/name` of an object."""
    return f"{thing['kind']}/{thing['metadata']['name']}"
