"""What an environment was before: as written into `dist/`, as committed, or as it is in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from convexctl import regular_files
from convexctl.behaviour import predict
from convexctl.behaviour.manifests import Manifest, source_of
from convexctl.errors import UserError
from convexctl.located_yaml import UNREADABLE, DocumentError, Loader, check_depth
from convexctl.synth.environment import MANIFESTS, Environment
from convexctl.tools.git import GitError, committed
from convexctl.tools.kubectl import Kubectl

_LIVE_KINDS = {"v1": ("ConfigMap",), "apps/v1": ("StatefulSet", "Deployment")}
"""What is read from a cluster: enough to know what the pods do, and no Secret."""


@dataclass(frozen=True)
class Baseline:
    """The manifests of an environment before, empty if there are none to compare with, and what to tell about them."""

    manifests: list[Manifest]
    warning: str = ""
    committed: bool = False
    """Whether they are from the last commit, because the file is gone."""


class _UnreadableError(Exception):
    """A file that holds no environment. The message is one line, with file and line."""


def written(environments: Sequence[Environment], root: Path) -> dict[str, Baseline]:
    """What earlier runs wrote into `root`, of the environments that differ from it.

    Where the file is gone or cannot be read, it is the committed one. Raises `UserError` if a file cannot be read
    and there is no committed one.
    """
    baselines: dict[str, Baseline] = {}
    faults: dict[str, str] = {}
    for environment in environments:
        file = root / environment.name / MANIFESTS
        try:
            content = regular_files.read_bytes(file)
            if content != environment.files[MANIFESTS].encode():
                baselines[environment.name] = Baseline(_manifests(content, str(file)))
        except (FileNotFoundError, NotADirectoryError):
            faults[environment.name] = ""
        except OSError as error:
            faults[environment.name] = f"{file}: cannot be read: {error.strerror}"
        except _UnreadableError as error:
            faults[environment.name] = str(error)
    return baselines | (_from_commit(root, faults) if faults else {})


def in_cluster(environments: Iterable[Environment]) -> dict[str, Baseline]:
    """The same objects as the current cluster has them; one that is not there counts as it is going to be.

    Raises `KubectlError` if the cluster cannot be asked.
    """
    return {environment.name: Baseline(_live(environment)) for environment in environments}


def _manifests(content: bytes, name: str) -> list[Manifest]:
    try:
        check_depth(content, name)
        found: list[Manifest] = [each for each in yaml.load_all(content, Loader=Loader) if isinstance(each, dict)]
    except DocumentError as error:
        raise _UnreadableError(str(error)) from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _UnreadableError(f"{name}{line}: is not valid YAML") from None
    except (*UNREADABLE, RecursionError):
        raise _UnreadableError(f"{name}: is not valid YAML") from None
    if not predict(found).backends:
        raise _UnreadableError(f"{name}: holds no Convex backend")
    return found


def _from_commit(root: Path, faults: Mapping[str, str]) -> dict[str, Baseline]:
    """The committed environments in the place of those that are gone, or that have the fault told here."""
    no_commit, contents = "", {}
    try:
        contents = committed(root, [f"{name}/{MANIFESTS}" for name in faults])
    except GitError as error:
        no_commit = f": {error}"
    baselines = {}
    for name, fault in faults.items():
        file, trouble = f"{name}/{MANIFESTS}", no_commit
        try:
            before = _manifests(contents[file], f"the committed {root / file}") if file in contents else []
        except _UnreadableError as error:
            before, trouble = [], f": {error}"
        if before:
            note = f"{fault}: compared with the committed version" if fault else ""
            baselines[name] = Baseline(before, note, committed=not fault)
        elif fault:
            raise UserError(
                f"{fault}, so irreversible changes cannot be known{trouble}\n"
                "restore the file, or synthesise once with --allow-irreversible; nothing was written"
            )
        elif trouble:
            baselines[name] = Baseline([], f"{root / file}: not compared with the last commit{trouble}")
    return baselines


def _live(environment: Environment) -> list[Manifest]:
    ours = [
        manifest
        for manifest in environment.manifests
        if manifest["kind"] in _LIVE_KINDS.get(manifest["apiVersion"], ())
    ]
    kubectl = Kubectl(namespace=environment.overlay.values.namespace)
    there = {_name(item): item for item in kubectl.objects("get", "--ignore-not-found", manifests=ours)}
    return [_in_its_place(there.get(_name(manifest)), manifest) for manifest in environment.manifests]


def _name(manifest: Manifest) -> tuple[str, str]:
    return str(manifest["kind"]), source_of(manifest).name


def _in_its_place(found: Manifest | None, ours: Manifest) -> Manifest:
    """The cluster's object, in the namespace that our manifest names: it was looked for there."""
    if found is None:
        return ours
    return {**found, "metadata": {**found["metadata"], "namespace": source_of(ours).namespace}}
