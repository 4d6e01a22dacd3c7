"""`secrets`: make the Secrets that an environment's manifests refer to."""

from __future__ import annotations

import argparse
import os
import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convexctl.commands import arguments as common
from convexctl.commands.prompts import ask_hidden, ask_shown, check_that_somebody_answers, confirm
from convexctl.errors import WRONG_USAGE, UserError
from convexctl.overlays.load import Overlay
from convexctl.overlays.names import OverlayError, named_overlays, overlay_file
from convexctl.project import PROGRAM, path
from convexctl.secrets.private_file import check_not_in_git, write_private
from convexctl.tools import node
from convexctl.tools.kubectl import ClusterSecret, Kubectl, KubectlError

if TYPE_CHECKING:
    from convexctl.secrets.plan import Entry, Plan


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlays(parser)
    parser.add_argument(
        "--from-env-file",
        action="append",
        type=path,
        default=[],
        metavar="FILE",
        help="take values from lines NAME=VALUE; they win over environment variables (may be repeated; the first file "
        "wins)",
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--apply", action="store_true", help="apply the Secrets, after asking")
    target.add_argument(
        "-o", "--output", type=path, metavar="FILE", help="write them to a file that only you can read (default: print)"
    )
    target.add_argument("--seal", action="store_true", help="seal them with kubeseal, beside the overlay")
    parser.add_argument("--yes", action="store_true", help="apply without asking")
    parser.add_argument(
        "--rotate", action="store_true", help="replace the instance secret; all admin keys become invalid"
    )
    parser.add_argument(
        "--include-made",
        action="store_true",
        help="also print Secrets that something in the manifests makes (an ExternalSecret, a Job)",
    )
    common.add_cluster(parser)
    parser.add_argument("--offline", action="store_true", help="do not ask the cluster which Secrets exist")
    sealing = parser.add_argument_group("with --seal")
    sealing.add_argument("--cert", type=path, metavar="FILE", help="the controller's certificate (default: ask it)")
    sealing.add_argument("--controller-name", default="", metavar="NAME", help="as for kubeseal")
    sealing.add_argument("--controller-namespace", default="", metavar="NAMESPACE", help="as for kubeseal")


@dataclass
class _Run:
    """What the environments of one run have in common."""

    files: Mapping[Path, Sequence[str]]
    """The lines of the files that were given."""
    made: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """The Secrets to print, or to write to a file."""
    unused: dict[Path, dict[int, str]] = field(default_factory=dict, repr=False)
    """The lines, by number, that no environment has used so far."""
    known: set[str] = field(default_factory=set)


def run(arguments: argparse.Namespace) -> int:
    """Make the Secrets of each environment: apply or seal them one after the other, or print or write all at the end.

    If one environment has a fault, nothing is printed or written to a file.
    """
    _check_usage(arguments)
    node.warm_up()
    from convexctl.commands import secrets_report as report
    from convexctl.secrets.env_file import read_lines
    from convexctl.secrets.write import to_yaml

    _check_further(arguments)
    names = common.named(arguments)
    this = _Run({file: read_lines(file) for file in arguments.from_env_file})
    if len(names) > 1:
        _check_several(len(names), this, rotate=arguments.rotate)
    code = common.for_each(arguments, names, lambda one: _secrets(one, this), sys.stderr)
    for file, unused in this.unused.items():
        report.note_unused(file, unused, sorted(this.known))
    if this.made and code:
        raise UserError("not every environment is right, so no Secret was printed or written to a file", code)
    if this.made and arguments.output:
        write_private(arguments.output, to_yaml(this.made))
        print(f"{arguments.output}: written, for your eyes only; delete it once it is applied", file=sys.stderr)
    elif this.made:
        print(to_yaml(this.made), end="")
    return code


def _check_further(arguments: argparse.Namespace) -> None:
    """Refuse further arguments that name no overlay, without repeating them: they may be values of secrets."""
    folder, faults = common.overlays_folder(arguments), []
    for position, name in enumerate(arguments.overlay[1:], 2):
        try:
            for each in named_overlays(folder, [name]):
                overlay_file(folder, each)
        except OverlayError:
            faults.append(f"argument {position}: names no overlay in {folder}")
    if faults:
        raise UserError("\n".join(faults), WRONG_USAGE)


def _check_several(count: int, this: _Run, *, rotate: bool) -> None:
    """Refuse what would be the same in several environments, and must not be."""
    from convex_k8s.values.secrets import ADMIN_KEY

    from convexctl.secrets.env_file import parse
    from convexctl.secrets.instance import NAME, SECRET

    if rotate:
        raise UserError("--rotate is for one environment at a time", WRONG_USAGE)
    own = (NAME, SECRET, ADMIN_KEY)
    given = {
        "the environment": os.environ,
        **{str(file): parse(file, lines, own).values for file, lines in this.files.items()},
    }
    faults = [
        f"{name}, from {origin}, would be that of all {count} environments, and each needs its own: leave it out, or "
        "name one environment"
        for origin, values in given.items()
        for name in own
        if name in values
    ]
    if faults:
        raise UserError("\n".join([*faults, "nothing was written"]))


def _secrets(arguments: argparse.Namespace, this: _Run) -> int:
    """Collect the values of one environment, check them all, then apply or seal the Secrets, or keep them in `this`."""
    from convexctl.commands import secrets_report as report
    from convexctl.overlays import sealed_files
    from convexctl.secrets.env_file import parse
    from convexctl.secrets.fill import fill
    from convexctl.secrets.instance import find_instance
    from convexctl.secrets.plan import names_with_use, plan_secrets
    from convexctl.secrets.sources import Known, Source
    from convexctl.secrets.unreadable_instance_secret import out_of_reach
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
    plan = plan_secrets(overlay.values, synthesise(overlay).manifests, everything=arguments.include_made)
    known = names_with_use(plan)
    files = {file: parse(file, lines, known) for file, lines in this.files.items()}
    sources = [Source(str(file), content.values) for file, content in files.items()]
    sources.append(Source("the environment", os.environ))
    this.known.update(known)
    for given, content in files.items():
        so_far = this.unused.get(given, content.unused)
        this.unused[given] = {number: name for number, name in so_far.items() if number in content.unused}
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
    report.what_became(overlay, plan, filled, asked)
    manifests = secret_manifests(filled, kubectl.namespace)
    if not filled.secrets():
        report.say_nothing_to_write(overlay)
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
        report.note_unmanaged(cluster, kubectl)
    elif arguments.apply:
        report.repeat_names(overlay, filled)
        _apply(to_yaml(manifests), kubectl, yes=arguments.yes)
    else:
        this.made += (manifest for manifest in manifests if manifest not in this.made)
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    if arguments.overlay and arguments.every:
        raise UserError(
            "name overlays, or say --all; --include-made is for the Secrets that the manifests make", WRONG_USAGE
        )
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


def _ask(entry: Entry, problems: list[str]) -> str:
    from convexctl.secrets.needed import NO_SECRETS, VARIABLES

    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    meaning = VARIABLES[entry.variable].question if entry.variable in VARIABLES else str(entry)
    skip = "; empty: none" if entry.optional else ""
    ask = ask_shown if entry.variable in NO_SECRETS else ask_hidden
    return ask(entry.variable, f"{meaning}{skip}")


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
