"""Who makes a Secret that the manifests refer to: the one answer, which callers put into their own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from convex_k8s.values.checks.metadata import CLOUD_NATIVE_PG

from convexctl.secrets.needed import made_by_job, needed_secrets

ISSUERS = {"cert-manager.io/cluster-issuer": "ClusterIssuer", "cert-manager.io/issuer": "Issuer"}
"""Annotations of an Ingress or Gateway by which cert-manager makes certificates, each with the kind that it names."""
ACME = "kubernetes.io/tls-acme"
"""The annotation by which cert-manager makes certificates with its default issuer. Others of its annotations only
configure."""
DEFAULT_ISSUER = "default issuer"

By = Literal["external-secrets", "sealed-secrets", "job", "cert-manager", "cloudnative-pg"]


@dataclass(frozen=True)
class Maker:
    """An object of the environment, or a controller that it tells, by which a Secret comes into being."""

    by: By
    kind: str
    """The kind that has the say: the object's own, or the issuer's."""
    name: str
    """The name of that object; empty for cert-manager's default issuer."""
    manifest: Mapping[str, Any] = field(repr=False)


def makers(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Maker]:
    """The Secrets that something in the manifests makes, each with what makes it."""
    return {secret: maker for manifest in manifests for secret, maker in _made_by(manifest)}


def _made_by(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Maker]]:
    name, kind = str(manifest["metadata"]["name"]), str(manifest["kind"])
    match kind:
        case "ExternalSecret":
            yield manifest["spec"]["target"]["name"], Maker("external-secrets", kind, name, manifest)
        case "SealedSecret":
            yield name, Maker("sealed-secrets", kind, name, manifest)
        case "Job":
            for secret in made_by_job(manifest):
                yield secret, Maker("job", kind, name, manifest)
        case "StatefulSet":
            if cluster := (manifest["metadata"].get("annotations") or {}).get(CLOUD_NATIVE_PG):
                yield from _of_cluster(cluster, manifest)
        case "Cluster" if str(manifest["apiVersion"]).startswith("postgresql.cnpg.io/"):
            yield from _of_cluster(name, manifest)
        case "Ingress" | "Gateway":
            if issuer := _issuer(manifest):
                for needed in needed_secrets([manifest]):
                    yield needed.name, Maker("cert-manager", *issuer, manifest)


def _of_cluster(name: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Maker]]:
    """The Secrets that CloudNativePG makes with a Cluster, and not those that the Cluster itself refers to."""
    spec = _mapping(manifest.get("spec")) if manifest["kind"] == "Cluster" else {"enableSuperuserAccess": True}
    given = set(_secrets_named(spec))
    superuser = ["superuser"] if spec.get("enableSuperuserAccess") is True else []
    for part in ("app", *superuser, "ca", "server", "replication"):
        if (secret := f"{name}-{part}") not in given:
            yield secret, Maker("cloudnative-pg", "Cluster", name, manifest)


def _secrets_named(spec: Mapping[str, Any]) -> Iterator[str]:
    """The Secrets that a Cluster is given."""
    ways = _mapping(spec.get("bootstrap")).values()
    for reference in (spec.get("superuserSecret"), *(_mapping(way).get("secret") for way in ways)):
        yield str(_mapping(reference).get("name"))
    yield from map(str, _mapping(spec.get("certificates")).values())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _issuer(manifest: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and name of the issuer that an Ingress or Gateway names; None if cert-manager leaves it alone."""
    annotations = manifest["metadata"].get("annotations") or {}
    for key, kind in ISSUERS.items():
        if annotations.get(key):
            return kind, str(annotations[key])
    return (DEFAULT_ISSUER, "") if annotations.get(ACME) == "true" else None
