"""Who owns the fields of what Helm installed (`metadata.managedFields`): kubectl inherits them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from convexctl.behaviour.manifests import mapping, text

_HELM_MANAGERS = ("helm", "Helm", "helm-controller")
"""Under which names the API server notes what Helm and Flux's helm-controller set."""
_KUBECTL = {"manager": "kubectl-client-side-apply", "operation": "Update"}
HEIRS = """
def heirs: .subresource == null and IN(.manager; "helm", "Helm", "helm-controller", "kubectl-client-side-apply");
(.items // [.])[] | "\\(.kind)/\\(.metadata.name) \\(.metadata.managedFields
  | map(select(heirs | not)) + (map(select(heirs)) | group_by(.apiVersion) | map(last + {
      manager: "kubectl-client-side-apply", operation: "Update",
      fieldsV1: (map(.fieldsV1) | reduce .[] as $fields ({}; . * $fields))}))
  | {metadata: {managedFields: .}})"
"""
"""`inherited` for jq: a line for each object, with the patch."""


def inherited(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The patch of `managedFields` by which kubectl inherits Helm's fields; empty if Helm has none."""
    theirs = [index for index, entry in enumerate(entries) if entry.get("manager") in _HELM_MANAGERS]
    patch = [_operation("test", index, "manager", entries[index]["manager"]) for index in theirs]
    # One entry for each version of the API: the server takes two of the same manager for one.
    for version in dict.fromkeys(text(entries[index].get("apiVersion")) for index in theirs):
        heirs = [index for index in theirs if entries[index].get("apiVersion") == version]
        own = [
            index for index, entry in enumerate(entries) if entry.items() >= {**_KUBECTL, "apiVersion": version}.items()
        ]
        first = (own or heirs)[0]
        fields = _merged(mapping(entries[index].get("fieldsV1")) for index in (*own, *heirs))
        patch += [
            _operation("replace", first, name, value) for name, value in (*_KUBECTL.items(), ("fieldsV1", fields))
        ]
        theirs = [index for index in theirs if index != first]
    removals = ({"op": "remove", "path": f"/metadata/managedFields/{index}"} for index in reversed(theirs))
    return [*patch, *removals]


def _operation(name: str, index: int, field: str, value: object) -> dict[str, Any]:
    return {"op": name, "path": f"/metadata/managedFields/{index}/{field}", "value": value}


def _merged(trees: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The union of sets of fields, which are trees of keys."""
    result: dict[str, Any] = {}
    for tree in trees:
        for key, below in tree.items():
            result[key] = _merged((mapping(result.get(key)), mapping(below)))
    return result
