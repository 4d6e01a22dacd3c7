"""`adopt`: take over a Helm release in place, as an environment and with nothing deleted."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convexctl.commands.prompts import check_that_somebody_answers, confirm
from convexctl.errors import IRREVERSIBLE, WRONG_USAGE, UserError
from convexctl.process import INTERRUPTED
from convexctl.project import PROGRAM, folder, output_folder, path
from convexctl.terminal import printable
from convexctl.tools import node
from convexctl.tools.helm import Helm
from convexctl.tools.kubectl import Kubectl, KubectlError

if TYPE_CHECKING:
    from convexctl.adopt.live import Preview
    from convexctl.adopt.release import Release
    from convexctl.adopt.steps import Adoption, Step
    from convexctl.synth.environment import Environment


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("release", help="name of the Helm release")
    parser.add_argument("-n", "--namespace", default="", help="its namespace (default: kubectl's current one)")
    parser.add_argument("--context", default="", help="context of kubectl and Helm (default: kubectl's current one)")
    parser.add_argument("--name", help="name of the overlay (default: the release's)")
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")
    parser.add_argument(
        "-o", "--output", type=path, metavar="DIR", help="folder to write to (default: $CDK8S_OUTDIR, else dist)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an overlay that exists")
    files = parser.add_argument_group("instead of asking Helm")
    files.add_argument("--values", type=path, metavar="FILE", help="the values that were given to Helm")
    files.add_argument("--manifest", type=path, metavar="FILE", help="what Helm rendered, or `helm get manifest` says")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="run the commands, after asking (default: print them)")
    what.add_argument("--rollback", action="store_true", help="print the way back, while Helm's record is there")
    parser.add_argument("--yes", action="store_true", help="with --apply: do not ask")
    parser.add_argument(
        "--timeout", type=_seconds, default=600, metavar="TIME", help="time for the new pods, as 90s or 10m (default)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the overlay and dist/, say what will be otherwise, then print the commands, run them, or the way back."""
    _check_usage(arguments)
    node.warm_up()
    helm = Helm(arguments.context, arguments.namespace)
    kubectl = Kubectl(arguments.context, Kubectl(arguments.context, arguments.namespace).namespace_name())
    release = _release(arguments, helm, kubectl)
    name = arguments.name or arguments.release
    if release is None:
        return _finish(arguments, _adoption(arguments, None, _adopted(arguments, name, kubectl), kubectl, helm))
    kubectl = Kubectl(arguments.context, release.namespace)
    if arguments.rollback:
        environment = _environment(arguments, name, release)
        print("\n".join(_adoption(arguments, release, environment, kubectl, helm).way_back()))
        return 0
    return _adopt(arguments, name, release, kubectl, helm)


def _seconds(value: str) -> int:
    match = re.fullmatch(r"(?P<number>[1-9][0-9]*)(?P<unit>s|m|h)?", value)
    if not match:
        raise argparse.ArgumentTypeError(f"{value}: must be a time like 90s or 10m")
    return int(match["number"]) * {"m": 60, "h": 3600}.get(match["unit"] or "s", 1)


def _check_usage(arguments: argparse.Namespace) -> None:
    from convexctl.overlays.names import name_fault

    if (arguments.values is None) != (arguments.manifest is None):
        raise UserError("--values and --manifest go together: without one, Helm is asked for both", WRONG_USAGE)
    if arguments.apply and not arguments.yes:
        check_that_somebody_answers()
    if fault := name_fault(arguments.name or arguments.release):
        raise UserError(f"{fault}: set --name", WRONG_USAGE)


def _release(arguments: argparse.Namespace, helm: Helm, kubectl: Kubectl) -> Release | None:
    from convexctl.adopt.release import from_files, from_helm

    if arguments.manifest:
        return from_files(arguments.release, kubectl.namespace, arguments.values, arguments.manifest)
    return from_helm(helm, arguments.release)


def _overlays(arguments: argparse.Namespace) -> Path:
    return arguments.overlays or folder("overlays")


