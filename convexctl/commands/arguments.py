"""Arguments that several commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.load import Overlay, load_overlays
from convexctl.overlays.settings import add_setting
from convexctl.project import folder, path
from convexctl.tools.kubectl import Kubectl


def add_overlay(parser: argparse.ArgumentParser) -> None:
    """Declare the one overlay that a command works on, and where it is."""
    parser.add_argument("overlay", help="the overlay")
    parser.add_argument(
        "-f", "--values", action="append", type=path, default=[], metavar="FILE", help="values on top, as for synth"
    )
    add_setting(parser)
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")


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
        "-n", "--namespace", default="", help="namespace, where the overlay names none (default: kubectl's current one)"
    )


def kubectl_for(arguments: argparse.Namespace, overlay: Overlay) -> Kubectl:
    """kubectl in the overlay's namespace. Raises `UserError` where the command line says another one."""
    named = overlay.values.namespace
    if named and arguments.namespace and arguments.namespace != named:
        raise UserError(f"the overlay says namespace {named}, and --namespace {arguments.namespace}", WRONG_USAGE)
    return Kubectl(arguments.context, named or arguments.namespace)
