"""The changes of an environment that cannot be undone, lose data, or are refused by Kubernetes.

A pure function of the manifests before and after, by what the boot model makes of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import yaml
from convex_k8s.values.acknowledge import IrreversibleChange
from convex_k8s.values.secrecy import NOT_SHOWN, secret_in

from convexctl.boot import Backend, Decision, boot
from convexctl.boot.compare import plain
from convexctl.boot.database import TITLES
from convexctl.boot.manifests import Manifest, Manifests, dig, items, mapping, sequence, source_of, text
from convexctl.boot.quantities import quantity
from convexctl.wording import listed

NO_CLAIM = "none"
"""The value of `claim` and `claim-template` where there is none."""

IMMUTABLE: dict[str, dict[str, Any]] = {
    "StatefulSet": {"selector": {}, "serviceName": "", "podManagementPolicy": "OrderedReady"},
    "Deployment": {"selector": {}},
    "Job": {"template": {}},
}
"""Fields of a spec that the API server lets nobody change, with their defaults; claim templates come on top."""
_DIGITS = 8


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

    `value` is what an acknowledgement names, None where the question does not arise; the change counts where it is
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
    """An environment with its backend: of several the one called as that of `like`. None where there is no backend."""
    manifests = list(documents)
    backends = boot(manifests).backends
    named = [backend for backend in backends if like and backend.name == like.backend.name]
    found = next(iter((*named, *backends)), None)
    return Side(overlay, Manifests(manifests), found) if found else None


def changes(before: Side, after: Side) -> Iterator[Change]:
    """The irreversible changes from one side to the other, in the order of the rules."""
    for rule in RULES:
        old, new = rule.value(before), rule.value(after)
        if old is not None and new is not None and old != new and rule.counts(before, after):
            yield Change(rule.id, _without_secret(old), new, rule.explain(before, after))


def unacknowledged(before: Side, after: Side, acknowledged: Mapping[IrreversibleChange, str]) -> list[Change]:
    """The changes that the overlay does not acknowledge with the value that they lead to."""
    return [change for change in changes(before, after) if acknowledged.get(change.id) != change.after]


def state(side: Side) -> dict[str, str]:
    """The value of every rule that has one, by its id."""
    return {rule.id: value for rule in RULES if (value := rule.value(side)) is not None}


def acknowledgement(overlay: Mapping[IrreversibleChange, str], found: Iterable[Change]) -> str:
    """The `acknowledge` for an overlay, as YAML: what it has already, and the changes found."""
    wanted = {**overlay, **{change.id: change.after for change in found}}
    return yaml.safe_dump({"acknowledge": wanted}, sort_keys=False, width=10_000)


def _without_secret(value: str) -> str:
    """A value as a message may show it: manifests that somebody edited may hold anything."""
    return NOT_SHOWN if any(map(secret_in, value.split())) else value


def _moved(before: Side, after: Side) -> bool:
    """Whether all objects are made anew, so that nothing has to be changed in place."""
    one, other = before.backend, after.backend
    return (one.kind, one.namespace, one.name) != (other.kind, other.namespace, other.name)


def _value(name: str) -> Callable[[Side], str | None]:
    def value(side: Side) -> str | None:
        decision: Decision | None = getattr(side.backend, name)
        return None if decision is None else text(decision.value)

    return value


# Moving data.

_EXPORT = (
    "npx convex env list   # and note the variables: an export does not hold them",
    "npx convex export --include-file-storage --path backup.zip",
)
_IMPORT = (
    "npx convex deploy",
    "npx convex env set NAME VALUE",
    "npx convex import --replace-all backup.zip",
)


def _export_and_import(*between: str) -> tuple[str, ...]:
    return (*_EXPORT, *between, *_IMPORT)


_SYNTH_AND_APPLY = "# acknowledge, synth, apply, wait for the rollout, make a new admin key; then:"


# Names.


def _release_name(side: Side) -> str:
    return side.backend.name.removesuffix("-backend")


def _renamed(before: Side, after: Side) -> bool:
    return before.backend.name != after.backend.name


@rule("release-name", _release_name, _renamed)
def release_name(before: Side, after: Side) -> Explanation:
    """Every object gets a new name."""
    cure = "keep releaseName: nobody outside the cluster sees it. Otherwise stop the old environment first"
    return _explain_new_objects(before, after, "every object gets a new name, and those of the old name stay", cure)


@rule("namespace", lambda side: side.backend.namespace)
def namespace(before: Side, after: Side) -> Explanation:
    """Every object moves to another namespace."""
    old, new = before.backend.namespace, after.backend.namespace
    cure = "keep the namespace. Otherwise make the Secrets in the new one, and stop the old environment first"
    if not old or not new:
        cure += (
            f". The manifests {'named none before' if not old else 'name none now'}: where it stays the same one "
            f"({old or new}), nothing changes, and the acknowledgement alone is enough"
        )
    where = f"in {new}" if new else "in the namespace that kubectl is told to use"
    happens = f"every object is made anew {where}, without the Secrets and claims of the old namespace, which stay"
    return _explain_new_objects(before, after, happens, cure)


def _explain_new_objects(before: Side, after: Side, happens: str, cure: str) -> Explanation:
    claim, lost = before.backend.claim, before.on_volume()
    same_volume = claim is not None and not before.from_template and not _renamed_namespace(before, after)
    if before.server:
        happens += f": two backends would fight over one {before.server} database"
    elif same_volume:
        happens += ": two backends on one volume would ruin the SQLite database"
    stop = f"{before.kubectl} delete {before.workload}   # its claims stay"
    if same_volume or not lost:
        return Explanation(
            happens, cure, (stop, "# acknowledge, synth, apply, then delete what is left of the old one")
        )
    gone = f"stay on the claim {claim.value}" if claim else "are lost with the old pod"
    happens += f"; the new backend starts with an empty volume: {listed(lost, 'and')} {gone}"
    return Explanation(happens, cure, _export_and_import(stop, _SYNTH_AND_APPLY))


def _renamed_namespace(before: Side, after: Side) -> bool:
    return before.backend.namespace != after.backend.namespace


# The instance.


def _reference(name: str) -> Callable[[Side], str | None]:
    """A decision's value; for a key of a Secret that an operator fills from a store, with the place in the store."""

    def value(side: Side) -> str | None:
        decision: Decision | None = getattr(side.backend, name)
        if decision is None:
            return None
        its_text = text(decision.value)
        match = re.fullmatch(r"Secret/(?P<name>.+)\[(?P<key>.+)\]", its_text)
        store = _in_store(side, match["name"], match["key"]) if match else ""
        return f"{its_text} from {store}" if store else its_text

    return value


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


