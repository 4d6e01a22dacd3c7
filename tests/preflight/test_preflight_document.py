"""docs/preflight.md tells about every check that there is."""

from __future__ import annotations

import pytest

from convexctl.preflight import mysql, outside, postgres, s3
from convexctl.preflight.run import questions
from convexctl.preflight.secrets import SecretChecks
from convexctl.tools.kubectl import Kubectl
from tests.support.overlay_cases import CASES, ROOT, Case

DOCUMENT = (ROOT / "docs" / "preflight.md").read_text(encoding="utf-8")


def is_told(check: str) -> bool:
    """Whether a check stands there by its name, or with a placeholder for the name that it ends in."""
    return f"`{check}`" in DOCUMENT or f"`{check.rpartition(' ')[0]} <" in DOCUMENT


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_check_of_a_cluster_is_told(case: Case) -> None:
    kubectl = Kubectl("", "convex")
    environment = case.environment()
    names = [question.name for question in questions(environment, kubectl, SecretChecks(environment, kubectl))]
    assert len(set(names)) == len(names)
    assert [name for name in names if not is_told(name)] == []


def test_every_check_of_the_outside_is_told() -> None:
    names = [*postgres.NAMES, *mysql.NAMES, s3.SETTINGS, s3.bucket_check("files"), outside.DATABASE, outside.FILES]
    assert [name for name in names if not is_told(name)] == []
