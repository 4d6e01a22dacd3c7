"""The result of preflight, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from convexctl.preflight.check import Check, Status


def table(checks: Sequence[Check]) -> str:
    """One line a check, in columns: how it went, its name, what was seen and, after `->`, the remedy."""
    status_width = max(len(status) for status in Status)
    name_width = max((len(check.name) for check in checks), default=0)
    lines = [
        f"{check.status:{status_width}}  {check.name:{name_width}}  {check.detail}"
        f"{f' -> {check.remedy}' if check.remedy else ''}\n"
        for check in checks
    ]
    counts = [f"{number} {status}" for status in Status if (number := _count(checks, status))]
    return f"{''.join(lines)}{', '.join(counts)}\n"


def as_json(overlay: str, checks: Sequence[Check]) -> str:
    """An object with the overlay, whether nothing failed, and all checks."""
    result = {
        "overlay": overlay,
        "ok": _count(checks, Status.FAILED) == 0,
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(result, indent=2) + "\n"


def _count(checks: Sequence[Check], status: Status) -> int:
    return sum(check.status is status for check in checks)