def _overlay_file(arguments: argparse.Namespace, name: str) -> Path | None:
    files = (_overlays(arguments) / f"{name}{ending}" for ending in (".yaml", ".yml"))
    return next((file for file in files if file.exists()), None)


def _environment(arguments: argparse.Namespace, name: str, release: Release) -> Environment:
    """The environment of the overlay. Raises `UserError` if that is another one than the release."""
    from convexctl.synth.environment import synthesise_all

    (environment,) = synthesise_all(_overlays(arguments), [name])
    values = environment.overlay.values
    if (values.release_name, values.namespace) != (release.name, release.namespace):
        raise UserError(
            f"{_overlay_file(arguments, name)}: is another environment (releaseName {values.release_name}, namespace "
            f"{values.namespace or 'not set'}), not {release.name} in {release.namespace}: choose another name with "
            "--name, or write it again with --force"
        )
    return environment


def _adoption(
    arguments: argparse.Namespace, release: Release | None, environment: Environment, kubectl: Kubectl, helm: Helm
) -> Adoption:
    from convexctl.adopt.steps import Adoption

    where = [f"--kube-context={arguments.context}"] if arguments.context else []
    source = ["helm", "get", "manifest", arguments.release, f"--namespace={kubectl.namespace}", *where]
    if arguments.manifest:
        source = ["cat", str(arguments.manifest)]
    target = output_folder(arguments.output) / environment.name
    return Adoption(
        arguments.release, release, environment, target, kubectl, helm, shlex.join(source), arguments.timeout
    )


def _adopted(arguments: argparse.Namespace, name: str, kubectl: Kubectl) -> Environment:
    """The environment of an adopted release, which Helm no longer knows. Raises `UserError` for any other."""
    from convexctl.synth.environment import synthesise_all

    workload = kubectl.find("statefulset", f"{arguments.release}-backend")
    labels = (workload or {}).get("metadata", {}).get("labels", {})
    if not _overlay_file(arguments, name) or labels.get("app.kubernetes.io/managed-by") != "convex-k8s":
        known = Helm(arguments.context, kubectl.namespace).releases()
        raise UserError(
            f"Helm has no release {arguments.release} in {kubectl.place()} (there: {', '.join(known) or 'none'}). For "
            "one that Helm does not keep (rendered by Argo CD, say) give --values and --manifest"
        )
    (environment,) = synthesise_all(_overlays(arguments), [name])
    return environment


def _finish(arguments: argparse.Namespace, adoption: Adoption) -> int:
    if arguments.rollback:
        adoption.way_back()
    if not adoption.pending():
        print(f"{arguments.release}: adopted already, there is nothing to do")
        return 0
    return _commands(arguments, adoption)


def _adopt(arguments: argparse.Namespace, name: str, release: Release, kubectl: Kubectl, helm: Helm) -> int:
    from convexctl.adopt import report
    from convexctl.adopt.effects import effects, summary
    from convexctl.adopt.release import secret_names
    from convexctl.changes import guard
    from convexctl.overlays.names import OverlayError
    from convexctl.synth import output

    secrets, offline = _secrets(arguments, kubectl, release)
    written = _write_overlay(arguments, name, release, secrets)
    try:
        environment = _environment(arguments, name, release)
    except OverlayError as error:
        if not written:
            raise
        raise UserError(
            "\n".join([*error.messages, f"{written} was written and needs to be corrected; nothing else was changed"])
        ) from None
    for warning in environment.overlay.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if secrets is not None:
        known = secret_names(release.manifests)
        new = [one for one in secret_names(environment.manifests) if one not in known]
        secrets += kubectl.secrets_without_values(new)
    found = effects(release, environment, secrets)
    print(report.effects_text(found, environment))
    file = _overlay_file(arguments, name)
    if found.stops:
        raise UserError(report.stops_text(found, environment, str(file)), IRREVERSIBLE)
    target = output_folder(arguments.output)
    guard.check([environment], target, _overlays(arguments))
    for folder_name, outcome in output.write(target, {name: environment.files}, prune=False).items():
        print(f"\n{target / folder_name}: {outcome}")
    adoption = _adoption(arguments, release, environment, kubectl, helm)
    if offline:
        print(f"\nThe cluster cannot be asked what would change there: {offline}", file=sys.stderr)
        return 0
    if _preview(adoption).changes:
        print()
        print(report.preview_text(adoption.preview(), kubectl.place(), colour=sys.stdout.isatty()))
    if found.missing:
        problem = summary(found.missing)
        if arguments.apply:
            raise UserError(problem)
        print(f"warning: {problem}", file=sys.stderr)
    if arguments.apply and release.flux:
        raise UserError(
            f"Flux would install the chart again: its HelmRelease {release.flux} owns {release.name}. Take that away "
            "first, without letting it uninstall the release"
        )
    return _commands(arguments, adoption)


