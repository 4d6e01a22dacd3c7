"""Which Secrets manifests refer to: every name and key, so that notes, `secrets` and `preflight` speak of the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Use = Literal["variable", "file", "all keys", "image pull", "certificate"]


@dataclass(frozen=True)
class Reference:
    """One use of a Secret by one object.

    `target` is the variable or the volume that the key becomes; `key` is empty where all keys are meant or where the
    kind of the Secret fixes them. Without an `optional` one the pod starts all the same.
    """

    secret: str
    key: str
    use: Use
    target: str
    optional: bool


@dataclass(frozen=True)
class NeededSecret:
    """A Secret with all references to it. It is optional when each of them is."""

    name: str
    references: tuple[Reference, ...]

    @property
    def optional(self) -> bool:
        """Whether everything starts without it."""
        return all(reference.optional for reference in self.references)

    @property
    def use(self) -> Use:
        """What it is for; a Secret has one kind of use here."""
        return self.references[0].use

    def keys(self) -> dict[str, Reference]:
        """Its keys, each with the reference that needs it most."""
        keys: dict[str, Reference] = {}
        for reference in sorted(self.references, key=lambda reference: reference.optional):
            if reference.key:
                keys.setdefault(reference.key, reference)
        order = {reference.key: index for index, reference in reversed(list(enumerate(self.references)))}
        return dict(sorted(keys.items(), key=lambda item: order[item[0]]))


def needed_secrets(manifests: Iterable[Mapping[str, Any]]) -> list[NeededSecret]:
    """Every Secret that the manifests refer to and do not hold themselves, in the order of the references."""
    found: dict[str, list[Reference]] = {}
    for manifest in manifests:
        for reference in _references(manifest):
            found.setdefault(reference.secret, []).append(reference)
    return [NeededSecret(name, tuple(references)) for name, references in found.items()]


def _references(manifest: Mapping[str, Any]) -> Iterator[Reference]:
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "Ingress":
        for entry in spec.get("tls") or []:
            if entry.get("secretName"):
                yield Reference(entry["secretName"], "", "certificate", ", ".join(entry.get("hosts") or []), True)
        return
    pod = (spec.get("template") or {}).get("spec") or {}
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for variable in container.get("env") or []:
            source = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if source:
                optional = bool(source.get("optional"))
                yield Reference(source["name"], source["key"], "variable", variable["name"], optional)
        for source in container.get("envFrom") or []:
            if secret := source.get("secretRef"):
                yield Reference(secret["name"], "", "all keys", "", bool(secret.get("optional")))
    for volume in pod.get("volumes") or []:
        if secret := volume.get("secret"):
            for item in secret.get("items") or []:
                optional = bool(secret.get("optional"))
                yield Reference(secret["secretName"], item["key"], "file", volume["name"], optional)
    for secret in pod.get("imagePullSecrets") or []:
        yield Reference(secret["name"], "", "image pull", "", False)
