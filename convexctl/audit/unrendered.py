"""Inputs that are not manifests yet: what they are, and how to render them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from convexctl import regular_files
from convexctl.errors import UserError
from convexctl.located_yaml import UNREADABLE, Located
from convexctl.project import PROGRAM

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_RENDERED_ELSEWHERE = {
    "HelmRelease": "a HelmRelease of Flux: the manifests are in its chart. Render them: helm template NAME CHART "
    f"--values VALUES | {PROGRAM} audit -",
    "HelmChart": "a HelmChart: the manifests are in its chart. Render them: helm template NAME CHART --values VALUES | "
    f"{PROGRAM} audit -",
    "Application": f"an Application of Argo CD: render its source (argocd app manifests NAME | {PROGRAM} audit -)",
    "ApplicationSet": f"an ApplicationSet of Argo CD: render its sources (argocd app manifests NAME | {PROGRAM} "
    "audit -)",
    "FluxKustomization": f"a Kustomization of Flux: render its path: kubectl kustomize PATH | {PROGRAM} audit -",
}
_VALUES = re.compile(r"(.*[-_.])?values([-_.].*)?\.ya?ml")
_OWN_KEYS = frozenset(
    "extends releaseName namespace backend dashboard ingress convexConfig postgres mysql s3 secrets instance".split()  # noqa: SIM905
)


def kind_without_manifests(document: Located) -> str:
    """What a document is that holds no manifests, and how to render it; empty for any other."""
    if not isinstance(document.value, dict):
        return ""
    keys = set(document.value)
    kind, group = (str(document.at_key(key) or "") for key in ("kind", "apiVersion"))
    if not kind:
        name = Path(document.place.file).name
        services = document.value.get("services")
        if services is not None and isinstance(services.value, dict):
            return f"a compose file: convert it first (kompose convert --stdout | {PROGRAM} audit -)"
        if name == "Chart.yaml" or {"apiVersion", "version", "name"} <= keys:
            return helm_chart(str(Path(document.place.file).parent))
        if name in KUSTOMIZATIONS:
            return kustomization(str(Path(document.place.file).parent))
        in_overlays = "extends" in keys or "overlays" in Path(document.place.file).parts
        if keys and _VALUES.fullmatch(name) and not in_overlays:
            command = f"helm template NAME CHART --values {name} | {PROGRAM} audit -"
            return f"a file of values for a Helm chart: render the chart with them ({command})"
        if keys & _OWN_KEYS and len(keys & _OWN_KEYS) * 2 >= len(keys):
            return overlay(Path(document.place.file))
        return ""
    if kind == "Kustomization":
        if group.startswith("kustomize.toolkit.fluxcd.io"):
            return _RENDERED_ELSEWHERE["FluxKustomization"]
        return kustomization(str(Path(document.place.file).parent))
    return _RENDERED_ELSEWHERE.get(kind, "") if "." in group else ""


def overlay(file: Path) -> str:
    """The hint for an overlay of this program, by its name below the folder of the overlays."""
    inside = file.absolute().with_suffix("").parts
    at = next((at for at in range(len(inside) - 2, -1, -1) if inside[at] == "overlays"), None)
    name = file.stem if at is None else "/".join(inside[at + 1 :])
    if any(part.startswith("_") for part in name.split("/")):
        return f"a base of overlays of convex-k8s: {PROGRAM} synth an overlay that extends it, then audit its dist/"
    folder = f" --overlays {file.parent}" if at is None else ""
    return f"an overlay of convex-k8s: {PROGRAM} synth {name}{folder}, then audit dist/{name}"


def helm_chart(folder: str) -> str:
    """The hint for the folder of a Helm chart."""
    return f"a Helm chart: render it first (helm template NAME {folder} | {PROGRAM} audit -)"


def kustomization(folder: str) -> str:
    """The hint for the folder of a kustomization."""
    return f"a kustomization: render it first (kubectl kustomize {folder} | {PROGRAM} audit -)"


def is_toml(path: Path, text: str) -> str:
    """What a file of TOML is; empty for another."""
    if path.suffix == ".toml" or text.lstrip().startswith("[build]"):
        return "a file for fly.io: it makes no Kubernetes manifests, and audit reads nothing else"
    return ""


def kustomizations(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders below one that have to be rendered, and all folders that these refer to.

    A kustomization that another one refers to is a part of it; one that only lists files can be read as it is.
    """
    found: dict[Path, dict[str, Any]] = {}
    for name in KUSTOMIZATIONS:
        for file in sorted(folder.rglob(name)):
            found[file.parent.resolve()] = _read(file)
    used = {
        (place / str(resource)).resolve()
        for place, content in found.items()
        for key in ("resources", "bases", "components")
        for resource in _list(content.get(key))
    }
    roots = [place for place, content in found.items() if place not in used and not _plain(place, content)]
    return roots, [*roots, *(place for place in found if place in used)]


def _plain(place: Path, content: dict[str, Any]) -> bool:
    """Whether a kustomization does nothing but list files of its own folder."""
    resources = _list(content.get("resources"))
    names = set(content) <= {"apiVersion", "kind", "resources"}
    return names and bool(resources) and all((place / str(resource)).is_file() for resource in resources)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(regular_files.read_text(file)[:100_000])
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, *UNREADABLE):
        return {}
    return content if isinstance(content, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
