"""Release name and namespace: changes that make every object a new one."""

from __future__ import annotations

from convexctl.changes.irreversible.model import SYNTH_AND_APPLY, Explanation, Side, export_and_import, rule
from convexctl.wording import listed


def _release_name(side: Side) -> str:
    return side.backend.name.removesuffix("-backend")


def renamed(before: Side, after: Side) -> bool:
    """Whether the backend has another name."""
    return before.backend.name != after.backend.name


@rule("release-name", _release_name, renamed)
def release_name(before: Side, after: Side) -> Explanation:
    """Every object gets a new name."""
    cure = "keep releaseName: nobody outside the cluster sees it. Otherwise stop the old environment first"
    return _explain_new_objects(before, after, "every object gets a new name, and those of the old name stay", cure)


@rule("namespace", lambda side: side.backend.namespace)
def namespace(before: Side, after: Side) -> Explanation:
    """Every object moves to another namespace."""
    old, new = before.backend.namespace, after.backend.namespace
    cure = "keep the namespace. Otherwise make the Secrets in the new one, and stop the old environment first"
    if not old or not new:
        cure += (
            f". The manifests {'named none before' if not old else 'name none now'}: if it stays the same one "
            f"({old or new}), nothing changes, and the acknowledgement alone is enough"
        )
    where = f"in {new}" if new else "in the namespace that kubectl is told to use"
    happens = f"every object is recreated {where}, without the Secrets and claims of the old namespace, which stay"
    return _explain_new_objects(before, after, happens, cure)


def _explain_new_objects(before: Side, after: Side, happens: str, cure: str) -> Explanation:
    claim, lost = before.backend.claim, before.on_volume()
    same_volume = claim is not None and not before.from_template and not _renamed_namespace(before, after)
    if before.server:
        happens += f": two backends would fight over one {before.server} database"
    elif same_volume:
        happens += ": two backends on one volume would ruin the SQLite database"
    stop = f"{before.kubectl} delete {before.workload}   # its claims stay"
    if same_volume or not lost:
        return Explanation(
            happens, cure, (stop, "# acknowledge, synth, apply, then delete what is left of the old one")
        )
    gone = f"stay on the claim {claim.value}" if claim else "are lost with the old pod"
    happens += f"; the new backend starts with an empty volume: {listed(lost, 'and')} {gone}"
    return Explanation(happens, cure, export_and_import(stop, SYNTH_AND_APPLY))


def _renamed_namespace(before: Side, after: Side) -> bool:
    return before.backend.namespace != after.backend.namespace
