"""`admin-key`: make or check an admin key of an environment's instance."""

from __future__ import annotations

import argparse
import os
import sys

from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.commands import arguments as common
from convexctl.commands.prompts import ask_hidden
from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.load import Overlay
from convexctl.tools.kubectl import Kubectl, KubectlError

_ASK = "-"
_PATIENCE_S = 300


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlay(parser)
    parser.add_argument(
        "--read-only", action="store_true", help="make a key that can read everything and write nothing"
    )
    parser.add_argument("--member-id", type=int, metavar="N", help="whose key it is (default: 0, nobody in particular)")
    parser.add_argument("--env", action="store_true", help="print the lines for the .env.local of a Convex project")
    parser.add_argument(
        "--check",
        nargs="?",
        const="",
        metavar="-",
        help="show whose key it is, and whether it belongs to this instance. The key is read from "
        f"{ADMIN_KEY}, or asked for (-: from standard input)",
    )
    common.add_cluster(parser)
    parser.add_argument("--offline", action="store_true", help="take INSTANCE_SECRET, do not ask the cluster")


def run(arguments: argparse.Namespace) -> int:
    """Print the key, or what the given one is. Returns 0; a key that does not belong is a `UserError`."""
    from convexctl.secrets.instance import InstanceNotFoundError, find_instance, how_to_make

    checking = arguments.check is not None
    if checking and (arguments.read_only or arguments.env or arguments.member_id is not None):
        raise UserError("--check makes no key: leave --read-only, --member-id and --env out", WRONG_USAGE)
    overlay = common.the_overlay(arguments)
    kubectl = None if arguments.offline else common.kubectl_for(arguments, overlay)
    if kubectl:
        common.warn_of_other_overlay(kubectl, overlay)
    key = _key_to_check(arguments.check) if checking else ""
    if kubectl and not overlay.values.instance_secret_name and "INSTANCE_SECRET" not in os.environ:
        _wait_for_backend(kubectl, overlay)
    try:
        instance = find_instance(overlay.values, kubectl, os.environ)
    except InstanceNotFoundError as error:
        raise UserError(f"{error}. {how_to_make(overlay.name, overlay.values, overlay.asked)}") from None
    for note in instance.notes:
        print(f"note: {note}", file=sys.stderr)
    if checking:
        return _check(key, instance.name, instance.secret, instance.origin)
    from convexctl.secrets.admin_key import GENERIC_ADMIN, make_admin_key

    member_id = GENERIC_ADMIN if arguments.member_id is None else arguments.member_id
    key = make_admin_key(instance.name, instance.secret, member_id=member_id, read_only=arguments.read_only)
    print(f"an admin key of the instance {instance.name}, made from {instance.origin}", file=sys.stderr)
    if not arguments.env:
        print(key)
        return 0
    from convex_k8s.origins import Origins

    print("CONVEX_DEPLOYMENT must not be set beside these", file=sys.stderr)
    print(f"CONVEX_SELF_HOSTED_URL='{Origins.of(overlay.values).cloud}'")
    print(f"{ADMIN_KEY}='{key}'")
    return 0


def _wait_for_backend(kubectl: Kubectl, overlay: Overlay) -> None:
    """Wait for the pod that makes the instance secret at its first start, where one is on its way."""
    workload = f"statefulset/{overlay.values.release_name}-backend"

    def waiting() -> None:
        print(f"waiting for {workload} to start, at most {_PATIENCE_S} seconds", file=sys.stderr)

    try:
        kubectl.wait_for_rollout(workload, _PATIENCE_S, waiting)
    except KubectlError as error:
        print(f"note: {error}", file=sys.stderr)


def _key_to_check(given: str) -> str:
    if given not in ("", _ASK):
        print(
            "warning: the key is now in the shell's history and, while this runs, in the list of processes: "
            f"--check alone takes it from {ADMIN_KEY} or asks for it",
            file=sys.stderr,
        )
        return given
    if given == "" and ADMIN_KEY in os.environ:
        return os.environ[ADMIN_KEY]
    if sys.stdin.isatty():
        return ask_hidden(ADMIN_KEY).strip()
    try:
        return sys.stdin.read().strip()
    except UnicodeDecodeError:
        raise UserError("standard input is not text, so it holds no admin key") from None


def _check(key: str, name: str, secret: str, origin: str) -> int:
    from convexctl.secrets.admin_key import GENERIC_ADMIN, open_admin_key

    opened = open_admin_key(key, name, secret)
    whose = {None: "the system", GENERIC_ADMIN: "nobody in particular (member 0)"}
    print(f"belongs to   the instance {opened.instance_name} ({origin})")
    print(f"issued       {opened.issued:%Y-%m-%d %H:%M:%S} UTC; it does not expire")
    print(f"may          {'read everything, write nothing' if opened.read_only else 'read and write everything'}")
    print(f"made for     {whose.get(opened.member_id, f'member {opened.member_id}')}")
    return 0
