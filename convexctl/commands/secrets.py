"""`secrets`: make the Secrets that an environment's manifests refer to."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convexctl.commands import arguments as common
from convexctl.commands.prompts import ask_hidden, ask_shown, check_that_somebody_answers, confirm
from convexctl.errors import WRONG_USAGE, UserError, printable
from convexctl.overlays.load import Overlay
from convexctl.project import PROGRAM, path
from convexctl.secrets.private_file import check_not_in_git, write_private
from convexctl.tools import node
from convexctl.tools.kubectl import ClusterSecret, Kubectl, KubectlError

if TYPE_CHECKING:
    from convexctl.secrets.fill import Filled
    from convexctl.secrets.plan import Entry, Plan


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlay(parser)
    parser.add_argument(
        "--from-env-file",
        action="append",
        type=path,
        default=[],
        metavar="FILE",
        help="take values from lines NAME=VALUE; they count before the environment's (may be repeated; first one wins)",
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--apply", action="store_true", help="apply the Secrets, after asking")
    target.add_argument(
        "-o", "--output", type=path, metavar="FILE", help="write them to a file that only you can read (default: print)"
    )
    target.add_argument("--seal", action="store_true", help="seal them with kubeseal, beside the overlay")
    parser.add_argument("--yes", action="store_true", help="apply without asking")
    parser.add_argument("--rotate", action="store_true", help="replace the instance secret: all admin keys die")
    parser.add_argument("--all", action="store_true", help="also Secrets that something in the manifests makes")
    common.add_cluster(parser)
    parser.add_argument("--offline", action="store_true", help="do not ask the cluster which Secrets exist")
    sealing = parser.add_argument_group("with --seal")
    sealing.add_argument("--cert", type=path, metavar="FILE", help="the controller's certificate (default: ask it)")
    sealing.add_argument("--controller-name", default="", metavar="NAME", help="as for kubeseal")
    sealing.add_argument("--controller-namespace", default="", metavar="NAMESPACE", help="as for kubeseal")


def run(arguments: argparse.Namespace) -> int:
    """Collect the values, check them all, then print, write, apply or seal the Secrets."""
    _check_usage(arguments)
    node.warm_up()
    from convexctl.overlays import sealed_files
    from convexctl.secrets.env_file import read_env_file
    from convexctl.secrets.fill import fill
    from convexctl.secrets.instance import find_instance
    from convexctl.secrets.out_of_reach import out_of_reach
    from convexctl.secrets.plan import names_with_use, plan_secrets
    from convexctl.secrets.sources import Known, Source
    from convexctl.secrets.write import secret_manifests, to_yaml
    from convexctl.synth.environment import synthesise
    from convexctl.tools.kubeseal import Kubeseal

    overlay = common.the_overlay(arguments)
    kubectl = common.kubectl_for(arguments, overlay)
    file = sealed_files.sealed_file(common.overlays_folder(arguments), overlay.name)
    if arguments.seal:
        _check_sealing(overlay, kubectl)
    if arguments.output:
        check_not_in_git(arguments.output)
    plan = plan_secrets(overlay.values, synthesise(overlay).manifests, everything=arguments.all)
    known = names_with_use(plan)
    files = {file: read_env_file(file, known) for file in arguments.from_env_file}
    sources = [Source(str(file), content.values) for file, content in files.items()]
    sources.append(Source("the environment", os.environ))
    for given, content in files.items():
        _note_unused(given, content.unused, known)
    cluster, asked = _in_cluster(plan, kubectl, offline=arguments.offline, must=arguments.apply)
    if asked:
        (common.refuse_other_overlay if arguments.apply else common.warn_of_other_overlay)(asked, overlay)
    before = sealed_files.read_sealed(file) if arguments.seal else []
    sealed_files.check_namespace(file, before, kubectl.namespace)
    there = Known(
        sources,
        cluster,
        sealed_files.sealed_keys(before),
        lambda: find_instance(overlay.values, asked, ChainMap(*(dict(source.values) for source in sources))),
        lambda: out_of_reach(overlay.values, asked),
    )
    filled = fill(plan, there, ask=_ask if sys.stdin.isatty() else None, rotate=arguments.rotate)
    _report(overlay, plan, filled, asked)
    manifests = secret_manifests(filled, kubectl.namespace)
    if not filled.secrets():
        _say_nothing_to_write(overlay)
    elif arguments.seal:
        kubeseal = Kubeseal(
            arguments.cert, arguments.controller_name, arguments.controller_namespace, arguments.context
        )
        kept: dict[str, list[str]] = {}
        for entry in filled.sealed:
            kept.setdefault(entry.secret, []).append(entry.key)
        new = [kubeseal.seal(manifest) for manifest in manifests]
        sealed_files.write_sealed(file, overlay.name, sealed_files.merge_sealed(before, new, kept))
        print(f"{file}: written; commit it, and `{PROGRAM} synth {overlay.asked}` takes it into dist/")
        _note_unmanaged(cluster, kubectl)
    elif arguments.apply:
        _repeat_names(overlay, filled)
        _apply(to_yaml(manifests), kubectl, yes=arguments.yes)
    elif arguments.output:
        write_private(arguments.output, to_yaml(manifests))
        print(f"{arguments.output}: written, for your eyes only; delete it once it is applied", file=sys.stderr)
    else:
        print(to_yaml(manifests), end="")
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    if arguments.apply and arguments.offline:
        raise UserError("--apply needs the cluster: leave --offline out", WRONG_USAGE)
    if arguments.apply and not arguments.yes:
        check_that_somebody_answers()
    if not arguments.seal and (arguments.cert or arguments.controller_name or arguments.controller_namespace):
        raise UserError("--cert and --controller-… go with --seal", WRONG_USAGE)


def _check_sealing(overlay: Overlay, kubectl: Kubectl) -> None:
    if overlay.values.secrets.provider != "sealed-secrets":
        raise UserError(
            f"synth would not take the sealed file: set secrets.provider to sealed-secrets in {overlay.name}, then seal"
        )
    if not kubectl.namespace:
        raise UserError(
            "a Secret is sealed for one namespace, and the overlay names none: set namespace there, or add --namespace"
        )


def _in_cluster(
    plan: Plan, kubectl: Kubectl, *, offline: bool, must: bool
) -> tuple[dict[str, ClusterSecret], Kubectl | None]:
    """The plan's Secrets as they are in the cluster, and kubectl, where that can be asked. Raises where it must be."""
    if offline:
        return {}, None
    try:
        return kubectl.secrets(dict.fromkeys(entry.secret for entry in plan.entries)), kubectl
    except KubectlError as error:
        if must:
            raise UserError(f"the cluster cannot be asked: {error}") from None
        print(f"note: cannot ask the cluster which Secrets exist: {error}", file=sys.stderr)
        return {}, None


