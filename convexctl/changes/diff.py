"""What synth would change, for people: decisions first, then objects field by field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convexctl import behaviour as model
from convexctl.behaviour.manifests import mapping
from convexctl.changes.compare_objects import ABSENT, FieldChange, ObjectChange, compare, without_bookkeeping
from convexctl.changes.hidden_values import without_secrets
from convexctl.changes.irreversible import changes
from convexctl.changes.irreversible.model import Change, side_of
from convexctl.changes.remarks import remarks
from convexctl.changes.removed_objects import deletions
from convexctl.errors import UserError
from convexctl.located_yaml import DocumentError, load_all
from convexctl.synth.environment import MANIFESTS, NAMESPACE, Environment
from convexctl.synth.folder_record import named_folders, recorded, written_folders
from convexctl.tools.kubectl import Kubectl
from convexctl.wording import cell

Format = Literal["text", "markdown", "json"]
State = Literal["new", "changed", "unchanged", "removed"]

SAME, DIFFERENT = 0, 1
"""Exit codes, the same as of `kubectl diff`. The third is `errors.TROUBLE`."""

_COLOURS = {"added": "\033[32m", "removed": "\033[31m", "changed": "\033[33m"}
_RESET = "\033[0m"
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_LONGEST_VALUE = 200
_LEAVING = "what goes stays in the cluster until you delete it, or Argo CD or Flux prunes it:"


@dataclass(frozen=True)
class Difference:
    """What differs in one environment between `dist/` and what synth would write."""

    name: str
    state: State
    irreversible: tuple[Change, ...] = ()
    """What cannot be undone: `synth` stops there unless the overlay acknowledges it."""
    decisions: tuple[model.Change, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    files: tuple[str, ...] = ()
    """Further files that differ (README.md, Kustomization); the manifests too if their objects are the same."""
    remarks: tuple[str, ...] = ()
    """What the change means beyond its fields, in sentences."""
    deletions: tuple[str, ...] = ()
    """The commands that delete in the cluster what the environment no longer has."""

    @property
    def changed(self) -> bool:
        """Whether synth would write anything."""
        return self.state != "unchanged"


def differences(root: Path, environments: Iterable[Environment], *, all_overlays: bool) -> list[Difference]:
    """Compare what synth would write with `root`; with `all_overlays`, folders of overlays that are gone count too.

    Raises `UserError` if a file in `root` is no YAML.
    """
    environments = list(environments)
    found = [_difference(root, environment) for environment in environments]
    if all_overlays:
        there = {environment.name for environment in environments}
        gone = written_folders(root) - there - named_folders(root, there).keys()
        for name in sorted(gone):
            before = _manifests_in(root / name)
            objects = tuple(compare(before, []))
            found.append(Difference(name, "removed", objects=objects, deletions=tuple(deletions(before, []))))
    return found


def _difference(root: Path, environment: Environment) -> Difference:
    folder = root / environment.name
    files = tuple(name for name, text in environment.files.items() if _content(folder / name) != text)
    stale = tuple(name for name in recorded(root, environment.name) if name not in environment.files)
    if not (folder / MANIFESTS).exists():
        return Difference(environment.name, "new", objects=tuple(compare([], all_manifests(environment))))
    before, after = _manifests_in(folder), all_manifests(environment)
    new = side_of(environment.name, after)
    old = side_of(environment.name, before, new)
    objects = tuple(compare(before, after))
    told = (MANIFESTS, NAMESPACE) if objects else ()
    return Difference(
        environment.name,
        "changed" if files or stale else "unchanged",
        irreversible=tuple(changes(old, new)) if old and new else (),
        decisions=tuple(model.compare(model.predict(before), model.predict(after))),
        objects=objects,
        remarks=tuple(remarks(before, after)),
        files=tuple(name for name in (*files, *stale) if name not in told),
        deletions=tuple(deletions(before, after)),
    )


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def all_manifests(environment: Environment) -> list[dict[str, Any]]:
    """The objects of an environment, its Namespace too."""
    return [*_documents(environment.files.get(NAMESPACE, ""), NAMESPACE), *environment.manifests]


def _manifests_in(folder: Path) -> list[dict[str, Any]]:
    return [
        manifest
        for name in (NAMESPACE, MANIFESTS)
        for manifest in _documents(_content(folder / name) or "", str(folder / name))
    ]


def _documents(text: str, name: str) -> list[dict[str, Any]]:
    remedy = "restore it from Git, or remove it and run synth"
    try:
        documents = [document.plain() for document in load_all(text, name)]
    except DocumentError as error:
        raise UserError(f"{error}: {remedy}") from None
    objects = [document for document in documents if document is not None]
    if not all(map(_is_object, objects)):
        raise UserError(f"{name}: holds a document that is not an object with apiVersion, kind and name: {remedy}")
    return objects


def _is_object(document: object) -> bool:
    """Whether a document says what it is and how it is called, as Kubernetes asks of every object."""
    given = mapping(document)
    metadata = mapping(given.get("metadata"))
    texts = (given.get("apiVersion"), given.get("kind"), metadata.get("name"))
    return all(isinstance(each, str) for each in texts) and isinstance(metadata.get("namespace"), str | None)


def live(environments: Iterable[Environment]) -> list[Difference]:
    """Compare what synth would write with the current cluster, by `kubectl diff`.

    Raises `KubectlError` if the cluster cannot be asked.
    """
    kubectl = Kubectl()
    kubectl.server_version()
    return [_live(kubectl, environment) for environment in environments]


def _live(kubectl: Kubectl, environment: Environment) -> Difference:
    differs, pairs = kubectl.diff(environment.files[MANIFESTS])
    sides = ([pair[side] for pair in pairs] for side in (0, 1))
    before, after = ([without_bookkeeping(thing) for text in side for thing in _answered(text)] for side in sides)
    objects = tuple(compare(before, after))
    own = () if objects or not differs else ("what kubectl notes for itself",)
    return Difference(environment.name, "changed" if differs else "unchanged", objects=objects, files=own)


def _answered(text: str) -> list[dict[str, Any]]:
    try:
        return [document.plain() for document in load_all(text, "kubectl diff") if isinstance(document.value, dict)]
    except DocumentError:
        raise UserError("kubectl diff answered something that is not YAML") from None


def rendered(found: list[Difference], format: Format, *, colour: bool = False) -> str:
    """The differences as text for a terminal, as Markdown for a pull request, or as JSON."""
    if format == "json":
        return json.dumps([_as_data(difference) for difference in found], indent=2) + "\n"
    if format == "markdown":
        return "\n".join(_markdown(difference) for difference in found)
    return "".join(_text(difference, colour=colour) for difference in found)


def _as_data(difference: Difference) -> dict[str, Any]:
    return {
        "environment": difference.name,
        "state": difference.state,
        "irreversible": [
            {
                "id": change.id,
                "before": change.before,
                "after": change.after,
                "consequence": change.explanation.consequence,
            }
            for change in difference.irreversible
        ],
        "decisions": [
            {
                "component": str(change.component),
                "decision": change.title,
                "before": change.before.value if change.before else None,
                "after": change.after.value if change.after else None,
                "why": change.after.why if change.after else None,
            }
            for change in difference.decisions
        ],
        "objects": [
            {
                "object": change.identity,
                "kind": change.kind,
                "fields": [
                    {"path": field.path, "kind": field.kind}
                    | ({} if field.before is ABSENT else {"before": field.before})
                    | ({} if field.after is ABSENT else {"after": field.after})
                    for field in map(without_secrets, change.fields)
                ],
            }
            for change in difference.objects
        ],
        "remarks": list(difference.remarks),
        "files": list(difference.files),
        "deletions": list(difference.deletions),
    }


def _text(difference: Difference, *, colour: bool) -> str:
    def painted(kind: str, text: str) -> str:
        return f"{_COLOURS[kind]}{text}{_RESET}" if colour else text

    lines = [f"{difference.name}: {difference.state}"]
    if difference.irreversible:
        lines.append("  what cannot be undone:")
    for irreversible in difference.irreversible:
        lines.append(painted("removed", f"    ! {_irreversible(irreversible)}"))
    if difference.decisions:
        lines.append("  what the pods will do:")
    for change in difference.decisions:
        lines.append(painted("changed", f"    ~ {_decision(change)}"))
    lines += ["  what that means:", *(f"    {remark}" for remark in difference.remarks)] if difference.remarks else []
    for item in difference.objects:
        lines.append(painted(item.kind, f"  {_SIGNS[item.kind]} {item.identity}"))
        for field in map(without_secrets, item.fields):
            lines.append(painted(field.kind, f"      {_SIGNS[field.kind]} {_field(field)}"))
    if difference.deletions:
        lines += [f"  {_LEAVING}", *(f"    {command}" for command in difference.deletions)]
    if difference.files:
        lines.append(f"  also: {', '.join(difference.files)}")
    return "\n".join(lines) + "\n"


def _markdown(difference: Difference) -> str:
    lines = [f"### {difference.name}: {difference.state}", ""]
    if difference.irreversible:
        lines += ["> [!WARNING]", "> What cannot be undone:"]
        lines += [f"> - {' '.join(_irreversible(change).split())}" for change in difference.irreversible]
        lines.append("")
    if difference.decisions:
        lines += ["| what the pods will do | before | after |", "|---|---|---|"]
        for change in difference.decisions:
            before = cell(change.before.sentence) if change.before else ""
            after = cell(change.after.sentence) if change.after else ""
            lines.append(f"| {change.title} ({change.component}) | {before} | {after} |")
        lines.append("")
    if difference.remarks:
        lines += ["What that means:", "", *(f"- {remark}" for remark in difference.remarks), ""]
    if difference.objects:
        lines.append("```diff")
        for item in difference.objects:
            # A `~` would have no colour there: what changes is shown as a line out and a line in.
            lines.append(f"{_SIGNS[item.kind].replace('~', '!')} {item.identity}")
            for field in map(without_secrets, item.fields):
                lines += [f"- {field.path}: {_value(field.before)}"] if field.before is not ABSENT else []
                lines += [f"+ {field.path}: {_value(field.after)}"] if field.after is not ABSENT else []
        lines += ["```", ""]
    if difference.deletions:
        lines += [_LEAVING, "", "```sh", *difference.deletions, "```", ""]
    if difference.files:
        lines += [f"Also: {', '.join(f'`{name}`' for name in difference.files)}", ""]
    return "\n".join(lines)


def _irreversible(change: Change) -> str:
    return f"{change}: {change.explanation.consequence}"


def _decision(change: model.Change) -> str:
    before = change.before.sentence if change.before else "-"
    after = change.after.sentence if change.after else "-"
    return f"{change.component} {change.title}: {before} -> {after}"


def _field(field: FieldChange) -> str:
    if field.kind == "added":
        return f"{field.path}: {_value(field.after)}"
    if field.kind == "removed":
        return f"{field.path}: {_value(field.before)}"
    return f"{field.path}: {_value(field.before)} -> {_value(field.after)}"


def _value(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
