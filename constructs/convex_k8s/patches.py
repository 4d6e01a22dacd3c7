"""Patches of the user's, laid over the objects of a chart after everything else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cdk8s import ApiObject, ApiObjectMetadata, Chart, JsonPatch, Testing

from convex_k8s import json_patch, strategic_merge
from convex_k8s.extra_objects import complete
from convex_k8s.flux import literally
from convex_k8s.json_patch import PatchError
from convex_k8s.naming import Naming
from convex_k8s.problems import Path, Problem, ValuesError, dotted
from convex_k8s.values.kubernetes import types as kubernetes_types
from convex_k8s.values.labels import selects
from convex_k8s.values.patches import Patch, PatchTarget, secret_fault

Manifest = dict[str, Any]


def apply_patches(
    chart: Chart, naming: Naming, elsewhere: list[Manifest] | None = None, extra: Sequence[Manifest] = ()
) -> None:
    """Lay the patches of the values over the chart's objects and the user's own objects in `extra`.

    Raises `ValuesError` for a patch that cannot be applied and, where it is said what is `elsewhere`, for one that fits
    neither that nor an object of the chart.
    """
    if not (naming.values.patches or extra):
        return
    manifests: list[Manifest] = [*Testing.synth(chart), *(complete(naming, each) for each in extra)]
    problems = list(_twice(manifests, len(extra)))
    for index, patch in enumerate(naming.values.patches):
        fitting = [place for place, manifest in enumerate(manifests) if _fits(patch.target, manifest)]
        if not fitting and elsewhere is not None and not any(_fits(patch.target, other) for other in elsewhere):
            problems.append(Problem(("patches", index, "target"), _nothing(patch.target, [*manifests, *elsewhere])))
        for place in fitting:
            manifests[place], faults = _patched(manifests[place], patch, ("patches", index, "patch"))
            problems += faults
    if problems:
        raise ValuesError(problems)
    _replace(chart, [literally(manifest) for manifest in manifests])


def _twice(manifests: list[Manifest], extra: int) -> Iterator[Problem]:
    """Those of the extra objects, which are the last ones, that the overlay makes already."""
    first = len(manifests) - extra
    identities = [_identity(manifest) for manifest in manifests]
    for index, identity in enumerate(identities[first:]):
        if identity in identities[:first]:
            yield Problem(("extraObjects", index), "is made by the overlay already: change it with patches")


def _patched(old: Manifest, patch: Patch, path: Path) -> tuple[Manifest, list[Problem]]:
    """The object with a patch laid over it; as it was, with what is wrong, where that cannot be."""
    type = kubernetes_types.type_of(old["apiVersion"], old["kind"])
    try:
        if isinstance(patch.patch, dict):
            new = strategic_merge.merge(old, patch.patch, type)
        else:
            new = json_patch.apply(old, patch.patch)
    except PatchError as error:
        return old, [Problem((*path, *error.path), f"{error.message} (of {_title(old)})")]
    faults = _faults(old, new, type, patch.patch, path)
    return old if faults else new, faults


def _replace(chart: Chart, manifests: list[Manifest]) -> None:
    """Let the chart hold these objects instead of its own, whose typed structs would drop fields that they lack."""
    for child in chart.node.children:
        chart.node.try_remove_child(child.node.id)
    for manifest in manifests:
        group, kind, name = manifest["apiVersion"].rpartition("/")[0], manifest["kind"], manifest["metadata"]["name"]
        plain = ApiObject(
            chart,
            "-".join(filter(None, (group, kind, manifest["metadata"].get("namespace"), name))),
            api_version=manifest["apiVersion"],
            kind=kind,
            metadata=ApiObjectMetadata(name=name),
        )
        for key, value in sorted_keys(manifest).items():
            if key not in ("apiVersion", "kind"):
                plain.add_json_patch(JsonPatch.add(f"/{key}", value))


def _faults(old: Manifest, new: Any, type: str, patch: Any, path: Path) -> list[Problem]:
    if not isinstance(new, dict) or _identity(new) != _identity(old):
        return [Problem(path, f"changes apiVersion, kind, name or namespace of {_title(old)}, which others refer to")]
    if fault := secret_fault(new):
        return [Problem(path, fault)]
    if lost := list(_lost(old, new)):
        return [Problem(path, f"takes {' and '.join(lost)} away from {_title(old)}, which needs it")]
    found = kubernetes_types.faults(type, new, (), newest="") if type else ()
    return [_placed(problem, patch, path, _title(old)) for problem in found]


_KEPT = {
    "ConfigMap": ("data", "data.CONVEX_CLOUD_ORIGIN", "data.CONVEX_SITE_ORIGIN"),
    "CronJob": ("spec.jobTemplate.spec.template.spec.volumes",),
    "ExternalSecret": ("spec.data", "spec.secretStoreRef", "spec.target"),
    "Gateway": ("spec.gatewayClassName",),
    "HTTPRoute": ("spec.parentRefs",),
    "StatefulSet": ("spec.template.spec.volumes",),
}


def _lost(old: Manifest, new: Manifest) -> Iterator[str]:
    """What a patch takes away, and the object, or one that refers to it, is nothing without."""
    for place in ("spec", *_KEPT.get(old["kind"], ())):
        if _at(old, place) and not _at(new, place):
            yield place
            return
    if old["kind"] == "Service":
        left = [_port(port) for port in _at(new, "spec.ports") or ()]
        yield from (f"the port {port}" for port in map(_port, _at(old, "spec.ports") or ()) if port not in left)


def _port(port: Any) -> Any:
    """What others call a port of a Service: its name, or its number."""
    return port.get("name", port.get("port")) if isinstance(port, dict) else None


def _at(value: Any, place: str) -> Any:
    for key in place.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _placed(problem: Problem, patch: Any, path: Path, title: str) -> Problem:
    """The problem at its place in a patch that is a map; else it names the place in the object."""
    node, steps = patch, []
    for part in problem.path:
        if not isinstance(node, dict) or part not in node:
            break
        node = node[part]
        steps.append(part)
    if len(steps) == len(problem.path):
        return Problem((*path, *steps), problem.message)
    return Problem((*path, *steps), f"makes {title} invalid: {dotted(problem.path)} {problem.message}")


def _identity(manifest: Manifest) -> tuple[Any, ...]:
    metadata = manifest.get("metadata")
    named = [metadata.get(key) for key in ("name", "namespace")] if isinstance(metadata, dict) else []
    return (manifest.get("apiVersion"), manifest.get("kind"), *named)


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _fits(target: PatchTarget, manifest: Manifest) -> bool:
    group, _, version = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    pairs = (
        (target.group, group),
        (target.version, version),
        (target.kind, manifest["kind"]),
        (target.name, metadata["name"]),
        (target.namespace, metadata.get("namespace", "")),
    )
    return (
        all(not pattern or re.fullmatch(pattern, text) for pattern, text in pairs)
        and selects(target.label_selector, metadata.get("labels") or {})
        and selects(target.annotation_selector, metadata.get("annotations") or {})
    )


def _nothing(target: PatchTarget, known: list[Manifest]) -> str:
    titles = sorted(_title(manifest) for manifest in known)
    close = difflib.get_close_matches(f"{target.kind} {target.name}".strip(), titles, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(titles)}"
    return f"fits no object of this environment: {hint}"


def sorted_keys(value: Any) -> Any:
    """The value with its keys in order, as cdk8s writes them."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value