def _preview(adoption: Adoption) -> Preview:
    try:
        return adoption.preview()
    except KubectlError as error:
        raise UserError(f"the API server refuses it, and nothing was changed: {error}") from None


def _secrets(
    arguments: argparse.Namespace, kubectl: Kubectl, release: Release
) -> tuple[list[dict[str, object]] | None, str]:
    """The Secrets of the release with their keys; or None, and why the cluster cannot be asked."""
    from convexctl.adopt.release import secret_names

    try:
        return kubectl.secrets_without_values(secret_names(release.manifests)), ""
    except KubectlError as error:
        if arguments.manifest and not arguments.apply:
            return None, str(error)
        raise


def _write_overlay(
    arguments: argparse.Namespace, name: str, release: Release, secrets: list[dict[str, object]] | None
) -> Path | None:
    """Write the overlay and return its file; None if there was one, which stays."""
    from convexctl.adopt import report
    from convexctl.adopt.overlay import derive

    derived = derive(release, secrets)
    file = _overlay_file(arguments, name)
    if file and not arguments.force:
        print(f"{file}: exists and is used unchanged (--force overwrites it)\n")
        return None
    file = file or _overlays(arguments) / f"{name}.yaml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(derived.text(release), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None
    print(f"{file}: written, with what differs from the defaults\n\n{report.taken_over(derived)}\n")
    return file


def _commands(arguments: argparse.Namespace, adoption: Adoption) -> int:
    from convexctl.adopt import report

    if not arguments.apply:
        print(f"Commands (--apply runs them)\n\n{report.commands_text(adoption, adoption.steps())}")
        return 0
    if not adoption.pending():
        print(f"{arguments.release}: adopted already, there is nothing to do")
        return 0
    if not arguments.yes:
        confirm(f"Change {adoption.kubectl.place()} in these steps?", "nothing was changed")
    done = 0
    try:
        for step in adoption.steps():
            _run(arguments, adoption, step)
            done += bool(step.commands)
    except KeyboardInterrupt:
        so_far = f"{done} step{'' if done == 1 else 's'} of those above {'is' if done == 1 else 'are'} done"
        raise UserError(f"interrupted: {so_far}. {_goes_on(arguments)}", INTERRUPTED) from None
    if not adoption.forgotten():
        raise UserError(
            f"Helm still has a record of {arguments.release}, not in Secrets or ConfigMaps: see HELM_DRIVER"
        )
    print(f"\n{arguments.release} is adopted. From here on the overlay counts: commit it, and what was synthesised")
    return 0


def _run(arguments: argparse.Namespace, adoption: Adoption, step: Step) -> None:
    if step.commands:
        print(f"\n# {step.title}")
    for command in step.commands:
        print(command.text(adoption.kubectl), flush=True)
        try:
            print(printable(adoption.run(command)), end="", flush=True)
        except KubectlError as error:
            raise UserError(f"{error}\nThat failed. {_goes_on(arguments)}") from None


def _goes_on(arguments: argparse.Namespace) -> str:
    options = (("-n", arguments.namespace), ("--context", arguments.context), ("--name", arguments.name))
    where = shlex.join([word for option, value in options if value for word in (option, value)])
    back = f"`{PROGRAM} adopt {arguments.release} {where and f'{where} '}--rollback` prints the way back"
    return f"The same command goes on from here; as long as Helm's record is still there, {back}"
