"""`synth`: write dist/<overlay>/ from overlays/<overlay>.yaml."""

from __future__ import annotations

import argparse
import sys

from convexctl.errors import printable
from convexctl.project import folder, output_folder, path
from convexctl.tools import node


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("overlay", nargs="*", help="the overlays to synthesise (default: all)")
    parser.add_argument(
        "-f",
        "--values",
        action="append",
        type=path,
        default=[],
        metavar="FILE",
        help="values to lay on top of each overlay (may be repeated; the last one wins)",
    )
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")
    parser.add_argument(
        "-o", "--output", type=path, metavar="DIR", help="folder to write to (default: $CDK8S_OUTDIR, else dist)"
    )
    parser.add_argument(
        "--allow-irreversible", action="store_true", help="go on, this once, where a change cannot be undone"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="look for irreversible changes against the current cluster, not against the folder that is written",
    )
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")


def run(arguments: argparse.Namespace) -> int:
    """Synthesise, and write only when every overlay is right and the guard has nothing against it."""
    node.warm_up()
    from convexctl.changes import guard
    from convexctl.overlays.load import warnings_of
    from convexctl.synth import output, self_audit
    from convexctl.synth.environment import synthesise_all

    overlays = arguments.overlays or folder("overlays")
    environments = synthesise_all(overlays, arguments.overlay, arguments.values)
    target = output_folder(arguments.output)
    warnings = warnings_of(overlays, [environment.overlay for environment in environments])
    warnings += self_audit.warnings(environments, overlays)
    if not arguments.allow_irreversible:
        warnings += guard.check(environments, target, overlays, live=arguments.live)
    files = {environment.name: environment.files for environment in environments}
    outcomes = output.write(target, files, prune=not arguments.overlay)
    for warning in warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
    if not arguments.quiet:
        objects = {environment.name: len(environment.manifests) for environment in environments}
        for name, outcome in outcomes.items():
            count = f", {objects[name]} objects" if name in objects else ""
            print(f"{target / name}: {outcome}{count}", file=sys.stderr)
    return 0
