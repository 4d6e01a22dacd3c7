"""Checks of the Secret provider."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem
from convex_k8s.values.secret_references import needed_keys

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _secrets(values: Values) -> Iterator[Problem]:
    secrets = values.secrets
    if secrets.provider == "bootstrap" and not values.instance_name:
        yield Problem(
            ("instance", "name"),
            "is missing: with secrets.provider bootstrap the instance secret does not come from the database's Secret, "
            "so set the name here (the database is named after it)",
            (("secrets", "provider"),),
        )
    if secrets.provider != "external-secrets":
        return
    if not secrets.external_secrets.store_name:
        yield Problem(
            ("secrets", "externalSecrets", "storeName"),
            "is missing: name the SecretStore or ClusterSecretStore that holds the values",
            (("secrets", "provider"),),
        )
    s3 = values.s3
    if s3.enabled and s3.credentials == "secret" and s3.provider == "generic" and not s3.endpoint and s3.keys.endpoint:
        yield Problem(
            ("s3", "provider"),
            "must say which service it is (aws, minio, ...), or s3.endpoint be set: External Secrets Operator takes no "
            "optional keys, and without its endpoint the backend would talk to Amazon",
            (("secrets", "provider"), ("s3", "endpoint"), ("s3", "keys", "endpoint")),
        )


def _lacking_remote_keys(values: Values) -> Iterator[Problem]:
    """A map from key to remote key must have all keys of its Secret."""
    if values.secrets.provider != "external-secrets":
        return
    for secret, keys in needed_keys(values).items():
        remote = values.secrets.external_secrets.remote_keys.get(secret)
        if isinstance(remote, dict) and (lacking := [key for key in keys if key not in remote]):
            yield Problem(
                (*_REMOTE_KEYS, secret),
                f"has no remote key for {', '.join(lacking)}: the Secret needs the keys {', '.join(keys)}",
            )


def _surplus_remote_keys(values: Values) -> Iterator[Problem]:
    if values.secrets.provider != "external-secrets":
        return
    needed = needed_keys(values)
    for secret, remote in values.secrets.external_secrets.remote_keys.items():
        if secret not in needed:
            text = f"is not a Secret that is made from the store{_meant(secret, needed)}"
            yield Problem((*_REMOTE_KEYS, secret), text, own=True)
        elif isinstance(remote, dict):
            for key in remote:
                if key not in needed[secret]:
                    text = f"is not a key that the Secret {secret} needs{_meant(key, needed[secret])}"
                    yield Problem((*_REMOTE_KEYS, secret, key), text, own=True)


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return f": did you mean {close[0]}?" if close else f"; there are: {', '.join(known) or 'none'}"


_REMOTE_KEYS: Path = ("secrets", "externalSecrets", "remoteKeys")

ERRORS = (_secrets, _lacking_remote_keys)
OWN_ERRORS = (_surplus_remote_keys,)
