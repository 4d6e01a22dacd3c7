"""What pods name and cannot start without, beside the objects that have sections of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet", "Job", "CronJob")
_ADMINISTRATORS = "the cluster has it, or its administrators make it"


class Need(NamedTuple):
    """An object that must exist before a pod starts."""

    kind: str
    name: str
    option: str = ""
    """The option by which `kubectl create` takes the content of a ConfigMap or Secret."""
    who: str = ""
    """Who makes any other object."""


def pod_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec of a workload's pods; empty for another object."""
    if manifest["kind"] not in _WORKLOADS:
        return {}
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod: Mapping[str, Any] = (spec.get("template") or {}).get("spec") or {}
    return pod


def containers_of(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All containers of a workload's pods."""
    pod = pod_of(manifest)
    return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]


def needs(manifest: Mapping[str, Any]) -> Iterator[Need]:
    """What the pods of an object need. A Secret of which single keys are named is no part of it."""
    yield from _variables(manifest)
    volumes = pod_of(manifest).get("volumes") or []
    for part in (_files, _drivers):
        for volume in volumes:
            yield from part(volume)
    if manifest["kind"] == "Cluster" and str(manifest["apiVersion"]).startswith("postgresql.cnpg.io/"):
        storage = [(manifest.get("spec") or {}).get(name) or {} for name in ("storage", "walStorage")]
        for name in filter(None, (each.get("storageClass") for each in storage)):
            yield Need("StorageClass", name, who=_ADMINISTRATORS)


def _variables(manifest: Mapping[str, Any]) -> Iterator[Need]:
    """The ConfigMaps that become variables."""
    references = []
    for container in containers_of(manifest):
        references += [source.get("configMapRef") for source in container.get("envFrom") or []]
        sources = [variable.get("valueFrom") or {} for variable in container.get("env") or []]
        references += [source.get("configMapKeyRef") for source in sources]
    for reference in references:
        if reference and not reference.get("optional"):
            yield Need("ConfigMap", str(reference["name"]), "from-env-file")


def _files(volume: Mapping[str, Any]) -> Iterator[Need]:
    """The ConfigMaps and the whole Secrets that become files. A Secret with `items` has a section of its own."""
    for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
        config_map, secret = source.get("configMap") or {}, source.get("secret") or {}
        if config_map and not config_map.get("optional"):
            yield Need("ConfigMap", str(config_map["name"]), "from-file")
        name = secret.get("secretName") if source is volume else secret.get("name")
        if name and not secret.get("optional") and not (source is volume and secret.get("items")):
            yield Need("Secret", str(name), "from-file")


def _drivers(volume: Mapping[str, Any]) -> Iterator[Need]:
    """What a volume needs of the cluster."""
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
    if storage_class := (template.get("spec") or {}).get("storageClassName"):
        yield Need("StorageClass", storage_class, who=_ADMINISTRATORS)
    if csi := volume.get("csi"):
        yield Need("CSIDriver", csi["driver"], who="the administrators of the cluster install it")
        if provider := (csi.get("volumeAttributes") or {}).get("secretProviderClass"):
            yield Need("SecretProviderClass", provider, who="you make it, in the namespace")
