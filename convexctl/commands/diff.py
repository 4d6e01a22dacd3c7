"""`diff`: what synth would change in dist/, or in the cluster."""

from __future__ import annotations

import argparse
import sys

from convexctl.commands import arguments as common
from convexctl.errors import TROUBLE, UserError
from convexctl.overlays.command_line_values import add_setting, check_name
from convexctl.project import folder, output_folder, path
from convexctl.tools import node


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("overlay", nargs="*", help="the overlays to compare, or patterns (default: all)")
    parser.add_argument("-f", "--values", action="append", type=path, default=[], metavar="FILE", help="as for synth")
    add_setting(parser)
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")
    parser.add_argument(
        "-o", "--output", type=path, metavar="DIR", help="folder to compare with (default: $CDK8S_OUTDIR, else dist)"
    )
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text", help="markdown is for pull requests"
    )
    parser.add_argument("--live", action="store_true", help="compare with the current cluster, through kubectl diff")


def run(arguments: argparse.Namespace) -> int:
    """Print the differences. Returns 0 without any, 1 with some; trouble is 2."""
    try:
        return _run(arguments)
    except UserError as error:
        raise UserError(str(error), TROUBLE) from None


def _run(arguments: argparse.Namespace) -> int:
    node.warm_up()
    from convexctl.changes.diff import DIFFERENT, SAME, differences, live, rendered
    from convexctl.synth.environment import synthesise_all

    check_name(arguments.values, arguments.overlay)
    environments = synthesise_all(
        arguments.overlays or folder("overlays"), arguments.overlay, values_files=arguments.values
    )
    if arguments.live:
        for environment in environments:
            kubectl = common.current_kubectl(environment.overlay)
            print(f"diff of {environment.name} ({kubectl.place()})", file=sys.stderr)
            common.warn_of_other_overlay(kubectl, environment.overlay)
        found = live(environments)
    else:
        found = differences(output_folder(arguments.output), environments, all_overlays=not arguments.overlay)
    print(rendered(found, arguments.format, colour=sys.stdout.isatty()), end="")
    return DIFFERENT if any(environment.changed for environment in found) else SAME
