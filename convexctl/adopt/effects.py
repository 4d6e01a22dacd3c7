"""What becomes of a release: its silent faults, what the pods will do otherwise, and what cannot be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convexctl import behaviour as model
from convexctl.adopt.release import Release
from convexctl.audit import Finding, Severity, audit
from convexctl.behaviour import Decision
from convexctl.behaviour.manifests import mapping, source_of, text
from convexctl.changes import irreversible
from convexctl.changes.compare_objects import identity
from convexctl.changes.irreversible.model import NO_CLAIM, Explanation, export_and_import
from convexctl.project import PROGRAM
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.environment import Environment
from convexctl.wording import listed


@dataclass(frozen=True)
class Effects:
    """What the environment makes of the release."""

    faults: tuple[Finding, ...]
    """Errors and warnings of the release as it is, worst first."""
    cured: frozenset[str]
    """The ids of rules that the environment no longer breaks."""
    changes: tuple[model.Change, ...]
    """Decisions of the pods that differ."""
    stops: tuple[irreversible.Change, ...]
    """What cannot be undone, or loses data, and is not acknowledged in the overlay."""
    missing: tuple[str, ...]
    """Keys of Secrets that the new pods do not start without and that are not in the cluster."""
    leftovers: tuple[str, ...]
    """Objects of the release that the environment does not have: they stay."""


def effects(release: Release, environment: Environment, secrets: Iterable[Mapping[str, Any]] | None) -> Effects:
    """Compare a release with the environment. `secrets` are the Secrets of both, without values, or None if unknown."""
    known = list(secrets or ())
    if secrets is not None:
        known += _absent([*release.manifests, *environment.manifests], known, release.namespace)
    before, after = [*release.manifests, *known], [*environment.manifests, *known]
    report_before, report_after = audit(before), audit(after)
    faults = tuple(finding for finding in report_before.findings if finding.severity is not Severity.INFORMATION)
    still = {finding.rule.id for finding in report_after.findings if finding.severity is not Severity.INFORMATION}
    return Effects(
        faults=faults,
        cured=frozenset(finding.rule.id for finding in faults) - still,
        changes=tuple(model.compare(report_before.behaviour, report_after.behaviour)),
        stops=tuple(_stops(environment, before, after)),
        missing=() if secrets is None else tuple(_missing(environment, known)),
        leftovers=tuple(_leftovers(release, environment, report_after.behaviour)),
    )


def _absent(
    manifests: list[Mapping[str, Any]], known: list[Mapping[str, Any]], namespace: str
) -> Iterable[Mapping[str, Any]]:
    """The optional Secrets that the cluster does not have, as empty ones: they set nothing."""
    there = {text(mapping(secret.get("metadata")).get("name")) for secret in known}
    for secret in needed_secrets(manifests):
        if secret.optional and secret.use == "all keys" and secret.name not in there:
            yield {"kind": "Secret", "metadata": {"name": secret.name, "namespace": namespace}, "data": {}}


def _stops(
    environment: Environment, before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]
) -> Iterable[irreversible.Change]:
    new = irreversible.side_of(environment.name, after)
    old = irreversible.side_of(environment.name, before, new)
    if not old or not new:
        return
    acknowledged = environment.overlay.values.acknowledge
    yield from irreversible.unacknowledged(old, new, acknowledged)
    if acknowledged.get("claim") != NO_CLAIM:
        yield from _lost_with_the_pod(old, new)


def _lost_with_the_pod(old: irreversible.Side, new: irreversible.Side) -> Iterable[irreversible.Change]:
    """What is in the release's container alone: the move replaces the pod."""
    in_pod = old.backend.data_volume.value in ("none", "emptyDir")
    in_use = not old.server or old.backend.files.value == "disk"
    if old.backend.claim or new.backend.claim or not (in_pod and in_use):
        return
    lost = old.on_volume()
    happens = f"the move replaces the pod, and what is in its container goes with it: {listed(lost, 'and')}."
    cure = "export, adopt, import. A claim of your own in backend.persistence.existingClaim keeps data from then on"
    commands = export_and_import("# acknowledge, adopt with --apply, make a new admin key; then:")
    yield irreversible.Change("claim", NO_CLAIM, NO_CLAIM, Explanation(happens, cure, commands))


