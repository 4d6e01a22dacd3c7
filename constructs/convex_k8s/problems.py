"""What is wrong with values, told by the path of the key, so that a caller who knows the file can add file and line."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The way to a value from the root: `("ingress", "tls", 0, "hosts")`."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or (as a warning) doubtful.

    `path` is the key it is about, `message` what is wrong and what would be right, never with a secret value in it.
    `depends_on` lists further keys that the statement rests on: where one of those is wrong itself, it is not made.
    An `own` problem counts only where the overlay itself says it, not where it inherits the value. `rule` is the rule
    of `audit` that finds the same in the manifests.
    """

    path: Path
    message: str
    depends_on: tuple[Path, ...] = ()
    own: bool = False
    rule: str = ""

    @property
    def key(self) -> str:
        """The path as users write it: `ingress.tls[0].hosts`."""
        return dotted(self.path)


class ValuesError(ValueError):
    """Values that make no environment. `problems` holds everything that is wrong, not only the first thing."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{problem.key}: {problem.message}" for problem in problems))
        self.problems = problems


def dotted(path: Path) -> str:
    """Write a path the way users do; a key with a dot in it is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in part or "/" in part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text
