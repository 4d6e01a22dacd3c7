"""What two environments must not share: names in the cluster, secrets, databases, claims, backups, public hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from convex_k8s.origins import Origins
from convex_k8s.values import Values
from convex_k8s.values.database import DEFAULT_INSTANCE_NAME
from convex_k8s.values.kubernetes_types import cluster_wide
from convex_k8s.values.secret_references import needed_keys

from convexctl.overlays.load import Overlay, warnings_of
from convexctl.overlays.names import OverlayError, overlay_file
from convexctl.overlays.related import relatives
from convexctl.wording import listed

Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Collision:
    """What several environments have in common. `names` are their overlays; only a fatal one is an error."""

    names: tuple[str, ...]
    message: str
    fatal: bool = True


@dataclass(frozen=True)
class _Kind:
    """Something that belongs to one environment alone: what a set of values has of it, each with the words for it."""

    name: str
    things: Callable[[Values], Iterable[tuple[Key, str]]]
    consequence: str
    cure: str


Shares = Mapping[str, Sequence[tuple[str, str]]]
"""What belongs to one environment alone: for each kind of thing its keys, each with the words for it."""


def check_collisions(folder: Path, overlays: Sequence[Overlay], others: Mapping[str, Shares]) -> dict[str, list[str]]:
    """Compare the overlays with each other, with `others` and with the copies and relatives of any of them.

    Returns warnings about what they share, by the name of the overlay. Raises `OverlayError` if two environments
    must not share it.
    """
    known = {**{overlay.name: shares(overlay.values) for overlay in overlays}, **others}
    sources = {name: name for name in known} | {overlay.name: overlay.file_name for overlay in overlays}
    beside = {other.name: shares(other.values) for other in relatives(folder, sources, overlays)}
    everything = {**known, **beside}
    found = [each for each in collisions(everything.items()) if known.keys() & set(each.names)]
    given = {overlay.name: f"--name {overlay.name}" for overlay in overlays if overlay.overlay}
    if fatal := [each for each in found if each.fatal]:
        about = {name for each in fatal for name in each.names}
        raise OverlayError([_told(folder, each, given) for each in fatal], warnings_of(folder, overlays), about)
    warnings: dict[str, list[str]] = {}
    for each in found:
        for name in each.names:
            if name in known:
                warnings.setdefault(name, []).append(_told(folder, each, given))
    return warnings


def shares(values: Values) -> Shares:
    """What an environment with these values must not have in common with another one."""
    of = {kind.name: kind.things for kind in _KINDS} | {"host": _hosts, "host in cluster": _hosts_in_cluster}
    return {
        name: [(json.dumps(key), what) for key, what in dict(things(values)).items()] for name, things in of.items()
    }


def _told(folder: Path, collision: Collision, given: Mapping[str, str]) -> str:
    files = [given.get(name) or str(overlay_file(folder, name)) for name in sorted(collision.names)]
    said = collision.message
    if len(files) > 2:
        for of_two, of_several in _OF_SEVERAL:
            said = re.sub(rf"\b{of_two}\b", of_several, said)
    return f"{listed(files, 'and')}: {said}"


_OF_SEVERAL = (
    ("both", "all of them"),
    ("two backends", "several backends"),
    ("the other", "the others"),
    ("either", "any of them"),
    ("one of them", "all but one"),
)
"""Words about two environments, and those about more."""


def collisions(environments: Iterable[tuple[str, Shares]]) -> list[Collision]:
    """Everything that two of the environments must not share, grouped, so that the time is linear."""
    everything = list(environments)
    found, one = [], set[frozenset[str]]()
    for kind in _KINDS:
        for names, what in _shared(everything, kind.name):
            # Environments that are one share everything: that is said once.
            if any(set(names) <= same for same in one):
                continue
            if kind is _IDENTITY:
                one.add(frozenset(names))
            found.append(Collision(names, f"{what} {kind.consequence}: {kind.cure}"))
    in_one_cluster = set(_shared(everything, "host in cluster"))
    for names, what in sorted(in_one_cluster):
        if not any(set(names) <= same for same in one):
            text = f"{what} is a public host of both, and the edge would send requests to either: {_OTHER_HOST}"
            found.append(Collision(names, text))
    for names, what in _shared(everything, "host"):
        if (names, what) not in in_one_cluster and not any(set(names) <= same for same in one):
            text = f"{what} is a public host of both, in different clusters: {_OTHER_HOST}"
            found.append(Collision(names, text, fatal=False))
    return found


_OTHER_HOST = "give each its own, unless one takes the place of the other"


def _shared(environments: Sequence[tuple[str, Shares]], kind: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The things of a kind that more than one environment has: the environments' names, and the words for it."""
    groups: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for name, its in environments:
        for key, what in its.get(kind, ()):
            groups.setdefault(key, []).append(name)
            words[key] = what
    return ((tuple(names), words[key]) for key, names in groups.items() if len(names) > 1)


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
_IDENTITY = _Kind(
    "identity",
    _identity,
    "are the same, so each would replace the objects of the other in the cluster",
    "set namespace or releaseName in one of them, or cluster where they are for different clusters",
)
_KINDS = (
    _IDENTITY,
    _Kind(
        "instance secret",
        _instance_secret,
        "is used by both, so an admin key of one also opens the other",
        "give each a Secret of its own (instance.existingSecret, or the database's)",
    ),
    _Kind(
        "database",
        _database,
        "is used by both, and two backends would fight over it",
        "set instance.name, after which the database is named, or another existingSecret",
    ),
    _Kind(
        "volume claim",
        _claim,
        "is mounted by both, and two backends would write to one volume",
        "set backend.persistence.existingClaim or releaseName in one of them",
    ),
    _Kind(
        "backups",
        _backups,
        "is used by both, so each would remove backups of the other",
        "set backup.s3.prefix, or another claim, in one of them",
    ),
    _Kind(
        "made secrets",
        _made_secrets,
        "is in both, so each would replace the other's",
        "name other Secrets in one of them",
    ),
    _Kind(
        "extra objects",
        _extra_objects,
        "is in both, so each would replace the other's, and would delete it when it is removed",
        "give it another name in one of them, or keep it in one alone",
    ),
)
