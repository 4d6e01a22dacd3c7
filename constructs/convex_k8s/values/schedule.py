"""Schedules, as the CronJobs of Kubernetes take them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from convex_k8s.values.base import TextLike, wrong

_FIELD = r"[-0-9A-Za-z*/,?]+"
_FORM = rf"{_FIELD}( +{_FIELD}){{4}}|@(hourly|daily|midnight|weekly|monthly|yearly|annually)"
_WHAT = "a schedule of five fields like `0 3 * * *`, or @daily or @weekly"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _possible(value: str) -> str:
    if not value or value.startswith("@"):
        return value
    _, _, days, months, week_days = (
        set(_numbers(text, *field)) for text, field in zip(value.split(), _FIELDS, strict=True)
    )
    if len(week_days) == len(_DAYS) and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        raise wrong("never comes: no month of it has that day")
    return value


def _numbers(text: str, what: str, lowest: int, highest: int, names: tuple[str, ...]) -> Iterator[int]:
    """The numbers that a field of a schedule stands for."""
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if slash and not (step.isdecimal() and int(step)):
            raise wrong(f"has {part} as the {what}: after / must be a number above 0")
        if span in ("*", "?"):
            low, high = lowest, highest
        else:
            low = _number(first, what, lowest, highest, names)
            high = _number(last, what, lowest, highest, names) if dash else (highest if slash else low)
        if low > high:
            raise wrong(f"has {part} as the {what}: the first must not be above the last")
        yield from range(low, high + 1, int(step or 1))


def _number(text: str, what: str, lowest: int, highest: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + lowest
    if not re.fullmatch("[0-9]{1,4}", text) or not lowest <= int(text) <= highest:
        sunday = " (Sunday is 0)" if text == "7" and names == _DAYS else ""
        raise wrong(f"has {text or 'nothing'} as the {what}, which goes from {lowest} to {highest}{sunday}")
    return int(text)


def schedule_fault(value: str) -> str:
    """What is wrong with the schedule of any CronJob; empty if nothing is."""
    if re.match("@every |TZ=|CRON_TZ=", value):
        return "" if value.startswith("@") else "must not name a time zone: that is timeZone"
    try:
        _possible(TextLike(_FORM, _WHAT).check(value))
    except PydanticCustomError as error:
        return str(error.context["text"]) if error.context else str(error)
    return ""


Schedule = Annotated[str, TextLike(_FORM, _WHAT), AfterValidator(_possible)]
OptionalSchedule = Annotated[str, TextLike(_FORM, _WHAT, optional=True), AfterValidator(_possible)]
