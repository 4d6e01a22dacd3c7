"""Checks of S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _s3(values: Values) -> Iterator[Problem]:
    s3 = values.s3
    if not s3.enabled:
        return
    region_known = bool(s3.dialect.region)
    if not region_known and (s3.credentials == "ambient" or not s3.keys.region):
        yield Problem(
            ("s3", "region"),
            "is missing, and without a region the backend silently keeps files on its own disk: "
            "set s3.region"
            + ("" if s3.credentials == "ambient" else ", or s3.keys.region to name the key in the Secret"),
            (("s3", "keys", "region"), ("s3", "credentials"), ("s3", "provider"), ("s3", "enabled")),
        )
    from_secret = s3.credentials == "secret" and s3.keys.endpoint
    if s3.provider not in ("generic", "aws") and not s3.endpoint and not from_secret:
        yield Problem(
            ("s3", "endpoint"),
            f"is missing, and the backend would talk to Amazon instead of {s3.provider}: set s3.endpoint",
            (("s3", "keys", "endpoint"), ("s3", "credentials"), ("s3", "provider"), ("s3", "enabled")),
        )


ERRORS = (_s3,)
