"""`schema`: write overlays/schema.json and, in this project itself, docs/parameters.md."""

from __future__ import annotations

import argparse

from convexctl.project import HOME, folder, repository


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Write them from the model of the values."""
    from convexctl.overlays.parameters import parameters_page
    from convexctl.overlays.schema import FILE, schema_text

    schema = folder("overlays") / FILE
    schema.write_text(schema_text(), encoding="utf-8")
    print(f"{schema}: written")
    if repository() == HOME:
        page = HOME / "docs" / "parameters.md"
        page.write_text(parameters_page(), encoding="utf-8")
        print(f"{page}: written")
    return 0
