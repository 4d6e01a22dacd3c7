"""What each parameter does: parameters.yaml names an overlay that sets it, and what its manifests or the model show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from convex_k8s.values import Values

from tests.overlays.test_every_parameter_is_tried import keys_of, keys_set_in
from tests.support.overlay_cases import case, environment_of
from tests.support.shown import lines

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("parameters.yaml").read_text(encoding="utf-8"))
FIXED = ("replicaCount", "backend.securityContext.runAsUser", "backend.securityContext.runAsNonRoot")
"""Parameters that have one right value, which is the default."""


def expectations(group: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each parameter of a group with a line that it shows, or does not show."""
    for parameter, expected in group["lines"].items():
        yield from ((parameter, line) for line in ([expected] if isinstance(expected, str) else expected))


def is_shown(line: str, shown: list[str]) -> bool:
    """Whether the line is there. An ellipsis at its end stands for the rest of a line."""
    if line.endswith("…"):
        return any(each.startswith(line[:-1]) for each in shown)
    return line in shown


@pytest.mark.parametrize("group", TABLE["shown"], ids=lambda group: group.get("overlay", "text"))
def test_what_is_set_is_shown(group: dict[str, Any]) -> None:
    environment = case(group["overlay"]).environment() if "overlay" in group else environment_of(group["text"])
    shown, wrong = lines(environment), []
    for parameter, line in expectations(group):
        absent = line.removeprefix("no ")
        fits = is_shown(line, shown) if absent == line else not is_shown(f"{absent}…", shown)
        wrong += [] if fits else [f"{parameter}: {line}"]
    assert not wrong, "\n".join(wrong)
    values = environment.overlay.values
    assert group["lines"].keys() - keys_set_in(values) <= set(FIXED), "the overlay leaves them at their defaults"


def test_what_is_absent_is_shown_elsewhere() -> None:
    """Or its absence would say nothing."""
    names = {group["overlay"] for group in TABLE["shown"] if "overlay" in group}
    texts = {group["text"] for group in TABLE["shown"] if "text" in group}
    environments = [*map(environment_of, sorted(texts)), *(case(name).environment() for name in sorted(names))]
    known = [text for environment in environments for line in lines(environment) for text in (line, _of_any(line))]
    for group in TABLE["shown"]:
        for parameter, line in expectations(group):
            absent = line.removeprefix("no ")
            assert absent == line or any(_of_any(absent) in each for each in known), parameter


def _of_any(line: str) -> str:
    """A line without the object that it is about."""
    object, _, field = line.partition(" ")
    return line if object == "model" else field


def test_every_parameter_has_a_line() -> None:
    told = [*TABLE["nothing"], *(parameter for group in TABLE["shown"] for parameter in group["lines"])]
    assert sorted(told) == sorted(set(keys_of(Values)))
    assert all(TABLE["nothing"].values())
