"""`synth`: write dist/<overlay>/ from overlays/<overlay>.yaml."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convexctl.errors import IRREVERSIBLE, UserError
from convexctl.overlays.command_line_values import add_setting, check_name, name_given
from convexctl.overlays.names import OverlayError, named_overlays
from convexctl.project import check_output_folder, folder, output_folder, path
from convexctl.synth.folder_record import named_folders
from convexctl.synth.up_to_date import Kept, Known, Memory
from convexctl.terminal import printable

if TYPE_CHECKING:
    from convexctl.overlays.load import Overlay
    from convexctl.synth.environment import Environment
    from convexctl.synth.output import Outcome


_TOLD_ONE_BY_ONE = 10
"""Up to this number, unchanged environments get a line each; more get one line together."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "overlay", nargs="*", help="the overlays to synthesise, or patterns: 'tenants/*' (default: all)"
    )
    parser.add_argument(
        "-f",
        "--values",
        action="append",
        type=path,
        default=[],
        metavar="FILE",
        help="values to lay on top of each overlay (may be repeated; the last one wins)",
    )
    add_setting(parser)
    parser.add_argument("--overlays", type=path, metavar="DIR", help="folder of the overlays (default: overlays)")
    parser.add_argument(
        "-o", "--output", type=path, metavar="DIR", help="folder to write to (default: $CDK8S_OUTDIR, else dist)"
    )
    parser.add_argument(
        "--allow-irreversible", action="store_true", help="go on this once, although a change cannot be undone"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="to find irreversible changes, compare with the current cluster instead of the last output",
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="write what is right, although other overlays have faults"
    )
    parser.add_argument(
        "--force", action="store_true", help="do the work even if nothing has changed since the last run"
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=_jobs,
        default=0,
        metavar="N",
        help="number of worker processes, used only for more than 40 environments (default: one for each core)",
    )
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    parser.add_argument("--watch", action="store_true", help="synthesise again after every change of an overlay")


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 1 to 256")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Synthesise, once or after each change of an overlay until the user interrupts it."""
    if not arguments.watch:
        return _once(arguments)
    from convexctl.synth.watch import watch

    def tell() -> None:
        while True:
            try:
                _once(arguments)
            except _EditedError:
                continue
            except UserError as error:
                print(error, file=sys.stderr)
            return

    files = [file for file in arguments.values if isinstance(file, Path)]
    with contextlib.suppress(KeyboardInterrupt):
        watch([arguments.overlays or folder("overlays"), *files], tell)
    return 0


class _EditedError(Exception):
    """What was read has been edited meanwhile, or was read while it was being saved."""


def _once(arguments: argparse.Namespace) -> int:
    """Synthesise, and write only when every overlay is right and the guard has nothing against it."""
    overlays, target = arguments.overlays or folder("overlays"), output_folder(arguments.output)
    check_output_folder(target, overlays)
    check_name(arguments.values, arguments.overlay)
    request = [
        f"{name}={value}"
        for name, value in sorted(vars(arguments).items())
        if name not in ("force", "jobs", "keep_going", "quiet", "watch")
    ]
    memory = Memory(overlays, target, request, [file for file in arguments.values if isinstance(file, Path)])
    # A cluster may have changed without any file's having done so.
    known = None if arguments.force or arguments.live else memory.recall()
    left: dict[str, int] = {}
    if known:
        outcomes: Mapping[str, Outcome] = dict.fromkeys(known.objects, "unchanged")
    else:
        outcomes, known = _synthesise(arguments, overlays, target, memory, left)
    _report(target, outcomes, known, quiet=arguments.quiet)
    if not arguments.overlay and not arguments.quiet:
        for name, overlay in named_folders(target, outcomes).items():
            print(f"{target / name}: left as it is: made from {overlay} by --name", file=sys.stderr)
    return max(left.values(), default=0)


def _synthesise(
    arguments: argparse.Namespace, overlays: Path, target: Path, memory: Memory, left: dict[str, int]
) -> tuple[Mapping[str, Outcome], Known]:
    """Make the environments; with `--keep-going` without those that have faults, which get into `left` with the codes.

    Raises `UserError` if a fault is not about some of the environments only.
    """
    while True:
        names = [name for name in named_overlays(overlays, arguments.overlay) if name not in left]
        try:
            return _make(arguments, overlays, target, memory, names, left)
        except UserError as error:
            if not arguments.keep_going or not error.about or error.about.issuperset(names):
                raise
            faults = error.messages if isinstance(error, OverlayError) else [str(error).replace(_NOTHING, _AS_IT_WAS)]
            print(printable("\n".join(faults)), file=sys.stderr)
            for name in sorted(error.about):
                print(printable(f"{target / name}: left as it was"), file=sys.stderr)
            left |= dict.fromkeys(error.about, error.exit_code)


_NOTHING, _AS_IT_WAS = "nothing was written", "left as it was"


