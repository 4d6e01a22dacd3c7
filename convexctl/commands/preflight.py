"""`preflight`: what is still wrong around an environment, before a pod fails over it."""

from __future__ import annotations

import argparse
import sys

from convexctl.commands import arguments as common
from convexctl.errors import FAILED
from convexctl.terminal import printable
from convexctl.tools import node


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlays(parser)
    common.add_cluster(parser)
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also connect to database and buckets from this machine, with the values of the cluster's Secrets. "
        "Nothing is changed, except that one probe object is written to each bucket and deleted",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json is for programs: one object for each environment",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the checks of each environment. Returns 1 if one failed."""
    node.warm_up()
    return common.for_each(arguments, common.named(arguments), _preflight, common.headings(arguments))


def _preflight(arguments: argparse.Namespace) -> int:
    from convexctl.overlays.load import warnings_of
    from convexctl.preflight.check import Status
    from convexctl.preflight.report import as_json, table
    from convexctl.preflight.run import preflight
    from convexctl.synth.environment import synthesise_all

    folder = common.overlays_folder(arguments)
    (environment,) = synthesise_all(folder, [arguments.overlay], arguments.values)
    overlay = environment.overlay
    kubectl = common.kubectl_for(arguments, overlay)
    for warning in warnings_of(folder, [overlay]):
        print(f"warning: {printable(warning)}", file=sys.stderr)
    print(f"preflight of {overlay.name} ({kubectl.place()})", file=sys.stderr)
    checks = preflight(environment, kubectl, connect=arguments.connect)
    print(as_json(overlay.name, checks) if arguments.format == "json" else table(checks), end="")
    return FAILED if any(check.status is Status.FAILED for check in checks) else 0
