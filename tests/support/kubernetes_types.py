"""Makes `constructs/convex_k8s/values/kubernetes/types.json` from Kubernetes' own schemas: `make kubernetes-types`."""

from __future__ import annotations

import functools
import json
from importlib import resources
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]

FILE = Path(__file__).resolve().parents[2] / "constructs" / "convex_k8s" / "values" / "kubernetes" / "types.json"
OLDEST, NEWEST = 27, 36
"""The minor versions between which a field is dated; the typed structs of cdk8s-plus-27 have those of the oldest."""
KINDS = [
    "v1/ConfigMap",
    "v1/LimitRange",
    "v1/Namespace",
    "v1/PersistentVolume",
    "v1/PersistentVolumeClaim",
    "v1/Pod",
    "v1/ResourceQuota",
    "v1/Secret",
    "v1/Service",
    "v1/ServiceAccount",
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "batch/v1/CronJob",
    "batch/v1/Job",
    "networking.k8s.io/v1/Ingress",
    "networking.k8s.io/v1/IngressClass",
    "networking.k8s.io/v1/NetworkPolicy",
    "policy/v1/PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "scheduling.k8s.io/v1/PriorityClass",
    "storage.k8s.io/v1/StorageClass",
]
_PLAIN = {"IntOrString": "int-or-string", "Quantity": "quantity", "Time": "string", "MicroTime": "string"}

_EARLIER_NAMES = {"VolumeResourceRequirements": ("ResourceRequirements",)}
"""Types that had another name: their fields did not come with the new one."""


def text() -> str:
    """The file's content: a line for each type."""
    roots = {kind: _definition_of(kind) for kind in KINDS}
    found: dict[str, Any] = {}
    waiting = sorted(roots.values())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _type(name)
            waiting += _references(name)
    kinds = ",\n".join(f'  "{kind}": "{_short(name)}"' for kind, name in roots.items())
    types = ",\n".join(f'  "{_short(name)}": {json.dumps(found[name])}' for name in sorted(found, key=_short))
    return f'{{\n"kinds": {{\n{kinds}\n}},\n"types": {{\n{types}\n}}\n}}\n'


@functools.cache
def _definitions(minor: int) -> dict[str, Any]:
    folder = resources.files(kubernetes_validate) / "kubernetes-json-schema" / f"v1.{minor}.0-local"
    definitions: dict[str, Any] = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return definitions


def _definition_of(kind: str) -> str:
    group_version, _, name = kind.rpartition("/")
    group, _, version = group_version.rpartition("/")
    wanted = {"group": group, "kind": name, "version": version}
    return next(
        key
        for key, value in _definitions(NEWEST).items()
        if wanted in value.get("x-kubernetes-group-version-kind", ()) and not key.endswith("List")
    )


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _type(name: str) -> dict[str, Any]:
    definition = _definitions(NEWEST)[name]
    required = [key for key in definition.get("required", ()) if key != "status"]
    fields = {key: _field(name, key, value) for key, value in definition["properties"].items() if key != "status"}
    return {"required": required, "fields": fields}


def _field(owner: str, key: str, value: dict[str, Any]) -> str:
    """A field as `type`, `[]type` or `{}type`; then `#key` where the list is merged by key, `@1.29` when it came."""
    merge = value.get("x-kubernetes-patch-strategy", "")
    by = f"#{value.get('x-kubernetes-patch-merge-key', '')}" if "merge" in merge.split(",") else ""
    since = _since(owner, key)
    return f"{_kind(value)}{by}" + (f"@1.{since}" if since > OLDEST else "")


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        short = _short(value["$ref"])
        return _PLAIN.get(short, short) if _is_struct(value["$ref"]) or short in _PLAIN else "any"
    kinds = value.get("type", "any")
    kind = kinds if isinstance(kinds, str) else next(kind for kind in kinds if kind != "null")
    if kind == "array":
        return f"[]{_kind(value['items'])}"
    if kind == "object":
        return f"{{}}{_kind(value['additionalProperties'])}" if "additionalProperties" in value else "any"
    return str(kind)


def _is_struct(reference: str) -> bool:
    return "properties" in _definitions(NEWEST)[reference.rpartition("/")[2]]


def _since(owner: str, key: str) -> int:
    names = [owner, *(owner.replace(_short(owner), earlier) for earlier in _EARLIER_NAMES.get(_short(owner), ()))]
    return next(
        minor
        for minor in range(OLDEST, NEWEST + 1)
        if any(key in _definitions(minor).get(name, {}).get("properties", {}) for name in names)
    )


def _references(name: str) -> list[str]:
    found = []
    for key, value in _definitions(NEWEST)[name]["properties"].items():
        inner = value.get("items") or value.get("additionalProperties") or value
        reference = inner.get("$ref", "") if isinstance(inner, dict) else ""
        if key != "status" and reference and _is_struct(reference):
            found.append(reference.rpartition("/")[2])
    return found


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