def _differs(name: str) -> Callable[[Side, Side], bool]:
    """Whether a reference leads elsewhere. A Secret that is no longer filled from a store stays as it is."""
    value = _reference(name)

    def differs(before: Side, after: Side) -> bool:
        old, new = value(before) or "", value(after) or ""
        return old != new and not old.startswith(f"{new} from ")

    return differs


@rule("instance-name", _reference("instance_name"), _differs("instance_name"))
def instance_name(before: Side, after: Side) -> Explanation:
    """The instance is renamed."""
    old, new = _shown(before, "instance_name"), _shown(after, "instance_name")
    if after.server:
        happens = (
            f"the {after.server} database is named after the instance: the backend would open another one, or none, "
            f"and the documents stay in the old one"
        )
    else:
        happens = "the backend refuses to start on the data of an instance of another name"
    happens += ". Every admin key has the old name in it and is void"
    cure = "keep the name. A new name is a new instance: an overlay of its own, and the data by export and import"
    if "/" in old or "/" in new:
        cure += f". Where both mean the same name ({old} and {new} cannot be read here), the acknowledgement is enough"
    return Explanation(happens, cure, _export_and_import("# with the new instance:"))


def _shown(side: Side, name: str) -> str:
    return _without_secret(_reference(name)(side) or "")


@rule("instance-secret", _reference("instance_secret"), _differs("instance_secret"))
def instance_secret(before: Side, after: Side) -> Explanation:
    """The instance secret comes from elsewhere."""
    happens = "with another instance secret every admin key, upload token and cursor is void; the documents stay"
    cure = "bring the old secret along, while the old pod runs: this takes it from there, unless the new Secret has one"
    if after.backend.instance_secret.value == "generated":
        cure = (
            "keep the Secret: without it the backend takes what an earlier start left on its volume, or makes a new one"
        )
        return Explanation(happens, cure)
    if before.backend.instance_secret.value != "generated":
        cure += ". Where both hold the same secret, nothing changes, and the acknowledgement is enough"
    return Explanation(happens, cure, (f"python main.py secrets {after.overlay} --apply",))


# Documents.


