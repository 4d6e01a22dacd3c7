"""A database URL that the kubelet puts together from single keys of a Secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.overlay_cases import case, environment_of, faults_of, one

KEYS = "postgres: {enabled: true, existingSecret: db, host: db.example.com, keys: {username: user, password: pass}}\n"


def _variables(environment: Any) -> list[dict[str, Any]]:
    pod = one(environment, "StatefulSet")["spec"]["template"]["spec"]
    return list(pod["containers"][0]["env"])


@pytest.mark.parametrize(
    ("name", "variable", "url"),
    [
        (
            "postgres-single-keys",
            "POSTGRES_URL",
            "postgresql://$(CONVEX_DB_USERNAME):$(CONVEX_DB_PASSWORD)@$(CONVEX_DB_HOST):$(CONVEX_DB_PORT)",
        ),
        (
            "mysql-single-keys",
            "MYSQL_URL",
            "mysql://$(CONVEX_DB_USERNAME):$(CONVEX_DB_PASSWORD)@mysql.example.com:3307",
        ),
    ],
)
def test_the_url_refers_to_variables_before_it(name: str, variable: str, url: str) -> None:
    variables = _variables(case(name).environment())
    names = [each["name"] for each in variables]
    assert next(each for each in variables if each["name"] == variable) == {"name": variable, "value": url}
    used = [each for each in names if f"$({each})" in url]
    assert used
    assert all(names.index(each) < names.index(variable) for each in used)
    assert url.count("$(") == len(used)


@pytest.mark.parametrize(
    ("more", "query"),
    [
        ("", ""),
        ("convexConfig: {requireSsl: false}\n", "?sslmode=disable"),
        ("convexConfig: {requireSsl: false}\n__CA__", ""),
    ],
    ids=["TLS required", "not required", "not required, with a CA"],
)
def test_plain_text_only_without_a_ca(more: str, query: str) -> None:
    text = KEYS + more
    if "__CA__" in text:
        text = text.replace("__CA__", "").replace("existingSecret: db,", "existingSecret: db, caSecret: ca,")
    (url,) = (each["value"] for each in _variables(environment_of(text)) if each["name"] == "POSTGRES_URL")
    assert url == f"postgresql://$(CONVEX_DB_USERNAME):$(CONVEX_DB_PASSWORD)@db.example.com:5432{query}"


@pytest.mark.parametrize(
    ("postgres", "message"),
    [
        ("keys: {username: u}, host: h", "postgres.keys.password: is missing"),
        ("keys: {username: u, password: p}", "postgres.keys.host: is missing"),
        ("keys: {username: u, password: p, host: h}, host: h", "postgres.host: is given twice"),
        ("keys: {username: u, password: p, url: U}, host: h", "postgres.keys.url: names a whole URL"),
        ("host: h", "postgres.host: has no effect"),
        ("port: 5433", "postgres.port: has no effect"),
    ],
)
def test_half_a_url_is_an_error(postgres: str, message: str) -> None:
    (fault,) = faults_of(f"postgres: {{enabled: true, {postgres}}}\n")
    assert message in fault
