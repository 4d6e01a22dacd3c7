"""Checks of volume claims, and of the storage classes of those that are still to be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.cluster import CLUSTER, NAMESPACE
from convexctl.preflight.manifests import Manifest, default_class, pods_of
from convexctl.preflight.questions import Question
from convexctl.tools.kubectl import Kubectl

STORAGE_CLASS = "storage class"

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def volume_questions(manifests: Iterable[Manifest], kubectl: Kubectl) -> list[Question]:
    """Claims, each once, and the storage classes of those that are still to be made."""
    questions = []
    for claim in {claim.name: claim for claim in _claims(manifests)}.values():
        questions.append(_volume_claim(kubectl, claim))
        if claim.template:
            questions.append(_storage_class(kubectl, claim))
    return questions


@dataclass(frozen=True)
class _Claim:
    """A volume claim of a pod: an existing claim, or a claim that a StatefulSet makes from a `template`."""

    name: str
    template: Manifest | None = None

    @property
    def title(self) -> str:
        return f"volume claim {self.name}"


def _claims(manifests: Iterable[Manifest]) -> Iterator[_Claim]:
    for workload, pod in pods_of(manifests):
        for template in workload["spec"].get("volumeClaimTemplates") or []:
            yield _Claim(f"{template['metadata']['name']}-{workload['metadata']['name']}-0", template)
        for volume in pod.get("volumes") or []:
            if claim := volume.get("persistentVolumeClaim"):
                yield _Claim(claim["claimName"])


def _volume_claim(kubectl: Kubectl, claim: _Claim) -> Question:
    def answer() -> Check:
        found = kubectl.find("persistentvolumeclaim", claim.name)
        if found is None and claim.template:
            return ok(claim.title, "not there yet: the first start makes it")
        if found is None:
            make = "make it, or leave backend.persistence.existingClaim out, and a new one is made"
            return failed(claim.title, "there is none of that name, and without it the pod is not scheduled", make)
        if "deletionTimestamp" in found["metadata"]:
            return failed(
                claim.title,
                "it is being deleted, and goes with its data as soon as no pod uses it",
                "save what is in it (`npx convex export`), or the volume: set the reclaim policy of its "
                "PersistentVolume to Retain",
            )
        phase = found.get("status", {}).get("phase", "")
        if phase == "Bound":
            return ok(claim.title, f"bound, {found['status'].get('capacity', {}).get('storage', 'of unknown size')}")
        if phase == "Pending" and _waits_for_its_pod(kubectl, found):
            return ok(claim.title, "pending until its pod is scheduled, as its storage class has it")
        return failed(
            claim.title,
            f"it is {phase or 'without a phase'}, not bound",
            f"see `kubectl describe pvc {claim.name}{kubectl.options()}`",
        )

    return Question(claim.title, answer, (CLUSTER, NAMESPACE))


def _waits_for_its_pod(kubectl: Kubectl, found: Manifest) -> bool:
    name = found["spec"].get("storageClassName", "")
    storage_class = kubectl.find("storageclass", name) if name else None
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def _storage_class(kubectl: Kubectl, claim: _Claim) -> Question:
    named = (claim.template or {})["spec"].get("storageClassName")

    def answer() -> Check:
        if kubectl.find("persistentvolumeclaim", claim.name):
            return ok(STORAGE_CLASS, "not needed any more: the claim is there")
        if named == "":
            return skipped(STORAGE_CLASS, "none: a volume made by hand must fit the claim")
        known = {item["metadata"]["name"]: item for item in kubectl.all_of("storageclass")}
        there = ", ".join(known) or "none"
        if named is None:
            return default_class(STORAGE_CLASS, known, _DEFAULT, "backend.persistence.storageClassName", "a new claim")
        if named in known:
            return ok(STORAGE_CLASS, named)
        return failed(
            STORAGE_CLASS,
            f"there is no class {named}, and the claim would stay pending; the cluster has: {there}",
            'set backend.persistence.storageClassName to one of these (`""` is the default one), or make that class',
        )

    return Question(STORAGE_CLASS, answer, (CLUSTER, NAMESPACE))
