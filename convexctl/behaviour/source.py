"""Where a decision was made: an object and the field in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


class Item(NamedTuple):
    """An element of a list, shown by its name."""

    position: int
    name: str


Step = str | int | Item


@dataclass(frozen=True)
class Source:
    """A field of an object. `path` leads to it from the object's root; the field itself may be missing there."""

    kind: str
    namespace: str
    name: str
    path: tuple[Step, ...] = ()

    def at(self, *steps: Step) -> Source:
        """A field below this one."""
        return Source(self.kind, self.namespace, self.name, (*self.path, *steps))

    @property
    def field(self) -> str:
        """The path as text: `spec.template.spec.containers[0].env[POSTGRES_URL]`."""
        text = ""
        for step in self.path:
            if isinstance(step, Item):
                text += f"[{step.name}]"
            elif isinstance(step, int):
                text += f"[{step}]"
            elif re.fullmatch(r"\w+", step):
                text += f".{step}"
            else:
                text += f"[{step}]"
        return text.removeprefix(".")

    def keys(self) -> tuple[str | int, ...]:
        """The path as keys and indexes, to be followed through the object."""
        return tuple(step.position if isinstance(step, Item) else step for step in self.path)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name} {self.field}".rstrip()
