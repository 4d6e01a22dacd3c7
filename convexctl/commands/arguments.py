"""Arguments that several commands have in common."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.command_line_values import add_setting, check_name
from convexctl.overlays.load import Overlay, load_overlays
from convexctl.overlays.names import named_overlays
from convexctl.project import folder, path
from convexctl.tools.kubectl import Kubectl, KubectlError
from convexctl.tools.owner import OtherOverlayError, check_owner


def add_overlay(parser: argparse.ArgumentParser) -> None:
    """Declare the one overlay that a command works on, and where it is."""
    parser.add_argument("overlay", help="the overlay")
    _add_layers(parser)


def headings(arguments: argparse.Namespace) -> TextIO:
    """Where the names of several environments go: not among the JSON."""
    return sys.stdout if arguments.format == "text" else sys.stderr


def add_overlays(parser: argparse.ArgumentParser) -> None:
    """Declare the overlays that a command works on one after the other, and where they are."""
    parser.add_argument("overlay", nargs="*", help="the overlays, or patterns: 'tenants/*'")
    parser.add_argument("--all", action="store_true", dest="every", help="all overlays")
    _add_layers(parser)


def _add_layers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--values", action="append", type=path, default=[], metavar="FILE", help="values on top, as for synth"
    )
    add_setting(parser)
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")


def named(arguments: argparse.Namespace) -> list[str]:
    """The overlays that the command line asks for. Raises `UserError` if it asks for none, or both ways."""
    if bool(arguments.overlay) == arguments.every:
        raise UserError("name overlays, or say --all", WRONG_USAGE)
    check_name(arguments.values, arguments.overlay)
    return named_overlays(overlays_folder(arguments), arguments.overlay)


def for_each(
    arguments: argparse.Namespace, names: Sequence[str], run: Callable[[argparse.Namespace], int], headings: TextIO
) -> int:
    """Run a command for each of the named overlays, headed by its name if there are several.

    A fault of one is reported, and the others go on. Returns the worst exit code.
    """
    worst = 0
    for name in names:
        one = copy.copy(arguments)
        one.overlay = name
        if len(names) == 1:
            return run(one)
        print(f"== {name}", file=headings, flush=True)
        try:
            worst = max(worst, run(one))
        except UserError as error:
            print(error, file=sys.stderr)
            worst = max(worst, error.exit_code)
        sys.stdout.flush()
    return worst


def overlays_folder(arguments: argparse.Namespace) -> Path:
    """The folder of the overlays."""
    return arguments.overlays or folder("overlays")


def the_overlay(arguments: argparse.Namespace) -> Overlay:
    """The overlay, read and checked. Raises `OverlayError`."""
    (overlay,) = load_overlays(overlays_folder(arguments), [arguments.overlay], arguments.values)
    return overlay


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Declare which cluster is asked."""
    parser.add_argument("--context", default="", help="context of kubectl (default: its current one)")
    parser.add_argument(
        "-n", "--namespace", default="", help="namespace, if the overlay sets none (default: kubectl's current one)"
    )


def kubectl_for(arguments: argparse.Namespace, overlay: Overlay) -> Kubectl:
    """kubectl in the overlay's namespace. Raises `UserError` if the command line says another one."""
    named = overlay.values.namespace
    if named and arguments.namespace and arguments.namespace != named:
        raise UserError(f"the overlay says namespace {named}, and --namespace {arguments.namespace}", WRONG_USAGE)
    return Kubectl(arguments.context, named or arguments.namespace, overlay.values.cluster)


def current_kubectl(overlay: Overlay) -> Kubectl:
    """kubectl in its current context and the overlay's namespace."""
    return Kubectl(namespace=overlay.values.namespace, cluster=overlay.values.cluster)


def refuse_other_overlay(kubectl: Kubectl, overlay: Overlay) -> None:
    """Raise `UserError` if the environment's names in the cluster belong to another overlay.

    A note says if that cannot be known.
    """
    try:
        check_owner(kubectl, overlay.name, overlay.values.release_name)
    except KubectlError as error:
        print(f"note: cannot see which overlay the cluster's objects were made from: {error}", file=sys.stderr)


def warn_of_other_overlay(kubectl: Kubectl, overlay: Overlay) -> None:
    """As `refuse_other_overlay`, for a command that changes nothing in the cluster: it goes on."""
    try:
        refuse_other_overlay(kubectl, overlay)
    except OtherOverlayError as error:
        print(f"warning: {error}", file=sys.stderr)
