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
_HELM = f"helm template NAME CHART --values VALUES | {PROGRAM} audit -"
_ARGO_CD = f"argocd app manifests NAME | {PROGRAM} audit -"
_RENDERED_ELSEWHERE = {
    ("HelmRelease", "helm.toolkit.fluxcd.io"): f"a HelmRelease of Flux: the manifests are in its chart. Render them: "
    f"{_HELM}",
    ("HelmChart", "helm.cattle.io"): f"a HelmChart of K3s: the manifests are in its chart. Render them: {_HELM}",
    ("HelmChart", "source.toolkit.fluxcd.io"): f"a HelmChart of Flux: render the chart: {_HELM}",
    ("Application", "argoproj.io"): f"an Application of Argo CD: render its source ({_ARGO_CD})",
    ("ApplicationSet", "argoproj.io"): f"an ApplicationSet of Argo CD: render its sources ({_ARGO_CD})",
    ("Kustomization", "kustomize.toolkit.fluxcd.io"): "a Kustomization of Flux: render its path: kubectl kustomize "
    f"PATH | {PROGRAM} audit -",
    ("Template", "template.openshift.io"): "a Template of OpenShift: fill it in (oc process --local --filename={file} "
    f"--param=NAME=VALUE | {PROGRAM} audit -)",
    ("Config", "skaffold"): f"a configuration of Skaffold: render it (skaffold render --filename={{file}} | {PROGRAM} "
    "audit -)",
    ("Application", "core.oam.dev"): f"an Application of KubeVela: render it (vela dry-run -f {{file}} | {PROGRAM} "
    "audit -)",
    ("Composition", "apiextensions.crossplane.io"): "a Composition of Crossplane: render it (crossplane render XR "
    f"COMPOSITION FUNCTIONS | {PROGRAM} audit -)",
    ("ResourceGraphDefinition", "kro.run"): "a ResourceGraphDefinition of kro: audit what it makes in the cluster "
    f"({PROGRAM} audit --live -n NAMESPACE)",
}
_SAME_GROUP = {"helm.fluxcd.io": "helm.toolkit.fluxcd.io", "v1": "template.openshift.io"}
"""Groups under which some of these kinds were known before."""
_VALUES = re.compile(r"(.*[-_.])?values([-_.].*)?\.ya?ml")
_OWN_KEYS = frozenset(
    "extends releaseName namespace backend dashboard ingress convexConfig postgres mysql s3 secrets instance".split()  # noqa: SIM905
)


def kind_without_manifests(document: Located) -> str:
    """What a document is that holds no manifests, and how to render it; empty for any other."""
    file = document.place.file
    if isinstance(document.value, list):
        plays = [entry.value for entry in document.value if isinstance(entry.value, dict) and "hosts" in entry.value]
        how = f"audit what it makes in the cluster ({PROGRAM} audit --live -n NAMESPACE)"
        return f"a playbook of Ansible: {how}" if plays else ""
    if not isinstance(document.value, dict):
        return ""
    kind, version = (str(document.at_key(key) or "") for key in ("kind", "apiVersion"))
    if not kind:
        return _without_kind(document, set(document.value), Path(file))
    group = version.partition("/")[0]
    if kind == "Kustomization" and not group.startswith("kustomize.toolkit"):
        return kustomization(str(Path(file).parent))
    said = _RENDERED_ELSEWHERE.get((kind, group)) or _RENDERED_ELSEWHERE.get((kind, _SAME_GROUP.get(group, "")), "")
    return said.format(file=file)


def _without_kind(document: Located, keys: set[Any], file: Path) -> str:
    """What a map is that is no object of Kubernetes."""
    services, releases = (document.value.get(key) for key in ("services", "releases"))
    if services is not None and isinstance(services.value, dict):
        return f"a compose file: convert it first (kompose convert --stdout | {PROGRAM} audit -)"
    if releases is not None and isinstance(releases.value, list) and _VALUES.fullmatch(file.name) is None:
        return f"a helmfile: render it (helmfile --file {file} template | {PROGRAM} audit -)"
    if {"name", "runtime"} <= keys or re.fullmatch(r"Pulumi\..+\.ya?ml", file.name):
        return (
            "a file of Pulumi: let its Kubernetes provider write the manifests (renderYamlToDirectory), then audit "
            "that folder"
        )
    if str(document.at_key("apiVersion") or "").startswith("score.dev/"):
        return f"a workload of Score: render it (score-k8s generate {file}), then audit the manifests.yaml it writes"
    if file.name == "Chart.yaml" or {"apiVersion", "version", "name"} <= keys:
        return helm_chart(str(file.parent))
    if file.name in KUSTOMIZATIONS:
        return kustomization(str(file.parent))
    in_overlays = "extends" in keys or "overlays" in file.parts
    if keys and _VALUES.fullmatch(file.name) and not in_overlays:
        chart = str(file.parent) if (file.parent / "Chart.yaml").is_file() else "CHART"
        command = f"helm template NAME {chart} --values {file} | {PROGRAM} audit -"
        return f"a file of values for a Helm chart: render the chart with them ({command})"
    if keys & _OWN_KEYS and len(keys & _OWN_KEYS) * 2 >= len(keys):
        return overlay(file)
    return ""


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


def chart_of_template(file: Path) -> Path | None:
    """The folder of the Helm chart that a file is a template of."""
    folders = (above.parent for above in file.parents if above.name == "templates")
    return next((folder for folder in folders if (folder / "Chart.yaml").exists()), None)


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
