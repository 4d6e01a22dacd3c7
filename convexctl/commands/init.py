"""`init`: make a GitOps repository that uses the package, or a folder with this program."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", type=Path, default=Path(), metavar="DIR", help="the repository (default: this folder)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files that are missing, and print each with what became of it."""
    from convexctl.starter.repository import program_in, source_folder, write_missing

    for path, written in write_missing(arguments.directory):
        print(f"{path}: {'written' if written else 'exists, left as it is'}")
    enter = "" if arguments.directory == Path() else f"cd {arguments.directory} && "
    print(f"Next: edit overlays/production.yaml, then {enter}{program_in(arguments.directory)} synth")
    if source_folder(arguments.directory).startswith("/"):
        print(
            "The files call convex-k8s at its current place outside this repository, where CI cannot find it: put it "
            "into the repository (docs/using-it.md), remove these files, and run init from there"
        )
    return 0
