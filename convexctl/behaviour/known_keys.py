"""Which keys a ConfigMap or Secret has, as far as the manifests say: its own data, or the object that makes it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from convexctl.behaviour.manifests import Manifest, Manifests, dig, mapping, sequence, source_of, text
from convexctl.behaviour.source import Source

Keys = dict[str, tuple[str | None, Source]]
"""Each key with its value and place. The value is None if only the key can be seen."""

CNPG_URIS = ("uri", "fqdn-uri", "jdbc-uri", "fqdn-jdbc-uri")
"""Keys of CloudNativePG's Secrets for logins that are URLs. Each of them ends in the database's name, or in `*`."""
CNPG_LOGINS = ("app", "superuser")
"""Endings of CloudNativePG's Secrets for logins."""
_LOGIN = ("username", "user", "password", "dbname", "host", "port", "pgpass", *CNPG_URIS)
_CNPG_KEYS = {
    **dict.fromkeys(CNPG_LOGINS, _LOGIN),
    "ca": ("ca.crt", "ca.key"),
    "server": ("tls.crt", "tls.key"),
    "replication": ("tls.crt", "tls.key"),
}
"""The Secrets that a Cluster makes, by what follows its name, each with its keys."""


def keys_of(manifests: Manifests, kind: str, namespace: str, name: str) -> Keys | None:
    """The keys of a ConfigMap or Secret, or None if neither it nor what makes it is among the manifests.

    An object that is known to be absent, as `--live` can tell, has no keys.
    """
    manifest = manifests.find(kind, namespace, name)
    if manifest is None:
        made = _made(manifests, namespace, name) if kind == "Secret" else None
        return {} if made is None and manifests.lists_all(kind) else made
    place = source_of(manifest)
    keys: Keys = {}
    for key, value in _by_name(manifest.get("data")):
        keys[key] = (_decoded(value) if kind == "Secret" else text(value), place.at("data", key))
    if kind == "Secret":
        for key, value in _by_name(manifest.get("stringData")):
            keys[key] = (None if value is None else text(value), place.at("stringData", key))
    return keys


def absent(manifests: Manifests, kind: str, namespace: str, name: str) -> bool:
    """Whether a ConfigMap or Secret is known not to exist, nor anything that makes it."""
    return (
        manifests.lists_all(kind)
        and not keys_of(manifests, kind, namespace, name)
        and (manifests.find(kind, namespace, name) is None)
    )


def cnpg_cluster(manifests: Manifests, namespace: str, secret: str) -> Manifest | None:
    """The CloudNativePG Cluster that makes a Secret, if it is among the manifests."""
    name, _, part = secret.rpartition("-")
    cluster = cnpg_cluster_named(manifests, namespace, name) if part in _CNPG_KEYS else None
    return cluster if cluster is not None and _makes(cluster, part) else None


def cnpg_cluster_named(manifests: Manifests, namespace: str, name: str) -> Manifest | None:
    """A CloudNativePG Cluster among the manifests."""
    cluster = manifests.find("Cluster", namespace, name)
    return cluster if cluster is not None and "postgresql.cnpg.io" in text(cluster.get("apiVersion")) else None


def _makes(cluster: Manifest, part: str) -> bool:
    """Whether a Cluster makes one of its Secrets, and is not given another one instead."""
    spec = mapping(cluster.get("spec"))
    certificates = mapping(spec.get("certificates"))
    if part == "superuser":
        return spec.get("enableSuperuserAccess") is True and not spec.get("superuserSecret")
    if part == "app":
        ways = {way: mapping(given) for way, given in mapping(spec.get("bootstrap")).items()}
        named = all(way == "initdb" or (given.get("database") and given.get("owner")) for way, given in ways.items())
        return named and not any(given.get("secret") for given in ways.values())
    given_by = {"ca": "serverCASecret", "server": "serverTLSSecret", "replication": "replicationTLSSecret"}
    return not certificates.get(given_by[part])


def _made(manifests: Manifests, namespace: str, name: str) -> Keys | None:
    """The keys of a Secret that another object makes."""
    for sealed in manifests.made_by("SealedSecret", namespace, name):
        keys = [*mapping(dig(sealed, "spec", "encryptedData")), *mapping(dig(sealed, "spec", "template", "data"))]
        return _unseen(keys, source_of(sealed, "spec", "encryptedData"))
    for external in manifests.made_by("ExternalSecret", namespace, name):
        return _external(external)
    if (cluster := cnpg_cluster(manifests, namespace, name)) is not None:
        return _unseen(_CNPG_KEYS[name.rpartition("-")[2]], source_of(cluster))
    return None


def _external(external: Manifest) -> Keys | None:
    """The keys that an ExternalSecret names; None if it takes over all that a store holds."""
    spec = mapping(external.get("spec"))
    place = source_of(external, "spec", "data")
    template = mapping(dig(spec, "target", "template"))
    entries = [text(mapping(entry).get("secretKey")) for entry in sequence(spec.get("data"))]
    if sequence(template.get("templateFrom")):
        return None
    if data := mapping(template.get("data")):
        if template.get("mergePolicy") != "Merge":
            return _unseen(data, place)
        entries += list(data)
    return None if sequence(spec.get("dataFrom")) else _unseen(entries, place)


def _unseen(keys: Iterable[object], place: Source) -> Keys:
    return {str(key): (None, place) for key in keys if key}


def _by_name(data: object) -> list[tuple[str, object]]:
    """The entries of a map; a key that is not a string, which Kubernetes refuses, reads as text."""
    return [(str(key), value) for key, value in mapping(data).items()]


def _decoded(value: object) -> str | None:
    if value is None:
        return None
    try:
        return base64.b64decode(text(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