@rule("database-engine", _value("engine"))
def database_engine(before: Side, after: Side) -> Explanation:
    """The data is kept by another kind of database."""
    old, new = before.server or "SQLite", after.server or "SQLite"
    happens = f"documents do not move by themselves: the backend starts with what is in {new}, all others stay in {old}"
    cure = "export while the old database runs, and import into the new one"
    return Explanation(happens, cure, _export_and_import(_SYNTH_AND_APPLY))


def _database_counts(before: Side, after: Side) -> bool:
    return before.backend.engine.value == after.backend.engine.value and _differs("database_url")(before, after)


@rule("database-secret", _reference("database_url"), _database_counts)
def database_secret(before: Side, after: Side) -> Explanation:
    """The database URL comes from elsewhere."""
    happens = (
        f"the URL may lead to another {after.server} server: the backend starts with what it finds there, "
        "and the documents stay where they are"
    )
    cure = (
        "where it leads to the same server (a renamed Secret, a new password), the acknowledgement is enough. To move, "
        "stop the backend, copy the database as it is, then acknowledge; or export and import"
    )
    dump = "pg_dump" if after.server == "Postgres" else "mysqldump"
    stop = f"{before.kubectl} scale {before.workload} --replicas=0"
    return Explanation(happens, cure, (stop, f"{dump} ...   # and restore it on the new server, under the same name"))


# Files.


@rule("files-kind", _value("files"))
def files_kind(before: Side, after: Side) -> Explanation:
    """Files move between disk and S3."""
    happens = (
        "the backend wrote the kind of storage into its database at the first start and refuses to start with another: "
        "deployed functions, files, exports and search indexes would not be found"
    )
    cure = "export with the files, and import into a new instance with an empty database"
    return Explanation(happens, cure, _export_and_import("# with the new instance:"))


def _buckets(side: Side) -> str | None:
    decision = side.backend.buckets
    if decision is None:
        return None
    names = mapping(decision.value)
    if len(set(names.values())) == 1:
        return text(next(iter(names.values())))
    return ", ".join(f"{kind} in {text(name)}" for kind, name in sorted(names.items()))


def _copy_of_files(before: Side, what: str, extra: str = "") -> Explanation:
    happens = (
        f"{what}: deployed functions, files and search indexes stay in the old one, and the backend would not find them"
    )
    cure = f"stop the backend, copy every object under its own key, then acknowledge, synth and apply{extra}"
    stop = f"{before.kubectl} scale {before.workload} --replicas=0"
    copy = "rclone copy OLD:BUCKET NEW:BUCKET"
    return Explanation(happens, cure, (stop, f"{copy}   # or `aws s3 sync` within one service"))


@rule("files-buckets", _buckets)
def files_buckets(before: Side, after: Side) -> Explanation:
    """Files are kept in other buckets."""
    return _copy_of_files(before, "another bucket is another place")


@rule("files-endpoint", _reference("s3_endpoint"), _differs("s3_endpoint"))
def files_endpoint(before: Side, after: Side) -> Explanation:
    """Files are kept by another S3 service."""
    same = ". Where it is only another name of the same service, the acknowledgement alone is enough"
    return _copy_of_files(before, "another endpoint may be another service with other buckets", same)


@rule("files-region", _reference("s3_region"), _differs("s3_region"))
def files_region(before: Side, after: Side) -> Explanation:
    """Files are kept in another region."""
    same = ". Where the service is the same and takes any region (MinIO, R2), the acknowledgement alone is enough"
    return _copy_of_files(before, "a bucket lies in one region: in another there is none, or another one", same)


# The volume.


def _claim(side: Side) -> str:
    return text(side.backend.claim.value) if side.backend.claim else NO_CLAIM


def _claim_counts(before: Side, after: Side) -> bool:
    if before.backend.claim is None:
        return _template_added(before, after) or bool(before.on_volume())
    # A template's claim is named after its StatefulSet: then the new name of that is the change.
    return not (_renamed(before, after) and before.from_template and after.from_template)


def _template_added(before: Side, after: Side) -> bool:
    return after.from_template and not _moved(before, after)


def _recreate(side: Side, *, keep_pod: bool = False) -> tuple[str, ...]:
    """How a StatefulSet gets what it cannot be given in place.

    Its pod can only stay where the volumes do: of a pod that lacks a claim, the new StatefulSet cannot get hold.
    """
    delete = f"{side.kubectl} delete {side.workload}"
    delete += " --cascade=orphan   # the pod runs on" if keep_pod else "   # its claims stay"
    return ("# acknowledge and synth, then:", delete, f"kubectl apply -f dist/{side.overlay}/")


