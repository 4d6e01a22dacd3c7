"""Name and secret of the instance."""

from __future__ import annotations

from convexctl.changes.irreversible.model import Explanation, Side, differs, export_and_import, reference, rule, shown
from convexctl.project import PROGRAM


@rule("instance-name", reference("instance_name"), differs("instance_name"))
def instance_name(before: Side, after: Side) -> Explanation:
    """The instance is renamed."""
    old, new = shown(before, "instance_name"), shown(after, "instance_name")
    if after.server:
        happens = (
            f"the {after.server} database is named after the instance: the backend would open another one, or none, "
            f"and the documents stay in the old one"
        )
    else:
        happens = "the backend refuses to start on the data of an instance of another name"
    happens += ". Every admin key has the old name in it and is void"
    cure = "keep the name. A new name is a new instance: an overlay of its own, and the data by export and import"
    if "/" in old or "/" in new:
        cure += f". If both mean the same name ({old} and {new} cannot be read here), the acknowledgement is enough"
    return Explanation(happens, cure, export_and_import("# with the new instance:"))


@rule("instance-secret", reference("instance_secret"), differs("instance_secret"))
def instance_secret(before: Side, after: Side) -> Explanation:
    """The instance secret comes from elsewhere."""
    happens = "with another instance secret every admin key, upload token and cursor is void; the documents stay"
    cure = "bring the old secret along, while the old pod runs: this takes it from there, unless the new Secret has one"
    if after.backend.instance_secret.value == "generated":
        cure = (
            "keep the Secret: without it the backend takes what an earlier start left on its volume, or makes a new one"
        )
        return Explanation(happens, cure)
    if before.backend.instance_secret.value != "generated":
        cure += ". If both hold the same secret, nothing changes, and the acknowledgement is enough"
    return Explanation(happens, cure, (f"{PROGRAM} secrets {after.overlay} --apply",))
