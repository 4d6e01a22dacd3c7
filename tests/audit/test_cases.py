"""Manifests from the field on which the audit was wrong once: what is right stands in the table beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convexctl.audit import Report, Severity, audit
from convexctl.audit.reading import nothing_found, read
from convexctl.errors import UserError

CASES = Path(__file__).parents[1] / "data" / "cases"
TABLE = (CASES / "CASES.md").read_text(encoding="utf-8")
_TABLE_OF_AUDIT = TABLE.partition("## `audit/`")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `([^`]+)` \| .* \| ([^|]+) \|$", _TABLE_OF_AUDIT, re.MULTILINE)


def path_of(name: str) -> str:
    return str(CASES / "audit" / (name.rstrip("/") if name.endswith("/") else f"{name}.yaml"))


def audited(*names: str) -> Report:
    documents = read([path_of(name) for name in names])
    return audit(documents.plain(), documents=documents)


def holds(report: Report, expected: str) -> bool:
    """Whether a report is as a word of the table's last column says."""
    worst = {finding.rule.id: finding.severity for finding in reversed(report.findings)}
    first, _, rest = expected.partition(" ")
    match first:
        case "nothing":
            return all(severity is Severity.INFORMATION for severity in worst.values())
        case "no":
            return rest not in worst
        case "error" | "warning" | "information":
            return rest in worst and worst[rest].rank <= Severity(first).rank
        case "message":
            return any(rest in finding.message for finding in report.findings)
        case _:
            (backend,) = report.behaviour.backends
            return str(getattr(backend, first).value) == rest


@pytest.mark.parametrize(("name", "expected"), [row for row in ROWS if not row[1].startswith("tests/")])
def test_case(name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if expected.startswith("says "):
        monkeypatch.setenv("PATH", "")
        with pytest.raises(UserError, match=expected.removeprefix("says ")):
            raise nothing_found(read([path_of(name)]))
        return
    report = audited(name)
    for each in expected.split("; "):
        assert holds(report, each), each


def test_every_file_is_in_the_table() -> None:
    files = {file.stem if file.is_file() else f"{file.name}/" for file in (CASES / "audit").iterdir()}
    assert files == {name for name, _ in ROWS}