@rule("claim", _claim, _claim_counts)
def volume_claim(before: Side, after: Side) -> Explanation:
    """Another volume claim is mounted."""
    old, new = before.backend.claim, after.backend.claim
    lost = before.on_volume()
    what = listed(lost, "and")
    in_place = (before.from_template or after.from_template) and not _moved(before, after)
    refused = " Kubernetes lets nobody add or remove a claim template: apply would fail" if in_place else ""
    again = _recreate(after) if in_place else ()
    if old is None:
        happens = f"what is at /convex/data now does not come along to the new claim: {what}." if lost else ""
        anew = "let the StatefulSet be made anew" if in_place else "apply"
        cure = f"export, {anew}, import" if lost else f"{anew}: nothing of value is on the old volume"
        commands = _export_and_import(*(again or (_SYNTH_AND_APPLY,))) if lost else again
        return Explanation((happens + refused).strip(), cure, commands)
    if new is None:
        happens = f"nothing mounts the claim {old.value} any more, and /convex/data is lost with every pod."
        happens += f" Still on the claim, and missed: {what}." if lost else " Nothing that is needed is on it."
        cure = "keep backend.persistence.enabled: true"
        cure += ". What is on it moves by export and import only" if lost else ""
        return Explanation(happens + refused, cure, again)
    happens = f"the backend would start with what is on {new.value}; everything on {old.value} stays there"
    happens += f": {what}." if lost else "."
    if after.from_template:
        cure = (
            f"the new claim is made empty. Keep the old volume with backend.persistence.existingClaim: {old.value}, or "
            "copy its content with the backend stopped"
        )
    else:
        cure = "stop the backend, copy the content of the volume, then acknowledge, synth and apply"
    stop = (f"{before.kubectl} scale {before.workload} --replicas=0",)
    return Explanation(happens + refused, cure, (*stop, *again))


def _template_names(side: Side) -> str:
    return ", ".join(sorted(side.templates())) or NO_CLAIM


def _in_place(before: Side, after: Side) -> bool:
    """Whether the same StatefulSet mounts the same claim."""
    return not _moved(before, after) and _claim(before) == _claim(after)


@rule("claim-template", _template_names, _in_place)
def claim_template(before: Side, after: Side) -> Explanation:
    """A claim template is added, removed or renamed."""
    happens = "Kubernetes lets nobody add or remove a claim template of a StatefulSet: apply would fail"
    cure = "let the StatefulSet be made anew; its claims stay"
    return Explanation(happens, cure, _recreate(after))


def _size_counts(before: Side, after: Side) -> bool:
    old, new = (quantity(_value("claim_size")(side) or "") for side in (before, after))
    return _in_place(before, after) and old != new and (_from_templates(before, after) or _shrinks(before, after))


def _from_templates(before: Side, after: Side) -> bool:
    return before.from_template and after.from_template


def _shrinks(before: Side, after: Side) -> bool:
    old, new = (quantity(_value("claim_size")(side) or "") or 0 for side in (before, after))
    return new < old


@rule("claim-size", _value("claim_size"), _size_counts)
def claim_size(before: Side, after: Side) -> Explanation:
    """The claim gets another size."""
    claim, size = _claim(after), _value("claim_size")(after)
    if _shrinks(before, after):
        happens = f"Kubernetes shrinks no claim: {claim} keeps its size, and apply would fail"
        cure = "keep the size. A smaller volume is a new claim: copy the content, and name it in existingClaim"
        return Explanation(happens, cure)
    happens = "Kubernetes lets nobody change the size in a claim template: apply would fail, and the claim stays small"
    cure = "grow the claim itself (its StorageClass must allow that), and let the StatefulSet be made anew"
    wanted = json.dumps({"spec": {"resources": {"requests": {"storage": size}}}})
    grow = f"{after.kubectl} patch pvc {claim} --type=merge --patch='{wanted}'"
    return Explanation(happens, cure, (grow, *_recreate(after, keep_pod=True)))


def _class(side: Side) -> str | None:
    decision = side.backend.claim_class
    if decision is None:
        return None
    return "default" if decision.value is None else text(decision.value) or "none"


