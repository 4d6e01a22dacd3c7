"""Values that become parts of a database URL without being encoded."""

from __future__ import annotations

import pytest

from convexctl.secrets.database_url import database_url_problems, parse_database_url
from convexctl.secrets.url_parts import put_together, url_part_problems, variables_of
from convexctl.secrets.value_problems import value_problems
from tests.support.overlay_cases import case, overlay_of

GOOD = {
    "CONVEX_DB_HOST": "main-rw",
    "CONVEX_DB_PORT": "5432",
    "CONVEX_DB_USERNAME": "app",
    "CONVEX_DB_PASSWORD": "aZ09-._~!$&'()*+,;=:$(CONVEX_DB_HOST)",
}


def test_what_is_accepted_arrives_as_it_is() -> None:
    assert [problem for name, value in GOOD.items() for problem in url_part_problems(name, value)] == []
    url = put_together(case("postgres-single-keys").overlay().values, "POSTGRES_URL", GOOD.get)
    assert url is not None
    assert database_url_problems(url, "postgres") == []
    parsed = parse_database_url(url, "postgres")
    assert [parsed.host, str(parsed.port), parsed.user, parsed.password] == list(GOOD.values())


def test_a_url_with_a_part_missing_is_not_given() -> None:
    values = case("postgres-single-keys").overlay().values
    assert put_together(values, "POSTGRES_URL", {**GOOD, "CONVEX_DB_PORT": None}.get) is None


def test_only_the_url_is_put_together() -> None:
    values = case("postgres-single-keys").overlay().values
    assert sorted(variables_of(values, "POSTGRES_URL")) == sorted(GOOD)
    assert variables_of(values, "AWS_REGION") == ["AWS_REGION"]
    assert put_together(values, "AWS_REGION", {"AWS_REGION": "auto"}.get) == "auto"
    whole = overlay_of("postgres: {enabled: true}").values
    assert variables_of(whole, "POSTGRES_URL") == ["POSTGRES_URL"]
    assert put_together(whole, "POSTGRES_URL", {"POSTGRES_URL": "x"}.get) == "x"


@pytest.mark.parametrize("character", [*'@/?#%[]\\ "<>^`{|}', "é", "\n"])
def test_a_password_that_needs_encoding_is_refused_unseen(character: str) -> None:
    (problem,) = value_problems("CONVEX_DB_PASSWORD", f"s3cret{character}pass".encode(), "postgres")
    assert "percent-encoded" in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONVEX_DB_HOST", "db:5432"),
        ("CONVEX_DB_HOST", "postgres://db"),
        ("CONVEX_DB_HOST", ""),
        ("CONVEX_DB_PORT", "0"),
        ("CONVEX_DB_PORT", "70000"),
        ("CONVEX_DB_PORT", "5432\n"),
        ("CONVEX_DB_USERNAME", "app:user"),
        ("CONVEX_DB_USERNAME", "app@server"),
    ],
)
def test_other_parts_that_do_not_fit(variable: str, value: str) -> None:
    assert len(url_part_problems(variable, value)) == 1
