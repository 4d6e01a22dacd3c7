"""Checks of the databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


def _databases(values: Values) -> Iterator[Problem]:
    if values.postgres.enabled and values.mysql.enabled:
        yield Problem(
            ("mysql", "enabled"),
            "two databases at once: postgres.enabled is true as well, and the backend would use Postgres alone. "
            "Switch one of them off",
            (("postgres", "enabled"),),
        )


ERRORS = (_databases,)
