"""`schema`: write overlays/schema.json."""

from __future__ import annotations

import argparse
from pathlib import Path

from convexctl.project import folder


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write to (default: overlays/schema.json)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the schema."""
    from convexctl.schema import FILE, schema_text

    target = arguments.output or folder("overlays") / FILE
    target.write_text(schema_text(), encoding="utf-8")
    print(f"{target}: written")
    return 0
