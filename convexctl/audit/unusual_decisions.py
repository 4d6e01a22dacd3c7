"""Which decisions are worth a line: those that say what a component is, and those that are not as usual."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.behaviour import Component, Decision, Row
from convexctl.behaviour.backend import CONCURRENCY, DEFAULT_RETENTION

_ALWAYS = ("tag", "engine", "files", "deployment_url")
_ODD_WHERE_MADE = ("files_missing", "claims_astray")
_LASTS = ("pod", "delete", "everything")
_USUAL: dict[str, tuple[object, ...]] = {
    "replicas": (1,),
    "database_tls": ("required",),
    "database_outlives": _LASTS,
    "files_outlive": _LASTS,
    "secret_stable": (True,),
    "concurrency": (CONCURRENCY, dict.fromkeys(CONCURRENCY, 16)),
    "retention": (DEFAULT_RETENTION, 2 * 24 * 3600),
    "stop": ("clean",),
    "writers": ("one",),
    "entry_point": ("run_backend.sh",),
    "admin_key": (None,),
    "port": (6791,),
}


def odd_rows(component: Component) -> Iterator[Row]:
    """The lines of a component's table that a reader should see without asking for all of them."""
    for row in component.rows():
        usual = _USUAL.get(row.name)
        if row.name in (*_ALWAYS, *_ODD_WHERE_MADE) or (usual is not None and _value(row.decision) not in usual):
            yield row


def _value(decision: Decision) -> object:
    return dict(decision.value) if isinstance(decision.value, dict) else decision.value
