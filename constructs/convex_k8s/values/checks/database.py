"""Checks of the databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Problem
from convex_k8s.values.database import DatabaseKeys

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


def _single_keys(values: Values) -> Iterator[Problem]:
    for name in ("postgres", "mysql"):
        database = getattr(values, name)
        keys = database.keys
        if not database.composed:
            for key, given in (("host", database.host), ("port", database.port)):
                if given:
                    yield Problem(
                        (name, key),
                        f"has no effect: it belongs to a URL put together from single keys. Set {name}.keys.username "
                        f"and {name}.keys.password, or leave it out",
                        ((name, "keys"),),
                    )
            continue
        if keys.url != DatabaseKeys().url:
            yield Problem(
                (name, "keys", "url"),
                "names a whole URL beside single keys of one: keep this, or username, password, host and port",
                ((name, "keys"),),
            )
        for key in ("username", "password"):
            if not getattr(keys, key):
                yield Problem(
                    (name, "keys", key),
                    "is missing: a URL put together from single keys needs username and password",
                    ((name, "keys"),),
                )
        for key, given in (("host", database.host), ("port", database.port)):
            if given and getattr(keys, key):
                yield Problem(
                    (name, key), f"is given twice: here, and by {name}.keys.{key}. Keep one", ((name, "keys", key),)
                )
        if not keys.host and not database.host:
            yield Problem(
                (name, "keys", "host"),
                f"is missing: name the key of the host, or write the host itself as {name}.host",
                ((name, "host"), (name, "keys")),
            )


ERRORS = (_databases, _single_keys)
