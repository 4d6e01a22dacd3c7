"""The changes of an environment that cannot be undone, lose data, or are refused by Kubernetes.

A pure function of the manifests before and after, by what the behaviour model makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import yaml
from convex_k8s.values.acknowledge import IrreversibleChange

from convexctl.changes.irreversible.backups import backup_keep
from convexctl.changes.irreversible.database import database_engine, database_secret, retention
from convexctl.changes.irreversible.database_cluster import (
    database_class,
    database_cluster,
    database_size,
    database_version,
)
from convexctl.changes.irreversible.files import files_buckets, files_endpoint, files_kind, files_region
from convexctl.changes.irreversible.immutable import immutable_field
from convexctl.changes.irreversible.instance import instance_name, instance_secret
from convexctl.changes.irreversible.model import Change, Rule, Side, side_of, without_secret
from convexctl.changes.irreversible.names import namespace, release_name
from convexctl.changes.irreversible.volume import access_mode, claim_class, claim_size, claim_template, volume_claim

__all__ = ["RULES", "Change", "Side", "acknowledgement", "changes", "side_of", "state", "unacknowledged"]


def changes(before: Side, after: Side) -> Iterator[Change]:
    """The irreversible changes from one side to the other, in the order of the rules."""
    for rule in RULES:
        old, new = rule.value(before), rule.value(after)
        if old is not None and new is not None and old != new and rule.counts(before, after):
            yield Change(rule.id, without_secret(old), new, rule.explain(before, after))


def unacknowledged(before: Side, after: Side, acknowledged: Mapping[IrreversibleChange, str]) -> list[Change]:
    """The changes that the overlay does not acknowledge with the value that they lead to."""
    return [change for change in changes(before, after) if acknowledged.get(change.id) != change.after]


def state(side: Side) -> dict[str, str]:
    """The value of every rule that has one, by its id."""
    return {rule.id: value for rule in RULES if (value := rule.value(side)) is not None}


def acknowledgement(overlay: Mapping[IrreversibleChange, str], found: Iterable[Change]) -> str:
    """The `acknowledge` for an overlay, as YAML: what it has already, and the changes found."""
    wanted = {**overlay, **{change.id: change.after for change in found}}
    return yaml.safe_dump({"acknowledge": wanted}, sort_keys=False, width=10_000)


RULES: tuple[Rule, ...] = (
    release_name,
    namespace,
    instance_name,
    instance_secret,
    database_engine,
    database_secret,
    database_cluster,
    database_size,
    database_class,
    database_version,
    files_kind,
    files_buckets,
    files_endpoint,
    files_region,
    volume_claim,
    claim_template,
    claim_size,
    claim_class,
    access_mode,
    immutable_field,
    retention,
    backup_keep,
)
"""The changes that the guard stops, in the order of its messages."""