def _leftovers(release: Release, environment: Environment, after: model.Behaviour) -> Iterable[str]:
    ours = {identity(manifest) for manifest in environment.manifests}
    claims = {text(backend.claim.value) for backend in after.backends if backend.claim}
    for manifest in release.manifests:
        if identity(manifest) not in ours:
            place = source_of(manifest)
            mounted = place.kind == "PersistentVolumeClaim" and place.name in claims
            yield f"{place.kind}/{place.name}" + (", which the backend mounts" if mounted else "")


def _missing(environment: Environment, secrets: list[Mapping[str, Any]]) -> Iterable[str]:
    keys = {mapping(secret["metadata"])["name"]: mapping(secret.get("data")) for secret in secrets}
    made_here = {
        mapping(manifest["metadata"]).get("name")
        for manifest in environment.manifests
        if manifest["kind"] in ("ExternalSecret", "SealedSecret", "Secret")
    }
    for secret in needed_secrets(environment.manifests):
        if secret.name in made_here or secret.use in ("image pull", "certificate"):
            continue
        for key, reference in secret.keys().items():
            if not reference.optional and key not in keys.get(secret.name, {}):
                yield f"{secret.name}[{key}]"


def advice(change: model.Change, environment: Environment, missing: Iterable[str] = ()) -> str:
    """What a changed decision asks of the user; empty if it asks nothing. `missing` are keys of Secrets."""
    before, after = change.before, change.after
    if before is None or after is None:
        return ""
    match change.name:
        case "database_tls":
            return _tls(after, environment)
        case "site_origin":
            return (
                "Whoever calls HTTP actions (webhooks, OAuth callbacks, your own code) must know the new address, "
                "which CONVEX_SITE_URL inside functions then is"
            )
        case "cloud_origin":
            return "Clients must know the new address, which CONVEX_CLOUD_URL inside functions then is"
        case "deployment_url":
            return "The dashboard asks browsers to go there"
        case "data_volume":
            return _volume(after)
        case "secret_stable" if after.value is True and _lacks_instance_secret(environment, missing):
            return (
                "The new pod does not start without it. `"
                f"{PROGRAM} secrets {environment.name} --apply` puts the secret that the running pod has into the "
                "Secret, or a new one if there is none: with a new one all admin keys made so far are void"
            )
        case "secret_stable" if after.value is True:
            return (
                "The new pod makes a new secret this once more, so all admin keys made so far are void: afterwards "
                f"`{PROGRAM} admin-key {environment.name}` makes one that stays"
            )
        case "metrics" if before.value is True:
            return "Where a Prometheus in the cluster reads them, set backend.metrics.enabled to true"
        case "retention":
            return "Versions of documents that are older are deleted for good"
        case "memory_limit" if before.value is None:
            return "Above the limit the pod is killed: see backend.resources"
    return ""


def _lacks_instance_secret(environment: Environment, missing: Iterable[str]) -> bool:
    values = environment.overlay.values
    keys = {section.keys.instance_secret for section in (values.postgres, values.mysql, values.instance)}
    return any(name.partition("[")[2].rstrip("]") in keys for name in missing)


def _tls(after: Decision, environment: Environment) -> str:
    if after.value != "required":
        return ""
    name = "mysql" if environment.overlay.values.mysql.enabled else "postgres"
    return (
        "The database must offer TLS, with a certificate for the host in its URL that the system's CAs know, or the "
        f"one in {name}.caSecret: otherwise the new pod does not start. `{PROGRAM} preflight {environment.name} "
        "--connect` tries it. To go on as before, set convexConfig.requireSsl to false"
    )


def _volume(after: Decision) -> str:
    if not text(after.value).startswith("claim "):
        return ""
    return (
        "What the running container wrote to /convex/data is not on it, and goes with the old pod. The new pod starts "
        f"only where {after.value} can be mounted"
    )


def summary(missing: Iterable[str]) -> str:
    """Missing keys as one sentence."""
    return (
        f"the new pods do not start without {listed(list(missing), 'and')}, which the cluster does not have: put them "
        "into the Secrets, or name other Secrets or keys in the overlay"
    )
