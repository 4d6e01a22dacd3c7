"""What `secrets` says on standard error about the Secrets of an environment, without a value."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from convexctl.overlays.load import Overlay
from convexctl.project import PROGRAM
from convexctl.secrets.fill import Filled
from convexctl.secrets.instance import NAME
from convexctl.secrets.plan import Plan
from convexctl.secrets.value_rules import database_name
from convexctl.terminal import printable
from convexctl.tools.kubectl import ClusterSecret, Kubectl
from convexctl.tools.kubeseal import ANNOTATIONS


def note_unused(file: Path, unused: Mapping[int, str], known: Sequence[str]) -> None:
    """Name the lines that have no use by their numbers: what is in them may be a secret."""
    for number, name in unused.items():
        close = difflib.get_close_matches(name.upper(), known, n=1)
        meant = f": did you mean {close[0]}?" if close else ""
        print(f"note: {file}:{number}: not used{meant}", file=sys.stderr)


def what_became(overlay: Overlay, plan: Plan, filled: Filled, kubectl: Kubectl | None) -> None:
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


def repeat_names(overlay: Overlay, filled: Filled) -> None:
    """Show once more, before anything is applied, what cannot be changed afterwards."""
    values = overlay.values
    given = (value.decode(errors="replace") for entry, value in filled.values.items() if entry.variable == NAME)
    if name := values.instance_name or next(given, ""):
        database = f", and so the database {database_name(name)}" if values.external_database else ""
        print(printable(f"the instance name is {name}{database}: that cannot be changed later"), file=sys.stderr)


def say_nothing_to_write(overlay: Overlay) -> None:
    """Say why there is no Secret to write."""
    if overlay.values.instance_secret_name:
        print("there is no Secret to write from here", file=sys.stderr)
        return
    print(
        f"{overlay.name} needs no Secret: its backend makes the instance secret at its first start and keeps it on its "
        f"volume. Then `{PROGRAM} admin-key {overlay.asked}` makes an admin key",
        file=sys.stderr,
    )


def note_unmanaged(cluster: Mapping[str, ClusterSecret], kubectl: Kubectl) -> None:
    """Say how the sealed-secrets controller takes over a Secret that is in the cluster already."""
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