def _note_unused(file: Path, unused: Mapping[int, str], known: Sequence[str]) -> None:
    """Name the lines that have no use by their numbers: what is in them may be a secret."""
    for number, name in unused.items():
        close = difflib.get_close_matches(name.upper(), known, n=1)
        meant = f": did you mean {close[0]}?" if close else ""
        print(f"note: {file}:{number}: not used{meant}", file=sys.stderr)


def _ask(entry: Entry, problems: list[str]) -> str:
    from convexctl.secrets.needed import NO_SECRETS, VARIABLES

    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    meaning = VARIABLES[entry.variable].question if entry.variable in VARIABLES else str(entry)
    skip = "; empty: none" if entry.optional else ""
    ask = ask_shown if entry.variable in NO_SECRETS else ask_hidden
    return ask(entry.variable, f"{meaning}{skip}")


def _report(overlay: Overlay, plan: Plan, filled: Filled, kubectl: Kubectl | None) -> None:
    """Say on standard error what became of each key, without a value."""
    place = kubectl.place() if kubectl else "the cluster was not asked"
    if filled.origins:
        print(f"Secrets of {overlay.name} ({place}):", file=sys.stderr)
    width = max((len(str(entry)) for entry in filled.origins), default=0)
    for entry, origin in filled.origins.items():
        print(f"  {entry!s:{width}}  {origin}", file=sys.stderr)
    for note in plan.notes:
        print(f"  {note}", file=sys.stderr)
    for warning in filled.warnings:
        print(f"WARNING: {warning}", file=sys.stderr)


def _repeat_names(overlay: Overlay, filled: Filled) -> None:
    """Show once more, before anything is applied, what cannot be changed afterwards."""
    from convexctl.secrets.accepted import database_name
    from convexctl.secrets.instance import NAME

    values = overlay.values
    given = (value.decode(errors="replace") for entry, value in filled.values.items() if entry.variable == NAME)
    if name := values.instance_name or next(given, ""):
        database = f", and so the database {database_name(name)}" if values.external_database else ""
        print(printable(f"the instance name is {name}{database}: that cannot be changed later"), file=sys.stderr)


def _say_nothing_to_write(overlay: Overlay) -> None:
    if overlay.values.instance_secret_name:
        print("there is no Secret to write from here", file=sys.stderr)
        return
    print(
        f"{overlay.name} needs no Secret: its backend makes the instance secret at its first start and keeps it on its "
        f"volume. Then `{PROGRAM} admin-key {overlay.asked}` makes an admin key",
        file=sys.stderr,
    )


def _note_unmanaged(cluster: Mapping[str, ClusterSecret], kubectl: Kubectl) -> None:
    from convexctl.tools.kubeseal import ANNOTATIONS

    for name, secret in cluster.items():
        if not ANNOTATIONS.items() <= secret.annotations.items():
            pairs = " ".join(f"{key}={value}" for key, value in ANNOTATIONS.items())
            print(
                f"note: the Secret {name} was made by somebody else, and the controller takes it over only if it has\n"
                "these annotations before the SealedSecret is applied (if that was applied already, delete the "
                "SealedSecret and apply it again):\n"
                f"  kubectl annotate secret {name} --namespace {kubectl.namespace} {pairs}",
                file=sys.stderr,
            )


def _apply(manifests: str, kubectl: Kubectl, *, yes: bool) -> None:
    if not yes:
        confirm(f"Apply to {kubectl.place()}?", "nothing was applied")
    try:
        print(kubectl.apply(manifests), end="")
    except KubectlError as error:
        hint = ""
        if "namespaces" in str(error) and "not found" in str(error):
            hint = f"; make it: kubectl create namespace {kubectl.namespace}"
        raise UserError(f"kubectl apply failed: {error}{hint}") from None
