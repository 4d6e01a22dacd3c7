"""The keys by which `collisions.py` compares environments: what belongs to one of them alone.

Names in the cluster, secrets, databases, claims, backups and public hosts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from convex_k8s.origins import Origins
from convex_k8s.values import Values
from convex_k8s.values.database import DEFAULT_INSTANCE_NAME
from convex_k8s.values.kubernetes.types import cluster_wide
from convex_k8s.values.secret_references import needed_keys

from convexctl.wording import listed

Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Kind:
    """Something that belongs to one environment alone: what a set of values has of it, each with the words for it."""

    name: str
    things: Callable[[Values], Iterable[tuple[Key, str]]]
    consequence: str
    cure: str


Shares = Mapping[str, Sequence[tuple[str, str]]]
"""What belongs to one environment alone: for each kind of thing its keys, each with the words for it."""


def shares(values: Values) -> Shares:
    """What an environment with these values must not have in common with another one."""
    of = {kind.name: kind.things for kind in KINDS} | {"host": _hosts, "host in cluster": _hosts_in_cluster}
    return {
        name: [(json.dumps(key), what) for key, what in dict(things(values)).items()] for name, things in of.items()
    }


def _identity(values: Values) -> Iterator[tuple[Key, str]]:
    place = [f"cluster {values.cluster}"] if values.cluster else []
    place += [
        f"namespace {values.namespace}" if values.namespace else "no namespace",
        f"release name {values.release_name}",
    ]
    yield (values.cluster, values.namespace, values.release_name), listed(place, "and")


def _made_secrets(values: Values) -> Iterator[tuple[Key, str]]:
    """ExternalSecrets and SealedSecrets, which are named after the Secret and not after the release."""
    if values.secrets.provider in ("external-secrets", "sealed-secrets"):
        for secret in needed_keys(values):
            yield (values.cluster, values.namespace, values.secrets.provider, secret), f"the object for Secret {secret}"


def _extra_objects(values: Values) -> Iterator[tuple[Key, str]]:
    """The user's own objects, which both environments may have from one base."""
    for manifest in values.extra_objects:
        kind, metadata = manifest["kind"], manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        namespace = None if cluster_wide(manifest) else metadata.get("namespace", values.namespace)
        yield (values.cluster, namespace, group, kind, metadata["name"]), f"{kind} {metadata['name']} of extraObjects"


def _value(values: Values, secret: str, key: str) -> Key:
    """What a key of a Secret identifies: its place in the store if the Secret comes from one, else its own name."""
    external = values.secrets.external_secrets
    if values.secrets.provider == "external-secrets" and key in needed_keys(values).get(secret, ()):
        of_namespace = values.namespace if external.store_kind == "SecretStore" else ""
        remote = external.remote_keys.get(secret, secret)
        where = (remote.get(key, ""), "") if isinstance(remote, dict) else (remote, key)
        return "store", values.cluster, of_namespace, external.store_name, *where
    return "secret", values.cluster, values.namespace, secret, key


def _instance_secret(values: Values) -> Iterator[tuple[Key, str]]:
    secret, key = values.instance_secret_name, values.instance_secret_key
    if secret:
        yield _value(values, secret, key), f"the instance secret in {secret}/{key}"


def _database(values: Values) -> Iterator[tuple[Key, str]]:
    for name, database in (("postgres", values.postgres), ("mysql", values.mysql)):
        if database.enabled:
            url = _value(values, database.existing_secret, database.keys.url)
            if values.instance_name:
                instance: Key = (values.instance_name.replace("-", "_"),)
            else:
                instance = _value(values, database.existing_secret, database.keys.instance_name)
            yield (name, url, instance), f"the database of {database.existing_secret}/{database.keys.url}"


def _claim(values: Values) -> Iterator[tuple[Key, str]]:
    persistence = values.backend.persistence
    if persistence.enabled:
        claim = persistence.existing_claim or f"data-{values.release_name}-backend-0"
        yield (values.cluster, values.namespace, claim), f"the volume claim {claim}"


def _instance(values: Values) -> Key:
    """The instance's name, or the key of a Secret that has it."""
    for database in (values.postgres, values.mysql):
        if database.enabled and not values.instance_name:
            return _value(values, database.existing_secret, database.keys.instance_name)
    return (values.instance_name or DEFAULT_INSTANCE_NAME,)


def _backups(values: Values) -> Iterator[tuple[Key, str]]:
    """Where backups go: a claim, or a place in a bucket."""
    backup, target = values.backup, values.backup.s3
    if backup.enabled and backup.destination == "claim":
        claim = backup.claim.existing_claim
        yield ("claim", values.cluster, values.namespace, claim, _instance(values)), f"the backup claim {claim}"
    elif backup.enabled:
        place = "/".join(part for part in (target.bucket, target.prefix) if part)
        yield (*_backup_store(values), place, _instance(values)), f"the place {place} of the backups"


def _backup_store(values: Values) -> Key:
    """The S3 service of the backups. If only a Secret or the cluster's own DNS knows it, it is the cluster's own."""
    target = values.backup.s3
    endpoint = target.endpoint or ("" if target.existing_secret else values.s3.endpoint)
    of_secret = not endpoint and not target.existing_secret and values.s3.provider != "aws"
    host = urlsplit(endpoint).hostname or ""
    inside = of_secret or (endpoint and ("." not in host or host.endswith((".svc", ".cluster.local"))))
    return endpoint, values.cluster if inside else None


def _hosts(values: Values) -> Iterator[tuple[Key, str]]:
    """The public hosts. A port that is written out belongs to them: node ports tell environments apart."""
    origins = Origins.of(values)
    hosts = {urlsplit(origin).netloc for origin in (origins.cloud, origins.site)}
    hosts |= {served.host for served in values.public_hosts or ()}
    for host in sorted(hosts):
        if host.rpartition(":")[0] not in _LOCAL and host not in _LOCAL:
            yield (host,), host


def _hosts_in_cluster(values: Values) -> Iterator[tuple[Key, str]]:
    return (((values.cluster, *key), what) for key, what in _hosts(values))


_LOCAL = ("localhost", "127.0.0.1")
IDENTITY = Kind(
    "identity",
    _identity,
    "are the same, so each would replace the objects of the other in the cluster",
    "set namespace or releaseName in one of them, or cluster where they are for different clusters",
)
KINDS = (
    IDENTITY,
    Kind(
        "instance secret",
        _instance_secret,
        "is used by both, so an admin key of one also opens the other",
        "give each a Secret of its own (instance.existingSecret, or the database's)",
    ),
    Kind(
        "database",
        _database,
        "is used by both, and two backends would fight over it",
        "set instance.name, after which the database is named, or another existingSecret",
    ),
    Kind(
        "volume claim",
        _claim,
        "is mounted by both, and two backends would write to one volume",
        "set backend.persistence.existingClaim or releaseName in one of them",
    ),
    Kind(
        "backups",
        _backups,
        "is used by both, so each would remove backups of the other",
        "set backup.s3.prefix, or another claim, in one of them",
    ),
    Kind(
        "made secrets",
        _made_secrets,
        "is in both, so each would replace the other's",
        "name other Secrets in one of them",
    ),
    Kind(
        "extra objects",
        _extra_objects,
        "is in both, so each would replace the other's, and would delete it when it is removed",
        "give it another name in one of them, or keep it in one alone",
    ),
)