@rule("claim-class", _class, _in_place)
def claim_class(before: Side, after: Side) -> Explanation:
    """The claim gets another StorageClass."""
    claim = _claim(after)
    happens = f"the class of a claim that is there cannot be changed: {claim} keeps its own, and apply would fail"
    cure = (
        "keep the class. A volume of another class is a new claim: make one, copy the content with the backend "
        "stopped, and name it in backend.persistence.existingClaim. For a new name of the same class, let the "
        "StatefulSet be made anew"
    )
    return Explanation(happens, cure, _recreate(after, keep_pod=True))


def _access_mode(side: Side) -> str | None:
    decision = side.backend.access_modes
    return None if decision is None else ", ".join(map(text, sequence(plain(decision.value))))


@rule("access-mode", _access_mode, _in_place)
def access_mode(before: Side, after: Side) -> Explanation:
    """The claim gets other access modes."""
    claim = _claim(after)
    happens = f"the access mode of a claim that is there cannot be changed: {claim} keeps its own, and apply would fail"
    cure = "keep the mode, or let the StatefulSet be made anew: then the mode holds for claims that are made later"
    return Explanation(happens, cure, _recreate(after, keep_pod=True))


# What Kubernetes does not let change.


def _immutable(side: Side) -> dict[str, Any]:
    """The immutable fields of all objects, each with its value."""
    found: dict[str, Any] = {}
    for manifest in side.manifests.of_kind(*IMMUTABLE):
        place = source_of(manifest)
        for name, default in IMMUTABLE[place.kind].items():
            found[f"{place.kind}/{place.name} {name}"] = dig(manifest, "spec", name) or default
    for name, template in side.templates().items():
        found[f"{side.backend.kind}/{side.backend.name} volumeClaimTemplates[{name}]"] = _rest(template)
    return found


def _rest(template: Mapping[str, Any]) -> dict[str, Any]:
    """What of a claim template has no rule of its own."""
    ruled = {"accessModes", "storageClassName", "resources"}
    spec = {key: value for key, value in mapping(template.get("spec")).items() if key not in ruled}
    labels = mapping(dig(template, "metadata", "labels"))
    return {"labels": dict(labels), **{"volumeMode": "Filesystem", **spec}}


def _digest(side: Side) -> str:
    """All immutable fields in a few letters: they are too long to be written down."""
    return sha256(json.dumps(plain(_immutable(side)), sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


def _changed_fields(before: Side, after: Side) -> list[str]:
    if _moved(before, after):
        return []
    old, new = _immutable(before), _immutable(after)
    return [name for name in new if name in old and old[name] != new[name]]


@rule("immutable-field", _digest, lambda before, after: bool(_changed_fields(before, after)))
def immutable_field(before: Side, after: Side) -> Explanation:
    """A field changes that the API server lets nobody change."""
    fields = _changed_fields(before, after)
    happens = f"Kubernetes lets nobody change {listed(fields, 'and')}: apply would fail"
    cure = "keep them, or delete the objects and let them be made anew: the pods start again, claims stay"
    objects = dict.fromkeys(field.partition(" ")[0] for field in fields)
    delete = (f"{after.kubectl} delete {name.lower()}" for name in objects)
    return Explanation(
        happens, cure, ("# acknowledge and synth, then:", *delete, f"kubectl apply -f dist/{after.overlay}/")
    )


# Retention.


@rule("retention", _value("retention"))
def retention(before: Side, after: Side) -> Explanation:
    """Old versions of documents are kept for another time."""
    old, new = before.backend.retention.value, after.backend.retention.value
    lowered = isinstance(old, int) and isinstance(new, int) and new < old
    if lowered:
        happens = (
            "versions of documents that are older are deleted for good, and raising it again later can leave the "
            "backend's clean-up looping for ever"
        )
    else:
        happens = (
            "where it was ever lowered before, which these manifests do not tell, raising it again can leave the "
            "backend's clean-up looping for ever"
        )
    cure = "keep DOCUMENT_RETENTION_DELAY as the instance was started with; choose another for a new instance"
    return Explanation(happens, cure)


RULES: tuple[Rule, ...] = (
    release_name,
    namespace,
    instance_name,
    instance_secret,
    database_engine,
    database_secret,
    files_kind,
    files_buckets,
    files_endpoint,
    files_region,
    volume_claim,
    claim_template,
    claim_size,
    claim_class,
    access_mode,
    immutable_field,
    retention,
)
"""What the guard stops, in the order of its messages."""
