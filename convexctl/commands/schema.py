"""`schema`: write overlays/schema.json and the table of parameters in README.md."""

from __future__ import annotations

import argparse

from convexctl.project import folder


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Write both from the model of the values."""
    from convexctl.overlays.schema import FILE, schema_text, with_parameters

    schema, readme = folder("overlays") / FILE, folder("README.md")
    schema.write_text(schema_text(), encoding="utf-8")
    readme.write_text(with_parameters(readme.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{schema} and {readme}: written")
    return 0
