"""From checked values to the files of an environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from convex_k8s.values import Values

from convexctl import node

MANIFESTS = "convex.k8s.yaml"
"""All objects of an environment, in apply order: one file, because `cdk8s synth --stdout` joins files without `---`."""
NAMESPACE = "Namespace"
"""The Namespace, where asked for. Without an ending: `kubectl apply -f` and `delete -f` of the folder skip it."""
KUSTOMIZATION = "Kustomization"
"""The entry for kustomize, in the spelling that `kubectl apply -f` of the folder skips."""

_KUSTOMIZATION = f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {MANIFESTS}
"""


@dataclass(frozen=True)
class Environment:
    """What an overlay becomes: its name, its manifests as data, and its files by name."""

    name: str
    manifests: list[dict[str, Any]]
    files: dict[str, str]


def synthesise(name: str, values: Values) -> Environment:
    """Build the environment `name`. Raises `UserError`, in one line, when cdk8s or Node.js fails."""
    manifests, namespace = _rendered(values)
    note = f"# Made from the overlay {name}: change that, not this file.\n"
    files = {MANIFESTS: note + manifests, KUSTOMIZATION: note + _KUSTOMIZATION}
    if namespace:
        files[NAMESPACE] = note + namespace
    documents = [document for document in yaml.load_all(manifests, Loader=yaml.CSafeLoader) if document]
    return Environment(name, documents, files)


def _rendered(values: Values) -> tuple[str, str]:
    """The YAML of the environment's objects, and that of its Namespace where it asks for one."""
    import jsii
    from cdk8s import App
    from convex_k8s.chart import ConvexChart, NamespaceChart

    try:
        app = App()
        ConvexChart(app, "convex", values)
        manifests: str = app.synth_yaml()
        if not values.create_namespace:
            return manifests, ""
        namespace_app = App()
        NamespaceChart(namespace_app, "namespace", values)
        return manifests, namespace_app.synth_yaml()
    except (RuntimeError, OSError, ValueError, jsii.errors.JSIIError, jsii.errors.JavaScriptError) as error:
        raise node.failure(error) from error
