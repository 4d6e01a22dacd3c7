"""Schedules: what the API server refuses in a CronJob is refused in an overlay, with the number that is wrong."""

from __future__ import annotations

import pytest

from tests.support.overlay_cases import faults_of

WRONG = [
    ("60 3 * * *", "has 60 as the minute, which goes from 0 to 59"),
    ("0 24 * * *", "has 24 as the hour, which goes from 0 to 23"),
    ("0 3 0 * *", "has 0 as the day of the month, which goes from 1 to 31"),
    ("0 3 * foo *", "has foo as the month, which goes from 1 to 12"),
    ("0 3 * * 7", "has 7 as the day of the week, which goes from 0 to 6 (Sunday is 0)"),
    ("0 3 * * FRI-MON", "has FRI-MON as the day of the week: the first must not be above the last"),
    ("*/0 * * * *", "has */0 as the minute: after / must be a number above 0"),
    ("0,,5 * * * *", "has nothing as the minute"),
    ("0 3 30 2 *", "never comes: no month of it has that day"),
    ("0 3 * *", "must be a schedule of five fields"),
]
RIGHT = ["0  3 * * *", "*/15 0-6,22-23/2 ? JAN-mar,12 MON-FRI", "5/10 * 29 2 *", "0 3 31 2 1", "@weekly"]


@pytest.mark.parametrize("key", ["maintenance.restartSchedule", "backup.schedule"])
@pytest.mark.parametrize(("schedule", "said"), WRONG)
def test_refused(key: str, schedule: str, said: str) -> None:
    section, _, field = key.partition(".")
    (message,) = faults_of(f"{section}: {{{field}: '{schedule}'}}")
    assert f"test.yaml:1: {key}: {said}" in message


@pytest.mark.parametrize("schedule", RIGHT)
def test_taken(schedule: str) -> None:
    (message,) = faults_of(f"backend: 1\nmaintenance: {{restartSchedule: '{schedule}'}}")
    assert "backend" in message, "nothing about the schedule"
