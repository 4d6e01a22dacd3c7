"""Where a release keeps its data: database, instance, S3, volume."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from convexctl.adopt.draft import DEFAULTS, Draft
from convexctl.adopt.release import Release
from convexctl.behaviour import Backend
from convexctl.behaviour.backend import DEFAULT_NAME
from convexctl.behaviour.database import DEFAULT_CONNECTIONS
from convexctl.behaviour.manifests import dig, mapping, text
from convexctl.wording import listed

_REFERENCE = re.compile(r"Secret/(?P<secret>.+)\[(?P<key>.+)\]")
_S3_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "accessKeyId",
    "AWS_SECRET_ACCESS_KEY": "secretAccessKey",
    "S3_ENDPOINT_URL": "endpoint",
    "AWS_REGION": "region",
}
"""Variables of the S3 client by the key in `s3.keys` that names where they are."""


def secret_key(reference: str) -> tuple[str, str] | None:
    """Split a reference of the behaviour model into the Secret's name and its key."""
    match = _REFERENCE.fullmatch(reference)
    return (match["secret"], match["key"]) if match else None


def database(draft: Draft, backend: Backend) -> None:
    """Take over the engine and the Secret with its URL."""
    engine = backend.engine.value
    if engine == "sqlite":
        if backend.engine.certain:
            for name in ("postgres", "mysql"):
                draft.put(f"{name}.enabled", False, "the release keeps its documents in SQLite")
        return
    why = "the database that the release uses"
    draft.put(f"{engine}.enabled", True, why)
    found = secret_key(text(backend.database_url.value)) if backend.database_url else None
    if found:
        draft.put(f"{engine}.existingSecret", found[0], why)
        draft.put(f"{engine}.keys.url", found[1], "the key that the release reads")
    else:
        secret = _place(engine)
        draft.lost.append(
            f"the database's URL, which is in plain text in the manifest: put it into the Secret {secret}"
        )
    connections = backend.database_connections
    if connections and isinstance(connections.value, int) and connections.value != DEFAULT_CONNECTIONS:
        draft.put(f"{engine}.maxConnections", connections.value, "as in the release")
    if backend.database_ca:
        draft.lost.append(
            f"the CA certificate at {backend.database_ca.value}: put it into a Secret, named in {engine}.caSecret"
        )


def _place(engine: object) -> str:
    return f"that {engine}.existingSecret names"


def instance(draft: Draft, backend: Backend) -> None:
    """Take over the name of the instance and the Secret that holds its instance secret."""
    engine = text(backend.engine.value)
    server = engine if engine != "sqlite" else ""
    its_secret = draft.get(f"{server}.existingSecret") or dig(DEFAULTS, server, "existingSecret") if server else None
    name = backend.environment.read("INSTANCE_NAME")
    found = secret_key(name.reference)
    if found and found[0] == its_secret:
        draft.put(f"{server}.keys.instanceName", found[1], "the key that the release reads")
    elif found:
        draft.lost.append(f"the instance name, which is in {name.reference}: set instance.name to what it says")
    elif name.filled and name.text:
        draft.put("instance.name", name.text, "the name that the release has")
    elif server and not name.filled:
        draft.put("instance.name", DEFAULT_NAME, "upstream's default: the release sets none")
    secret = backend.environment.read("INSTANCE_SECRET")
    found = secret_key(secret.reference)
    if found and found[0] == its_secret:
        draft.put(f"{server}.keys.instanceSecret", found[1], "the key that the release reads")
    elif found:
        draft.put("instance.existingSecret", found[0], "the Secret that the release reads")
        draft.put("instance.keys.instanceSecret", found[1], "the key that the release reads")
    elif secret.filled:
        draft.lost.append(
            "the instance secret, which is in plain text in the manifest: put it into a Secret, and name that in "
            "instance.existingSecret"
        )


def s3(draft: Draft, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    """Take over the kind of file storage, the buckets and their credentials."""
    buckets = mapping(backend.buckets.value) if backend.buckets else {}
    if backend.files.value != "s3":
        draft.put("s3.enabled", False, "the release keeps its files on a disk, and the database remembers that")
        return
    if any(secret_key(text(name)) for name in buckets.values()):
        draft.put("s3.enabled", False, "all of it comes from a Secret: see backend.envFrom")
        return
    draft.put("s3.enabled", True, "the release keeps its files on S3, and the database remembers that")
    names = {key: text(name) for key, name in buckets.items()}
    why = "the bucket that the release uses"
    if len(set(names.values())) == 1:
        name = next(iter(names.values()))
        if name != DEFAULTS["s3"]["buckets"]["files"]:
            draft.put("s3.bucket", name, why)
        draft.drop("s3.buckets")
    else:
        for key, name in names.items():
            draft.put(f"s3.buckets.{_camel(key)}", name, why)
    _s3_keys(draft, backend, secrets)
    for key, decision, normal in (
        ("forcePathStyle", backend.s3_path_style, False),
        ("disableSse", backend.s3_sse, True),
        ("disableChecksums", backend.s3_checksums, True),
    ):
        if decision is not None and decision.value is not normal:
            draft.put(f"s3.{key}", True, "as in the release")


def _s3_keys(draft: Draft, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    readings = {key: backend.environment.read(variable) for variable, key in _S3_VARIABLES.items()}
    references = {key: secret_key(reading.reference) for key, reading in readings.items()}
    named = list(dict.fromkeys(found[0] for found in references.values() if found))
    if not readings["accessKeyId"].filled and not readings["secretAccessKey"].filled:
        draft.put("s3.credentials", "ambient", "the release has no access keys")
    if named:
        draft.put("s3.existingSecret", named[0], "the Secret that the release reads")
    if len(named) > 1:
        draft.lost.append(f"{listed(named[1:], 'and')}: the credentials of S3 must be in one Secret, {named[0]}")
    for key, reading in readings.items():
        found = references[key]
        if found:
            draft.put(f"s3.keys.{key}", *_key_there(found, key, secrets))
        elif key in ("endpoint", "region") and reading.filled and reading.text:
            draft.put(f"s3.{key}", reading.text, "as in the release")
        elif key == "endpoint" and not reading.filled:
            draft.put("s3.keys.endpoint", "", "the release sets no endpoint")


def _key_there(found: tuple[str, str], key: str, secrets: Mapping[str, Mapping[str, Any]] | None) -> tuple[str, str]:
    """The key that the Secret has: the key that the release reads or, if the Secret lacks that, the default key."""
    secret, read = found
    there = mapping(mapping((secrets or {}).get(secret)).get("data"))
    default = text(DEFAULTS["s3"]["keys"][key])
    if there and read not in there and default in there:
        return default, f"the release reads {read}, which {secret} does not have"
    return read, f"the key in {secret} that the release reads"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def volume(draft: Draft, release: Release, backend: Backend) -> None:
    """Take over the claim that the backend mounts, or the claim that the chart made without mounting it."""
    made = f"{release.name}-backend-pvc"
    claim = text(backend.claim.value) if backend.claim else ""
    from_template = backend.claim is not None and "volumeClaimTemplates" in backend.claim.source.path
    if claim and not from_template:
        why = "the volume that the release mounts"
    elif not claim and release.objects.find("PersistentVolumeClaim", release.namespace, made):
        claim, why = made, "the volume that the chart made and did not mount"
    elif not claim:
        draft.put("backend.persistence", {})
        return
    else:
        return
    draft.put("backend.persistence", {"enabled": True})
    draft.put("backend.persistence.existingClaim", claim, why)
