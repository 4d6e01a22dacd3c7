"""A Helm release of the chart that this project replaces: its values, its manifest, and the keys of its Secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexctl import regular_files
from convexctl.behaviour.manifests import Manifests, mapping, text
from convexctl.errors import UserError
from convexctl.located_yaml import DocumentError, Located, Place, load_all
from convexctl.secrets.needed import needed_secrets
from convexctl.tools.helm import Helm
from convexctl.wording import listed

FLUX_LABEL = "helm.toolkit.fluxcd.io/name"
"""On every object of a release that Flux's HelmRelease installed."""


@dataclass(frozen=True)
class Release:
    """A release as Helm has it, or as files say it."""

    name: str
    namespace: str
    given: Located
    """The values that the user gave, with places."""
    effective: Located
    """Those with the chart's own below them; the given ones alone where the chart's are not known."""
    manifest: str
    """The objects as Helm rendered them, as YAML."""
    manifests: tuple[dict[str, Any], ...]
    """The same as data, each with its namespace."""
    revision: int | None = None
    """The newest revision of Helm's record; None if the release came from files."""

    @property
    def objects(self) -> Manifests:
        """The objects by kind and name."""
        return Manifests(self.manifests)

    @property
    def flux(self) -> str:
        """The name of the HelmRelease that Flux would install the chart with again; empty without one."""
        for manifest in self.manifests:
            name = text(mapping(mapping(manifest.get("metadata")).get("labels")).get(FLUX_LABEL))
            if name:
                return name
        return ""


def from_helm(helm: Helm, name: str) -> Release | None:
    """Ask Helm for a release; None if it has no release of that name.

    Raises `UserError` for one that is not in the state `deployed`, or is not of the chart.
    """
    record = helm.record(name)
    if record is None:
        return None
    if record.state != "deployed":
        raise UserError(
            f"{name}: revision {record.revision} is in the state {record.state}, so its manifest is not what is in the "
            "cluster: finish the upgrade, or go back with `helm rollback`, until `helm status` says deployed"
        )
    given = _values(helm.values(name, record.revision), f"helm get values {name}")
    effective = _values(helm.values(name, record.revision, with_defaults=True), f"helm get values {name} --all")
    manifest = helm.manifest(name, record.revision)
    manifests = _manifests(manifest, f"helm get manifest {name}")
    release = Release(
        name, record.namespace, given, effective, manifest, _in(record.namespace, manifests), record.revision
    )
    _check(release)
    return release


def from_files(name: str, namespace: str, values: Path, manifest: Path) -> Release:
    """Read a release from two files: the values that the user gave, and what Helm rendered.

    Raises `UserError` for a file that cannot be read, and where the manifest is not of the chart.
    """
    given = _values(_read(values), str(values))
    rendered = _read(manifest)
    manifests = _in(namespace, _manifests(rendered, str(manifest)))
    release = Release(name, namespace, given, given, rendered, manifests)
    _check(release)
    return release


def secret_names(manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """The Secrets that the pods of these manifests read."""
    return [secret.name for secret in needed_secrets(manifests) if secret.use in ("variable", "file", "all keys")]


def _read(path: Path) -> str:
    try:
        return regular_files.read_text(path, "utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file in UTF-8") from None


def _values(content: str, name: str) -> Located:
    try:
        documents = load_all(content, name)
    except DocumentError as error:
        raise UserError("\n".join(f"{place}: {message}" for place, message in error.faults)) from None
    if not documents or documents[0].value is None:
        return Located({}, Place(name, 1))
    if len(documents) > 1 or not isinstance(documents[0].value, dict):
        raise UserError(f"{name}: must be one map of values")
    return documents[0]


def _manifests(content: str, name: str) -> tuple[dict[str, Any], ...]:
    try:
        documents = [document.plain() for document in load_all(content, name)]
    except DocumentError as error:
        raise UserError(str(error)) from None
    return tuple(document for document in documents if isinstance(document, dict) and document.get("kind"))


def _in(namespace: str, manifests: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {**manifest, "metadata": {"namespace": namespace, **mapping(manifest.get("metadata"))}}
        for manifest in manifests
    )


def _check(release: Release) -> None:
    """Refuse what is not a release of the chart in one namespace."""
    wanted = (("StatefulSet", f"{release.name}-backend"), ("Deployment", f"{release.name}-dashboard"))
    missing = [f"{kind}/{name}" for kind, name in wanted if not release.objects.find(kind, release.namespace, name)]
    elsewhere = {
        f"{manifest['kind']}/{metadata.get('name')} in {metadata['namespace']}"
        for manifest in release.manifests
        if (metadata := mapping(manifest.get("metadata"))).get("namespace") not in (None, "", release.namespace)
    }
    if elsewhere:
        raise UserError(
            f"{release.name} is a release in the namespace {release.namespace}, and has objects elsewhere: "
            f"{listed(sorted(elsewhere), 'and')}. An environment is in one namespace: this is none to adopt in place"
        )
    if missing:
        there = [
            f"{manifest['kind']}/{mapping(manifest.get('metadata')).get('name')}" for manifest in release.manifests
        ]
        raise UserError(
            f"{release.name} is not a release of the chart convex-self-hosted: {listed(missing, 'and')} "
            f"{'is' if len(missing) == 1 else 'are'} not in its manifest, which has {listed(there, 'and') or 'nothing'}"
            ". Instead write an overlay of another name and move the data by export and import: one backend alone may "
            "use a database or a volume"
        )
