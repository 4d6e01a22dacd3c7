"""`schema`: write overlays/schema.json and, in this project itself, the table of parameters in README.md."""

from __future__ import annotations

import argparse

from convexctl.project import HOME, folder, repository


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Write them from the model of the values."""
    from convexctl.overlays.schema import FILE, schema_text, with_parameters

    schema = folder("overlays") / FILE
    schema.write_text(schema_text(), encoding="utf-8")
    print(f"{schema}: written")
    if repository() == HOME:
        page = folder("README.md")
        page.write_text(with_parameters(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{page}: written")
    return 0
