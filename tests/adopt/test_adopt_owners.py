"""`adopt`: kubectl inherits the fields that Helm owned."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from convexctl.adopt.owners import inherited

Entry = dict[str, Any]
KUBECTL = "kubectl-client-side-apply"


def entry(manager: str, fields: Entry, operation: str = "Update", version: str = "v1") -> Entry:
    return {"manager": manager, "operation": operation, "apiVersion": version, "fieldsV1": fields}


def patched(entries: list[Entry]) -> list[Entry]:
    """The entries after the patch, applied one operation after the other as the API server does."""
    result = copy.deepcopy(entries)
    for operation in inherited(entries):
        _, _, _, index, *rest = operation["path"].split("/")
        if operation["op"] == "remove":
            del result[int(index)]
        elif operation["op"] == "test":
            assert result[int(index)][rest[0]] == operation["value"]
        else:
            result[int(index)][rest[0]] = operation["value"]
    return result


OTHER = entry("kube-controller-manager", {"f:status": {}})
CASES: dict[str, tuple[list[Entry], list[Entry]]] = {
    "nothing of Helm": ([OTHER], [OTHER]),
    "kubectl owns nothing yet": (
        [OTHER, entry("helm", {"f:a": {}}, "Apply")],
        [OTHER, entry(KUBECTL, {"f:a": {}})],
    ),
    "both own some": (
        [entry("helm", {"f:a": {}, "f:b": {"f:x": {}}}, "Apply"), OTHER, entry(KUBECTL, {"f:b": {"f:y": {}}})],
        [OTHER, entry(KUBECTL, {"f:a": {}, "f:b": {"f:x": {}, "f:y": {}}})],
    ),
    "Helm under two names": (
        [entry("helm", {"f:a": {}}, "Apply"), entry("Helm", {"f:b": {}}), OTHER],
        [entry(KUBECTL, {"f:a": {}, "f:b": {}}), OTHER],
    ),
    "Helm in two versions of the API": (
        [entry("helm", {"f:a": {}}), entry("helm", {"f:b": {}}, version="v2"), entry(KUBECTL, {"f:c": {}})],
        [entry(KUBECTL, {"f:b": {}}, version="v2"), entry(KUBECTL, {"f:c": {}, "f:a": {}})],
    ),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_kubectl_inherits_what_helm_owned(before: list[Entry], after: list[Entry]) -> None:
    assert patched(before) == after
