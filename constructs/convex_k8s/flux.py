"""What Flux must leave as it is: its `postBuild.substitute` reads every `${...}` of every object."""

from __future__ import annotations

import json
from typing import Any

from cdk8s import ApiObject, Chart

from convex_k8s.values import Values

LITERALLY = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
"""The annotation of an object that holds `${`: with it Flux takes the object as it is."""


def keep_literally(chart: Chart, values: Values) -> None:
    """Annotate the chart's objects in which a value of the user's has `${`."""
    if "${" not in json.dumps(values.model_dump(mode="json")):
        return
    for node in chart.node.find_all():
        if isinstance(node, ApiObject) and "${" in json.dumps(node.to_json()):
            for name, value in LITERALLY.items():
                node.metadata.add_annotation(name, value)


def literally(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the annotation, if it holds `${`."""
    if "${" not in json.dumps(manifest):
        return manifest
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **LITERALLY}}}
