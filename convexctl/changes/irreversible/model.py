"""A kind of irreversible change, its two sides, and what the chapters share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from convex_k8s.secrecy import NOT_SHOWN, secret_in
from convex_k8s.values.acknowledge import IrreversibleChange

from convexctl.behaviour import Backend, Decision, predict
from convexctl.behaviour.database import TITLES
from convexctl.behaviour.manifests import Manifest, Manifests, dig, items, mapping, sequence, source_of, text

NO_CLAIM = "none"
"""The value of `claim` and `claim-template` if the environment has no claim."""


@dataclass(frozen=True)
class Side:
    """An environment before or after the change: its overlay's name, its manifests, and what its backend will do."""

    overlay: str
    manifests: Manifests
    backend: Backend

    @property
    def kubectl(self) -> str:
        """How a command for this environment begins."""
        return f"kubectl -n {self.backend.namespace}" if self.backend.namespace else "kubectl"

    @property
    def workload(self) -> str:
        """The backend's object, as kubectl takes it."""
        return f"{self.backend.kind.lower()} {self.backend.name}"

    @property
    def from_template(self) -> bool:
        """Whether the claim is made from a template of the StatefulSet."""
        claim = self.backend.claim
        return claim is not None and "volumeClaimTemplates" in claim.source.path

    @property
    def server(self) -> str:
        """The kind of database server; empty with SQLite."""
        engine = str(self.backend.engine.value)
        return "" if engine == "sqlite" else TITLES[engine]

    def templates(self) -> dict[str, Mapping[str, Any]]:
        """The claim templates of the backend, by name."""
        backend = self.backend
        owner = self.manifests.find(backend.kind, backend.namespace, backend.name)
        found = items(dig(owner, "spec", "volumeClaimTemplates"))
        return {text(dig(template, "metadata", "name")): template for _, template in found}

    def on_volume(self) -> list[str]:
        """What would be missed with the volume at /convex/data."""
        found = [] if self.server else ["the documents (SQLite)"]
        if self.backend.files.value == "disk":
            found += ["files", "deployed functions", "search indexes"]
        if self.backend.instance_secret.value == "generated":
            found.append("the instance secret")
        return found


class Explanation(NamedTuple):
    """What a change would do, how it is done rightly, and the commands for that (lines with `#` are remarks)."""

    consequence: str
    cure: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """An irreversible change: its rule, the value before and after, and what there is to say about it."""

    id: IrreversibleChange
    before: str
    after: str
    explanation: Explanation

    def __str__(self) -> str:
        return f"{self.id}: {self.before or '(none)'} -> {self.after or '(none)'}"

    def told(self, environment: str, acknowledged: Mapping[IrreversibleChange, str]) -> Iterator[str]:
        """The change in lines: what would happen, the right way, and the commands for it, which are indented by 4."""
        yield f"{environment}: {self}"
        if self.id in acknowledged:
            yield f"  acknowledged is {acknowledged[self.id] or '(none)'}, which is another change"
        yield f"  what would happen: {self.explanation.consequence}"
        yield f"  the right way: {self.explanation.cure}"
        yield from (f"    {command}" for command in self.explanation.commands)


class Rule(NamedTuple):
    """One kind of change.

    `value` is what an acknowledgement names, None if the question does not arise; the change counts where it is
    there on both sides, differs, and `counts` says so.
    """

    id: IrreversibleChange
    value: Callable[[Side], str | None]
    counts: Callable[[Side, Side], bool]
    explain: Callable[[Side, Side], Explanation]


Explain = Callable[[Side, Side], Explanation]


def rule(
    id: IrreversibleChange,
    value: Callable[[Side], str | None],
    counts: Callable[[Side, Side], bool] = lambda before, after: True,
) -> Callable[[Explain], Rule]:
    """Make a rule of the function that explains a change."""

    def make(explain: Explain) -> Rule:
        return Rule(id, value, counts, explain)

    return make