def _make(
    arguments: argparse.Namespace,
    overlays: Path,
    target: Path,
    memory: Memory,
    names: Sequence[str],
    left: Collection[str],
) -> tuple[Mapping[str, Outcome], Known]:
    """Make and write the environments that are not as the last run left them, and compare all of them."""
    own_name = name_given(arguments.values)
    sources = {own_name or name: name for name in names}
    kept = {} if arguments.force or arguments.live or own_name else memory.environments()
    kept = {name: kept[name] for name in names if name in kept}
    from convexctl.tools import node

    node.warm_up(len(names) - len(kept) if arguments.jobs != 1 else 1)
    from convexctl.overlays.load import attributed
    from convexctl.synth import output, self_audit
    from convexctl.synth.builder import Task, build, builder_of
    from convexctl.synth.collisions import check_collisions

    to_make = [name for name in names if name not in kept]
    task = Task(overlays, to_make, arguments.values, lambda each: self_audit.told(each, overlays))
    with builder_of(task, arguments.jobs) as builder:
        read = builder.read()
        shared = check_collisions(overlays, read, {name: its.shares for name, its in kept.items()})
        built = build(builder, len(to_make), quiet=arguments.quiet)
    if arguments.watch and not memory.is_current():
        raise _EditedError
    environments = [environment for environment, _ in built]
    guarded = [] if arguments.allow_irreversible else _guarded(environments, target, overlays, live=arguments.live)
    made = {
        its.name: Kept(environment.objects, its.warnings, *told, its.shares)
        for its, (environment, told) in zip(read, built, strict=True)
    }
    everything = {name: kept.get(name) or made[name] for name in sources}
    made_from = {its.name: its.file_name for its in read if its.file_name != its.name}
    files = output.Files(environments)
    written = output.write(target, files, prune=not arguments.overlay, keep={*kept, *left}, made_from=made_from)
    outcomes = {name: written.pop(name, "unchanged") for name in sources} | written
    told = {sources[name]: [*its.warnings, *shared.get(name, ())] for name, its in everything.items()}
    warnings = attributed(overlays, told)
    known = Known(
        [*warnings, *(line for its in everything.values() for line in its.told), *guarded],
        {name: its.objects for name, its in everything.items()},
        [line for its in everything.values() for line in its.accepted],
    )
    # Do not remember a run that warned of changes or asked a cluster: the same run may say something else next time.
    if not guarded and not arguments.live:
        fresh = {its.name: (its.lineage, made[its.name]) for its in read}
        memory.keep(known, fresh, whole=not left)
    return outcomes, known


def _guarded(environments: Sequence[Environment], target: Path, overlays: Path, *, live: bool) -> list[str]:
    """Let the guard look at the environments, and return its warnings. Raises `UserError` if it stops them."""
    from convexctl.changes import guard

    if live:
        _check_owners([environment.overlay for environment in environments])
    try:
        return guard.check(environments, target, overlays, live=live)
    except UserError as error:
        _ask_whether_never_applied(error, live=live)
        return []


def _ask_whether_never_applied(stop: UserError, *, live: bool) -> None:
    """At a terminal, ask whether the guard stopped for nothing. Raises the stop, or `UserError`, unless it did."""
    from convexctl.commands import prompts

    if stop.exit_code != IRREVERSIBLE or live or not prompts.somebody_answers():
        raise stop
    print(f"{stop}\n", file=sys.stderr)
    prompts.confirm(
        "If this was never applied to a cluster, nothing can be lost. Was it never applied, and should synth go on?",
        "nothing was written",
        IRREVERSIBLE,
    )


def _check_owners(overlays: Sequence[Overlay]) -> None:
    """Say which cluster is asked. Raises `UserError` if what is there was made from other overlays."""
    from convexctl.commands import arguments as common
    from convexctl.tools.owner import OtherOverlayError

    faults = []
    for overlay in overlays:
        kubectl = common.current_kubectl(overlay)
        print(f"{overlay.name}: compared with {kubectl.place()}", file=sys.stderr)
        try:
            common.refuse_other_overlay(kubectl, overlay)
        except OtherOverlayError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join([*faults, "nothing was written"]))


def _report(target: Path, outcomes: Mapping[str, Outcome], known: Known, *, quiet: bool) -> None:
    for warning in known.warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
    if quiet:
        return
    for accepted in known.accepted:
        print(f"accepted: {printable(accepted)}", file=sys.stderr)
    unchanged = [name for name, outcome in outcomes.items() if outcome == "unchanged"]
    together = frozenset(unchanged if len(unchanged) > _TOLD_ONE_BY_ONE else ())
    if together:
        objects = sum(known.objects.get(name, 0) for name in together)
        print(f"{target}: {len(together)} environments unchanged, {objects} objects", file=sys.stderr)
    for name, outcome in outcomes.items():
        if name in together:
            continue
        count = f", {known.objects[name]} objects" if name in known.objects else ""
        print(f"{target / name}: {outcome}{count}", file=sys.stderr)
