"""From checked values to the files of an environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from convex_k8s.problems import ValuesError
from convex_k8s.values.acknowledge import IrreversibleChange

from convexctl.behaviour import Behaviour, predict
from convexctl.located_yaml import Loader
from convexctl.overlays.command_line_values import Setting
from convexctl.overlays.load import Overlay
from convexctl.overlays.names import OverlayError, named_overlays
from convexctl.synth.readme import readme
from convexctl.tools import node

MANIFESTS = "convex.k8s.yaml"
"""All objects of an environment, in apply order: one file, because `cdk8s synth --stdout` joins files without `---`."""
NAMESPACE = "Namespace"
"""The Namespace, where asked for. Without an ending: `kubectl apply -f` and `delete -f` of the folder skip it."""
KUSTOMIZATION = "Kustomization"
"""The entry for kustomize, in the spelling that `kubectl apply -f` of the folder skips."""

README = "README.md"
"""What the environment is, needs, does and leaves behind."""

_KUSTOMIZATION = f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {MANIFESTS}
"""


@dataclass(frozen=True)
class Environment:
    """What an overlay becomes: its manifests as data, and its files by name."""

    overlay: Overlay
    files: dict[str, str]
    parsed: list[dict[str, Any]] | None = field(default=None, repr=False, compare=False)
    """The manifests as data; not kept of an environment that is one of many, where they would fill the memory."""
    behaviour: Behaviour | None = field(default=None, repr=False, compare=False)
    """What the manifests will do; kept as long as `parsed`."""

    @property
    def manifests(self) -> list[dict[str, Any]]:
        """The manifests as data."""
        return _documents(self.files[MANIFESTS]) if self.parsed is None else self.parsed

    @property
    def objects(self) -> int:
        """How many objects the environment has."""
        return self.files[MANIFESTS].count("\n---\n") + 1

    @property
    def name(self) -> str:
        """The name of the overlay, and of the folder in `dist/`."""
        return self.overlay.name

    @property
    def acknowledge(self) -> Mapping[IrreversibleChange, str]:
        """The changes that the overlay acknowledges."""
        return self.overlay.values.acknowledge

    def warned(self, warnings: Sequence[str]) -> Environment:
        """The environment with further warnings about its overlay."""
        if not warnings:
            return self
        overlay = replace(self.overlay, warnings=[*self.overlay.warnings, *warnings])
        return Environment(overlay, self.files, self.parsed, self.behaviour)


def synthesise_all(
    folder: Path, names: Sequence[str] = (), values_files: Iterable[Path | Setting] = ()
) -> list[Environment]:
    """Read, check and build the named overlays, or all of `folder`.

    Raises `OverlayError` with the faults of all overlays, and `UserError` when cdk8s or Node.js fails.
    """
    from convexctl.synth.builder import Task, build, builder_of
    from convexctl.synth.collisions import check_collisions

    task = Task(folder, named_overlays(folder, names), list(values_files), lambda _: None)
    with builder_of(task) as builder:
        shared = check_collisions(folder, builder.read(), {})
        built = build(builder, len(task.names))
    return [environment.warned(shared.get(environment.name, ())) for environment, _ in built]


def synthesise(overlay: Overlay, sealed: Iterable[Mapping[str, Any]] = ()) -> Environment:
    """Build one environment, with the SealedSecrets that are kept beside its overlay.

    Raises `OverlayError` for patches that cannot be applied, and `UserError`, in one line, when cdk8s or Node.js fails.
    """
    try:
        rendered, namespace = _rendered(overlay, sealed)
    except ValuesError as error:
        raise OverlayError(overlay.faults(error.problems)) from None
    node.release()
    manifests, documents = node.manifests(rendered)
    note = f"# Made from the overlay {overlay.file_name}. Edit that, not this file.\n"
    files = {MANIFESTS: note + manifests, KUSTOMIZATION: note + _KUSTOMIZATION}
    if namespace:
        files[NAMESPACE] = note + namespace
    behaviour = predict(documents)
    files[README] = readme(overlay, documents, behaviour, has_namespace=bool(namespace))
    return Environment(overlay, files, documents, behaviour)


def _documents(manifests: str) -> list[dict[str, Any]]:
    loader, found = Loader(manifests), []
    try:
        while loader.check_node():
            found.append(_data(loader, loader.get_node()))
    finally:
        loader.dispose()
    return [document for document in found if document]


def _data(loader: Loader, node: yaml.Node) -> Any:
    """What PyYAML makes of a node, in half the time: most of our manifests are texts, and maps by text."""
    match node.tag:
        case "tag:yaml.org,2002:str":
            return node.value
        case "tag:yaml.org,2002:seq":
            return [_data(loader, item) for item in node.value]
        case "tag:yaml.org,2002:map" if all(key.tag == "tag:yaml.org,2002:str" for key, _ in node.value):
            return {key.value: _data(loader, item) for key, item in node.value}
        case _:
            return loader.construct_object(node, deep=True)


def _rendered(overlay: Overlay, sealed: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """What Node.js says of the environment's objects, and the YAML of its Namespace if it asks for one."""
    node.ready()
    import jsii
    from cdk8s import App
    from convex_k8s.chart import ConvexChart, NamespaceChart

    values = overlay.values
    try:
        app = App()
        ConvexChart(app, "convex", values, sealed, overlay.name)
        manifests: str = app.synth_yaml()
        if not values.create_namespace:
            return manifests, ""
        namespace_app = App()
        NamespaceChart(namespace_app, "namespace", values, overlay.name)
        return manifests, node.manifests(namespace_app.synth_yaml())[0]
    except ValuesError:
        raise
    except (RuntimeError, OSError, ValueError, jsii.errors.JSIIError, jsii.errors.JavaScriptError) as error:
        raise node.failure(error) from error
