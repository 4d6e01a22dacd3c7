"""The README of an environment leads a reader who has never seen the project to a dashboard that lets him in."""

from __future__ import annotations

import pytest

from tests.support.overlay_cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_says_after_the_address_of_the_dashboard_how_an_admin_key_is_made(case: Case) -> None:
    reach = case.environment().files["README.md"].partition("\n## Reach it\n")[2].partition("\n## ")[0]
    assert "| dashboard |" in reach
    assert f"`python main.py admin-key {case.name}` makes one" in reach
