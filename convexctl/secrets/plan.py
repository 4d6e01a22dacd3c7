"""The plan: every key of every Secret that the manifests refer to and that nothing in them makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convex_k8s.values import Values
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.secrets.instance import NAME
from convexctl.secrets.makers import Maker, makers
from convexctl.secrets.needed import (
    FILES,
    PULL_CONFIG,
    Reference,
    file_variable,
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


def plan_secrets(
    values: Values, manifests: Sequence[Mapping[str, Any]], *, everything: bool = False, operators: bool = False
) -> Plan:
    """Plan the Secrets that the manifests refer to.

    Those that something in the manifests makes (an ExternalSecret, the bootstrap Job) are left out and noted, unless
    `everything` is asked for. Those of the database's operator are in it only with `operators`: nobody writes them.
    """
    made = makers(manifests)
    left_out = {
        **dict.fromkeys(("external-secrets", "job"), not everything),
        "cloudnative-pg": not operators,
    }
    entries: dict[tuple[str, str], Entry] = {}
    notes: list[str] = []
    for needed in needed_secrets(manifests):
        maker = made.get(needed.name)
        if maker and left_out.get(maker.by):
            notes.append(_note(needed.name, maker))
            continue
        for reference in needed.references:
            entry = _entry(reference, values)
            if entry is None:
                notes.append(_not_ours(reference, made))
            elif entries.setdefault((entry.secret, entry.key), entry).optional and not entry.optional:
                entries[entry.secret, entry.key] = entry
        if maker and maker.by == "job":
            # The Job finds a Secret of its own form only when it names the instance too.
            entries.setdefault((needed.name, NAME), Entry(needed.name, NAME, NAME))
    return Plan(values, tuple(entries.values()), tuple(dict.fromkeys(notes)))


def names_with_use(plan: Plan) -> list[str]:
    """The names under which a value for the plan may be given."""
    entries = (entry for entry in plan.entries if entry.variable != ADMIN_KEY)
    return list(dict.fromkeys(name for entry in entries for name in variable_names(plan, entry)))


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


def _not_ours(reference: Reference, made: Collection[str]) -> str:
    if reference.use == "all keys":
        return (
            f"Secret {reference.secret} (backend.envFrom): not written; all its keys become variables of the backend, "
            "and only you know them"
        )
    issued = reference.secret in made
    maker = "cert-manager makes it" if issued else "make it with `kubectl create secret tls`, or let cert-manager do so"
    return f"Secret {reference.secret} (certificate of {reference.target}): not written; {maker}"


def _note(secret: str, maker: Maker) -> str:
    """Why a Secret is not written: what makes it, and what that needs."""
    if maker.by == "job":
        return f"Secret {secret}: not written; the Job {maker.name} makes it"
    if maker.by == "cloudnative-pg":
        return f"Secret {secret}: not written; CloudNativePG makes it with its Cluster {maker.name}"
    spec = maker.manifest["spec"]
    store = spec["secretStoreRef"]
    wanted = []
    for item in spec["data"]:
        remote = item["remoteRef"]
        prop = f", property {remote['property']}" if "property" in remote else ""
        wanted.append(f"    {remote['key']}{prop}   (the key {item['secretKey']})")
    return (
        f"Secret {secret}: not written; External Secrets Operator makes it from the {store['kind']} {store['name']}, "
        "which must hold:\n" + "\n".join(wanted)
    )


def variable_names(plan: Plan, entry: Entry) -> list[str]:
    """The names under which an entry's value may be given: the variable's and, where it is clear, the key's."""
    same_key = {other.variable for other in plan.entries if other.key == entry.key}
    taken = {other.variable for other in plan.entries} - {entry.variable}
    clear = len(same_key) == 1 and entry.key not in taken and entry.variable not in FILES
    return [entry.variable, entry.key] if clear else [entry.variable]
