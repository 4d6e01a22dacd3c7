"""What must hold between values, a file per section: each check yields what is wrong and what would be right.

A file hands out its checks as `ERRORS`, which make the values no environment, `WARNINGS`, which are allowed and
probably not meant, and `OWN_ERRORS`, which are errors unless the value is inherited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convex_k8s.values.checks import (
    backend,
    backup,
    cloud_native_pg,
    database,
    edge,
    effects,
    functions,
    gateway,
    ingress,
    metadata,
    patches,
    pods,
    policies,
    s3,
    secrets,
    services,
    workload,
)

if TYPE_CHECKING:
    from convex_k8s.problems import Problem
    from convex_k8s.values import Values


def errors(values: Values) -> list[Problem]:
    """Everything that makes these values no environment."""
    families = (
        metadata,
        workload,
        database,
        cloud_native_pg,
        s3,
        secrets,
        edge,
        ingress,
        gateway,
        policies,
        backend,
        backup,
        pods,
        services,
        functions,
        patches,
    )
    return [problem for family in families for check in family.ERRORS for problem in check(values)]


def warnings(values: Values) -> list[Problem]:
    """What is allowed and probably not meant."""
    families = (pods, workload, edge, ingress, gateway, policies, services, backend, backup, effects)
    return [problem for family in families for check in family.WARNINGS for problem in check(values)]


def own_errors(values: Values) -> list[Problem]:
    """What is an error where the overlay itself says it, and without effect where it inherits it."""
    return [problem for check in secrets.OWN_ERRORS for problem in check(values)]
