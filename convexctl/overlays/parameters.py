"""`docs/parameters.md`: every parameter with its default and its meaning, read off the model of the values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from convex_k8s.problems import Path, dotted
from convex_k8s.values import Values
from convex_k8s.values.base import Model

from convexctl.overlays.schema import description

_INTRODUCTION = """\
<!-- Written by `make schema` from the model of the values: do not edit. -->
# Parameters

The keys of an overlay, with their defaults. `null` in an overlay restores the default. If the text of a parameter says
what `null` means (`null`: no limit), `null` means that instead.
[overlays.md](overlays.md) explains layers and shows examples. An editor with YAML support shows the same texts, because
every overlay points to `overlays/schema.json`."""
_PROBES = """\
## Probes

The keys below `backend.probes.<probe>` and `dashboard.probes.<probe>`, where the probe is `startup`, `readiness` or
`liveness`. For instance `backend.probes.startup.failureThreshold`."""
_PROBE = re.compile(r"(\w+)\.probes\.(\w+)\.(\w+)")


class Parameter(NamedTuple):
    """One key of an overlay."""

    key: str
    default: str
    """The default, as JSON."""
    meaning: str

    @property
    def section(self) -> str:
        """The heading that the parameter is under."""
        name, dot, _ = self.key.partition(".")
        return name if dot else "General"


def parameters() -> Iterator[Parameter]:
    """Every parameter, in the order of the models."""
    yield from _below(Values, ())


def parameters_page() -> str:
    """The page as Markdown: a table for each section, and one for all probes."""
    every = list(parameters())
    probes = [parameter for parameter in every if _PROBE.fullmatch(parameter.key)]
    sections: dict[str, list[Parameter]] = {"General": []}
    for parameter in every:
        if parameter not in probes:
            sections.setdefault(parameter.section, []).append(parameter)
    blocks = [_INTRODUCTION]
    for section, group in sections.items():
        heading = section if section == "General" else f"`{section}`"
        rows = [f"| `{one.key}` | `{one.default}` | {_cell(one.meaning)} |" for one in group]
        blocks.append("\n".join([f"## {heading}", "", "| parameter | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join([*blocks, _probes(probes)]) + "\n"


def _probes(probes: list[Parameter]) -> str:
    """One row for each key that all probes share, with a column of defaults for each probe."""
    columns: dict[tuple[str, str], dict[str, str]] = {}
    meanings: dict[str, str] = {}
    for probe in probes:
        workload, _, kind, field = probe.key.split(".")
        columns.setdefault((workload, kind), {})[field] = probe.default
        meanings[field] = probe.meaning
    head = ["key", *(f"{workload} {kind}" for workload, kind in columns), "meaning"]
    rows = [[f"`{key}`", *(f"`{one[key]}`" for one in columns.values()), _cell(meanings[key])] for key in meanings]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([_PROBES, "", *(f"| {' | '.join(line)} |" for line in lines)])


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _below(model: type[Model], path: Path) -> Iterator[Parameter]:
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Model):
            yield from _below(inner, key)
        else:
            default = field.get_default(call_default_factory=True)
            yield Parameter(dotted(key), json.dumps(_plain(default)), description(model, name))


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(by_alias=True)
    return [_plain(item) for item in value] if isinstance(value, list) else value
