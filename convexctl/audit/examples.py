"""Examples of the rules: `examples.yaml` has lines that break each one, and the same put right."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import yaml


class Example(NamedTuple):
    """Manifests that break a rule, and the same put right, in the short form that `docs/audit.md` explains."""

    bad: str
    good: str


@functools.cache
def examples() -> dict[str, Example]:
    """The example of each rule, by its id."""
    file = Path(__file__).with_name("examples.yaml")
    return {rule: Example(**texts) for rule, texts in yaml.safe_load(file.read_text(encoding="utf-8")).items()}
