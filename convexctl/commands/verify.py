"""`verify`: whether a deployment works, seen from outside."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from convexctl.commands import arguments as common
from convexctl.errors import FAILED


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlays(parser)
    common.add_cluster(parser)
    parser.add_argument(
        "--port-forward", action="store_true", help="go through kubectl, not through the public origins and the edge"
    )
    parser.add_argument("--slow", action="store_true", help="also hold a websocket open for 75 seconds")
    parser.add_argument("--allow-empty", action="store_true", help="accept a backend without functions")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates to trust instead of this machine's")
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json is for programs: one object for each environment",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the checks of each environment. Returns 1 if one failed."""
    return common.for_each(arguments, common.named(arguments), _verify, common.headings(arguments))


def _verify(arguments: argparse.Namespace) -> int:
    from convexctl.preflight.check import Status
    from convexctl.preflight.report import as_json, table
    from convexctl.verify.run import verify

    overlay = common.the_overlay(arguments)
    kubectl = common.kubectl_for(arguments, overlay)
    print(f"verify {overlay.name} ({kubectl.place()})", file=sys.stderr)
    common.warn_of_other_overlay(kubectl, overlay)
    checks = verify(
        overlay.values,
        kubectl,
        forward=arguments.port_forward,
        slow=arguments.slow,
        allow_empty=arguments.allow_empty,
        ca=arguments.ca,
    )
    print(as_json(overlay.name, checks) if arguments.format == "json" else table(checks), end="")
    return FAILED if any(check.status is Status.FAILED for check in checks) else 0
