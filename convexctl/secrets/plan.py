"""The plan: every key of every Secret that the manifests refer to and that nothing in them makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convex_k8s.values import Values
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.secrets.instance import NAME
from convexctl.secrets.needed import (
    FILES,
    PULL_CONFIG,
    Reference,
    file_variable,
    made_by_job,
    needed_secrets,
)

PULL_KEY = ".dockerconfigjson"


PULL_TYPE = "kubernetes.io/dockerconfigjson"
"""The type of a Secret with the credentials of an image registry."""


@dataclass(frozen=True)
class Entry:
    """One key of one Secret, and the name under which its value is given: the backend's own variable."""

    secret: str
    key: str
    variable: str
    """Empty for a key that is only kept because the cluster's Secret has it."""
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.secret}/{self.key}"


@dataclass(frozen=True)
class Plan:
    """Every key that has to be written, in the order of the references, and what is not written and why."""

    values: Values
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def plan_secrets(values: Values, manifests: Sequence[Mapping[str, Any]], *, everything: bool = False) -> Plan:
    """Plan the Secrets that the manifests refer to.

    Those that something in the manifests makes (an ExternalSecret, the bootstrap Job) are left out and noted, unless
    `everything` is asked for.
    """
    makers = dict(_makers(manifests))
    entries: dict[tuple[str, str], Entry] = {}
    notes: list[str] = []
    for needed in needed_secrets(manifests):
        if needed.name in makers and not everything:
            notes.append(makers[needed.name])
            continue
        for reference in needed.references:
            entry = _entry(reference, values)
            if entry is None:
                notes.append(_not_ours(reference, manifests))
            elif entries.setdefault((entry.secret, entry.key), entry).optional and not entry.optional:
                entries[entry.secret, entry.key] = entry
        if needed.name in makers and values.secrets.provider == "bootstrap":
            # The Job finds a Secret of its own form only when it names the instance too.
            entries.setdefault((needed.name, NAME), Entry(needed.name, NAME, NAME))
    return Plan(values, tuple(entries.values()), tuple(dict.fromkeys(notes)))


def unused_names(plan: Plan, names: Iterable[str]) -> list[str]:
    """Those of the names that no entry of the plan takes its value from."""
    known = {name for entry in plan.entries if entry.variable != ADMIN_KEY for name in variable_names(plan, entry)}
    return [name for name in names if name not in known]


def _entry(reference: Reference, values: Values) -> Entry | None:
    match reference.use:
        case "variable":
            return Entry(reference.secret, reference.key, reference.target, reference.optional)
        case "file":
            variable = file_variable(reference, values.engine)
            return Entry(reference.secret, reference.key, variable, reference.optional)
        case "image pull":
            # A pod starts without it where the image is public or the node has the credentials.
            return Entry(reference.secret, PULL_KEY, PULL_CONFIG, optional=True)
        case _:
            return None


def _not_ours(reference: Reference, manifests: Iterable[Mapping[str, Any]]) -> str:
    if reference.use == "all keys":
        return (
            f"Secret {reference.secret} (backend.envFrom): not written; all its keys become variables of the backend, "
            "and only you know them"
        )
    annotations = [
        key
        for manifest in manifests
        if manifest["kind"] in ("Ingress", "Gateway")
        for key in manifest["metadata"].get("annotations") or {}
    ]
    issued = any(key.startswith("cert-manager.io/") for key in annotations)
    maker = "cert-manager makes it" if issued else "make it with `kubectl create secret tls`, or let cert-manager do so"
    return f"Secret {reference.secret} (certificate of {reference.target}): not written; {maker}"


def _makers(manifests: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Secrets that an object of the environment makes, each with a text that says so."""
    for manifest in manifests:
        spec = manifest.get("spec") or {}
        if manifest["kind"] == "ExternalSecret":
            name = spec["target"]["name"]
            store = spec["secretStoreRef"]
            wanted = []
            for item in spec["data"]:
                remote = item["remoteRef"]
                prop = f", property {remote['property']}" if "property" in remote else ""
                wanted.append(f"    {remote['key']}{prop}   (the key {item['secretKey']})")
            yield (
                name,
                f"Secret {name}: not written; External Secrets Operator makes it from the {store['kind']} "
                f"{store['name']}, which must hold:\n" + "\n".join(wanted),
            )
        elif manifest["kind"] == "Job":
            for name in made_by_job(manifest):
                yield name, f"Secret {name}: not written; the Job {manifest['metadata']['name']} makes it"


def variable_names(plan: Plan, entry: Entry) -> list[str]:
    """The names under which an entry's value may be given: the variable's and, where it is clear, the key's."""
    same_key = {other.variable for other in plan.entries if other.key == entry.key}
    taken = {other.variable for other in plan.entries} - {entry.variable}
    clear = len(same_key) == 1 and entry.key not in taken and entry.variable not in FILES
    return [entry.variable, entry.key] if clear else [entry.variable]