def side_of(overlay: str, documents: Iterable[Manifest], like: Side | None = None) -> Side | None:
    """An environment with its backend: of several the one called as that of `like`. None if there is no backend."""
    manifests = list(documents)
    backends = predict(manifests).backends
    named = [backend for backend in backends if like and backend.name == like.backend.name]
    found = next(iter((*named, *backends)), None)
    return Side(overlay, Manifests(manifests), found) if found else None


def without_secret(value: str) -> str:
    """A value as a message may show it: manifests that somebody edited may hold anything."""
    return NOT_SHOWN if any(map(secret_in, value.split())) else value


def moved(before: Side, after: Side) -> bool:
    """Whether all objects are recreated, so that nothing has to be changed in place."""
    one, other = before.backend, after.backend
    return (one.kind, one.namespace, one.name) != (other.kind, other.namespace, other.name)


def value(name: str) -> Callable[[Side], str | None]:
    """A function that gives the value of the backend's decision `name`."""

    def of(side: Side) -> str | None:
        decision: Decision | None = getattr(side.backend, name)
        return None if decision is None else text(decision.value)

    return of


_EXPORT = (
    "npx convex env list   # and note the variables: an export does not hold them",
    "npx convex export --include-file-storage --path backup.zip",
)


_IMPORT = (
    "npx convex deploy",
    "npx convex env set NAME VALUE",
    "npx convex import --replace-all backup.zip",
)


def export_and_import(*between: str) -> tuple[str, ...]:
    """The commands that export everything and import it again, with others in between."""
    return (*_EXPORT, *between, *_IMPORT)


SYNTH_AND_APPLY = "# acknowledge, synth, apply, wait for the rollout, make a new admin key; then:"


def reference(name: str) -> Callable[[Side], str | None]:
    """A decision's value; for a key of a Secret that an operator fills from a store, with the place in the store."""

    def of(side: Side) -> str | None:
        decision: Decision | None = getattr(side.backend, name)
        if decision is None:
            return None
        its_text = text(decision.value)
        match = re.fullmatch(r"Secret/(?P<name>.+)\[(?P<key>.+)\]", its_text)
        store = _in_store(side, match["name"], match["key"]) if match else ""
        return f"{its_text} from {store}" if store else its_text

    return of


def _in_store(side: Side, secret: str, key: str) -> str:
    for manifest in side.manifests.of_kind("ExternalSecret"):
        spec = mapping(manifest.get("spec"))
        if (text(dig(spec, "target", "name")) or source_of(manifest).name) != secret:
            continue
        for entry in map(mapping, sequence(spec.get("data"))):
            if entry.get("secretKey") == key:
                remote = mapping(entry.get("remoteRef"))
                inside = f"[{text(remote['property'])}]" if remote.get("property") else ""
                return f"{text(dig(spec, 'secretStoreRef', 'name'))} {text(remote.get('key'))}{inside}"
    return ""


def differs(name: str) -> Callable[[Side, Side], bool]:
    """Whether a reference leads elsewhere. A Secret that is no longer filled from a store stays as it is."""
    value = reference(name)

    def differs(before: Side, after: Side) -> bool:
        old, new = value(before) or "", value(after) or ""
        return old != new and not old.startswith(f"{new} from ")

    return differs


def shown(side: Side, name: str) -> str:
    """The value of the backend's decision `name`, without a secret."""
    return without_secret(reference(name)(side) or "")


def recreate(side: Side, *, keep_pod: bool = False) -> tuple[str, ...]:
    """How a StatefulSet gets what it cannot be given in place.

    Its pod can only stay where the volumes do: of a pod that lacks a claim, the new StatefulSet cannot get hold.
    """
    delete = f"{side.kubectl} delete {side.workload}"
    delete += " --cascade=orphan   # the pod runs on" if keep_pod else "   # its claims stay"
    return ("# acknowledge and synth, then:", delete, f"kubectl apply -f dist/{side.overlay}/")
