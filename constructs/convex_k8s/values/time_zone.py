"""Names of time zones."""

from __future__ import annotations

import difflib
import functools
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator

from convex_k8s.values.base import TextLike, wrong


@functools.cache
def time_zones() -> dict[str, str]:
    """The names that IANA has (2026f), by the same in lower case: not every machine has a list of its own."""
    text = resources.files("convex_k8s.values").joinpath("time_zones.txt").read_text(encoding="utf-8")
    return {name.lower(): name for name in text.split()}


def zone_fault(value: str) -> str:
    """What is wrong with the name of a time zone; empty if nothing is."""
    if not value or time_zones().get(value.lower()) == value:
        return ""
    close = difflib.get_close_matches(value.lower(), time_zones(), n=1)
    hint = f": did you mean {time_zones()[close[0]]}?" if close else ", for instance Europe/Berlin"
    return f"is not the name of a time zone of IANA's{hint}"


def _known(value: str) -> str:
    if fault := zone_fault(value):
        raise wrong(fault)
    return value


TimeZone = Annotated[
    str,
    TextLike(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*", "the name of a time zone like Europe/Berlin", optional=True),
    AfterValidator(_known),
]
