"""Secrets sealed with the user's `kubeseal`, in a file beside the overlay that synth takes into `dist/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from convexctl import regular_files
from convexctl.errors import UserError
from convexctl.located_yaml import DocumentError, Located, Place, dump_all, load_all
from convexctl.overlays.load import Overlay
from convexctl.overlays.names import SEALED_FOLDER, OverlayError
from convexctl.project import PROGRAM
from convexctl.tools.kubeseal import sealed_fault

_HEADER = (
    f"# Sealed by `{PROGRAM} secrets {{name}} --seal`, to be committed: only the cluster's controller can open it.\n"
)


def sealed_file(folder: Path, name: str) -> Path:
    """The file with the sealed Secrets of an overlay; `folder` is the folder of the overlays."""
    return folder / SEALED_FOLDER / f"{name}.yaml"


def read_sealed(file: Path) -> list[dict[str, Any]]:
    """The SealedSecrets of a file; none if it is not there.

    Raises `OverlayError`, with all faults and their lines, for anything else in it.
    """
    return [document.plain() for document in _documents(file)]


def sealed_keys(sealed: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The keys that are sealed, by the name of the Secret."""
    return {manifest["metadata"]["name"]: frozenset(manifest["spec"]["encryptedData"]) for manifest in sealed}


def merge_sealed(
    before: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]], kept: Mapping[str, Iterable[str]]
) -> list[dict[str, Any]]:
    """The SealedSecrets `new`, with the `kept` keys of those `before`, by name of the Secret.

    A SealedSecret whose Secret is neither new nor among the kept ones stays whole.
    """
    merged = {manifest["metadata"]["name"]: dict(manifest) for manifest in before}
    for manifest in new:
        name = manifest["metadata"]["name"]
        old = merged.get(name, {"spec": {"encryptedData": {}}})["spec"]["encryptedData"]
        data = {key: old[key] for key in kept.get(name, ())} | manifest["spec"]["encryptedData"]
        merged[name] = {**manifest, "spec": {**manifest["spec"], "encryptedData": dict(sorted(data.items()))}}
    return list(merged.values())


def write_sealed(file: Path, name: str, sealed: Iterable[Mapping[str, Any]]) -> None:
    """Write the sealed file of the overlay `name`, whole or not at all. Raises `UserError` if that fails."""
    staging = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = dump_all(sealed)
        staging.write_text(_HEADER.format(name=name) + text, encoding="utf-8")
        staging.replace(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None


def check_namespace(file: Path, sealed: Iterable[Mapping[str, Any]], namespace: str) -> None:
    """Raise `UserError` if something was sealed for another namespace: nobody could open it in this one."""
    for manifest in sealed:
        if manifest["metadata"]["namespace"] != namespace:
            raise UserError(
                f"{file}: {manifest['metadata']['name']} is sealed for the namespace "
                f"{manifest['metadata']['namespace']}, not {namespace}: delete the file to seal everything again"
            )


def sealed_secrets(folder: Path, overlays: Iterable[Overlay]) -> dict[str, list[dict[str, Any]]]:
    """The SealedSecrets that go into `dist/`, by overlay: none for one that has another provider.

    Raises `OverlayError`, with all faults of all of them, where a file is missing, is none, was sealed for another
    namespace or lacks a key that the backend does not start without.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    faults: list[str] = []
    for overlay in overlays:
        if overlay.values.secrets.provider != "sealed-secrets":
            continue
        file = sealed_file(folder, overlay.name)
        try:
            documents = _documents(file)
        except OverlayError as error:
            faults += error.messages
            continue
        if lacking := _lacking(overlay, file, documents):
            faults += lacking
        else:
            found[overlay.name] = [document.plain() for document in documents]
    if faults:
        raise OverlayError(faults)
    return found


def _lacking(overlay: Overlay, file: Path, documents: list[Located]) -> list[str]:
    from convex_k8s.values.secret_references import needed_keys

    cure = f"run `{PROGRAM} secrets {overlay.asked} --seal`"
    needed = needed_keys(overlay.values)
    if not documents and needed:
        return [f"{file}: is not there, and secrets.provider is sealed-secrets: {cure}"]
    faults = []
    namespaces: list[str] = []
    for document in documents:
        metadata = document.plain()["metadata"]
        namespaces.append(metadata["namespace"])
        if overlay.values.namespace and metadata["namespace"] != overlay.values.namespace:
            faults.append(
                f"{document.place}: {metadata['name']} is sealed for the namespace {metadata['namespace']}, and the "
                f"overlay's is {overlay.values.namespace}: delete the file and {cure}"
            )
    if len(set(namespaces)) > 1 and not overlay.values.namespace:
        several = ", ".join(dict.fromkeys(namespaces))
        faults.append(f"{file}: is sealed for several namespaces ({several}): delete it and {cure}")
    keys = sealed_keys(document.plain() for document in documents)
    for secret, wanted in needed.items():
        for key in wanted:
            if key not in keys.get(secret, ()):
                faults.append(f"{file}: lacks the key {key} of the Secret {secret}: {cure}")
    return faults


def _documents(file: Path) -> list[Located]:
    try:
        documents = load_all(regular_files.read_text(file), str(file))
    except FileNotFoundError:
        return []
    except DocumentError as error:
        raise OverlayError([f"{place}: {message}" for place, message in error.faults]) from None
    except (OSError, UnicodeDecodeError):
        raise OverlayError([f"{file}: cannot be read, or is not a text file in UTF-8"]) from None
    documents = [document for document in documents if document.value is not None]
    faults: list[str] = []
    places: dict[str, Place] = {}
    for document in documents:
        fault = sealed_fault(document.plain())
        if not fault:
            name = document.plain()["metadata"]["name"]
            first = places.setdefault(name, document.place)
            fault = f"{name} is in the file twice, first in line {first.line}" if first is not document.place else ""
        if fault:
            faults.append(f"{document.place}: {fault}")
    if faults:
        raise OverlayError(faults)
    return documents
