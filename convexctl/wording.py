"""How things are put into words."""

from __future__ import annotations


def listed(words: list[str], last: str = "or") -> str:
    """Words as a list in a sentence: `a, b or c`."""
    return f" {last} ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), words[-1]]) if words else ""


def cell(text: str) -> str:
    """A text as a cell of a Markdown table: in one line, without a bar of its own."""
    return " ".join(text.split()).replace("|", "\\|")
