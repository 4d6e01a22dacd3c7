"""`provision`: what an environment needs from outside the cluster, for those who administer it."""

from __future__ import annotations

import argparse
import os
import sys

from convexctl.commands import arguments as common
from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.load import Overlay
from convexctl.preflight.provision import SECTIONS, needs_instance_name, section


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlay(parser)
    parser.add_argument(
        "--only",
        choices=SECTIONS,
        help="print only this section, without a heading: SQL for psql or mysql, JSON, shell commands, host names",
    )
    parser.add_argument(
        "--instance-name",
        default="",
        metavar="NAME",
        help="name of the instance, if the overlay sets none (default: from the cluster's Secret, else from "
        "INSTANCE_NAME)",
    )
    common.add_cluster(parser)
    parser.add_argument("--offline", action="store_true", help="do not ask the cluster for the instance's name")


def run(arguments: argparse.Namespace) -> int:
    """Print the sections; what is said about them goes to standard error."""
    overlay = common.the_overlay(arguments)
    values = overlay.values
    names = [arguments.only] if arguments.only else SECTIONS
    instance_name = _instance_name(arguments, overlay) if needs_instance_name(values, names) else ""
    found = [section(name, values, instance_name, os.environ) for name in names]
    if arguments.only:
        (only,) = found
        if not only.text:
            print(f"note: {only.title}", file=sys.stderr)
        print(only.text, end="")
        return 0
    print("\n".join(f"# --- {part.name}: {part.title}\n{part.text}" for part in found), end="")
    return 0


def _instance_name(arguments: argparse.Namespace, overlay: Overlay) -> str:
    from convexctl.secrets.instance import InstanceNotFoundError, find_name
    from convexctl.secrets.value_rules import instance_name_problems

    values, given = overlay.values, arguments.instance_name
    if given and values.instance_name not in ("", given):
        raise UserError(
            f"the overlay says instance name {values.instance_name}: leave --instance-name out", WRONG_USAGE
        )
    origin = "--instance-name"
    if not given:
        kubectl = None if arguments.offline else common.kubectl_for(arguments, overlay)
        try:
            given, origin = find_name(values, kubectl, os.environ)
        except InstanceNotFoundError as error:
            raise UserError(f"{error}. Give it with --instance-name, or set instance.name in the overlay") from None
    if problems := instance_name_problems(given, values.engine):
        raise UserError(f"the instance name ({origin}): {'; '.join(problems)}")
    if origin != "the overlay":
        print(f"note: the instance is named {given} ({origin})", file=sys.stderr)
    return str(given)
