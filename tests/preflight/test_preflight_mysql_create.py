"""`preflight` knows whether a MySQL user may make tables, by a grant of its own or by a role."""

from __future__ import annotations

import pytest

from convexctl.preflight import mysql as checks
from tests.preflight.test_preflight_mysql_server import PASSWORD, Mysql, check, failures, provision, server

__all__ = ["server"]

REFUSED = f"{checks.DATABASE}: the user may not make tables in shop_r, and the backend makes its own"


@pytest.fixture(scope="module")
def database(server: Mysql) -> Mysql:
    provision(server, "shop-r")
    server.execute(
        "CREATE ROLE readers, makers", "GRANT SELECT, INSERT ON shop_r.* TO readers", "GRANT ALL ON shop_r.* TO makers"
    )
    return server


@pytest.mark.parametrize(
    ("user", "statements", "expected"),
    [
        ("some", ["GRANT SELECT, INSERT, UPDATE, DELETE ON shop_r.* TO some"], [REFUSED]),
        ("reader", ["GRANT readers TO reader", "SET DEFAULT ROLE ALL TO reader"], [REFUSED]),
        ("maker", ["GRANT makers TO maker", "SET DEFAULT ROLE ALL TO maker"], []),
        ("idle", ["GRANT SELECT ON shop_r.* TO idle", "GRANT makers TO idle"], [REFUSED]),
    ],
)
def test_a_right_to_make_tables(database: Mysql, user: str, statements: list[str], expected: list[str]) -> None:
    database.execute(f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'", *statements)
    results = check(database, user, "shop-r")
    assert failures(results) == expected
    assert results[checks.TABLES_CHECK].detail.startswith("rests on" if expected else "none of Convex's")
    assert database.execute("SHOW TABLES IN shop_r") == []
