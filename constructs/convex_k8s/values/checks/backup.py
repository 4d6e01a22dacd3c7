"""Checks of backups: where they go, and with which keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _destination(values: Values) -> Iterator[Problem]:
    backup = values.backup
    if not backup.enabled:
        return
    rests_on = (("backup", "enabled"), ("backup", "destination"))
    if backup.destination == "claim" and not backup.claim.existing_claim:
        yield Problem(
            ("backup", "claim", "existingClaim"),
            "is missing: name a volume claim that you made for the backups (docs/backup.md has one to copy)",
            rests_on,
        )
    if backup.destination == "claim":
        return
    if not backup.s3.bucket:
        yield Problem(
            ("backup", "s3", "bucket"),
            "is missing: name the bucket for the backups, or set backup.destination to claim",
            rests_on,
        )
    yield from _credentials(values)


def _credentials(values: Values) -> Iterator[Problem]:
    target, s3 = values.backup.s3, values.s3
    if not target.existing_secret and not s3.enabled:
        yield Problem(
            ("backup", "s3", "existingSecret"),
            "is missing: with s3.enabled false there are no credentials to share, so name a Secret with "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the bucket",
            (("s3", "enabled"), ("backup", "destination")),
        )
    if target.existing_secret and not target.region:
        yield Problem(
            ("backup", "s3", "region"),
            "is missing: a bucket with a Secret of its own needs its region (us-east-1, where the service has none)",
            (("backup", "s3", "existingSecret"), ("backup", "destination")),
        )


def _own_claim(values: Values) -> Iterator[Problem]:
    backup, persistence = values.backup, values.backend.persistence
    claim = backup.claim.existing_claim
    if backup.enabled and backup.destination == "claim" and claim and claim == persistence.existing_claim:
        yield Problem(
            ("backup", "claim", "existingClaim"),
            f"is {claim}, the claim of the backend itself: a backup there is lost with what it is a backup of",
            (("backend", "persistence", "existingClaim"),),
        )


def _files_left_out(values: Values) -> Iterator[Problem]:
    if values.backup.enabled and not values.backup.include_files:
        yield Problem(
            ("backup", "includeFiles"),
            "is false: a restore replaces everything, so that every stored file would be gone after it",
        )


def _same_bucket(values: Values) -> Iterator[Problem]:
    backup, s3 = values.backup, values.s3
    if not (backup.enabled and backup.destination == "s3" and s3.enabled) or backup.s3.endpoint:
        return
    if not backup.s3.existing_secret and backup.s3.bucket in s3.bucket_names.values():
        yield Problem(
            ("backup", "s3", "bucket"),
            f"is {backup.s3.bucket}, a bucket of the instance itself: what deletes that bucket deletes the backups",
        )


ERRORS = (_destination, _own_claim)
WARNINGS = (_files_left_out, _same_bucket)
