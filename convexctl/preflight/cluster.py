"""Checks of a cluster against the manifests of an environment: its version, the namespace, and what they refer to.

They read the manifests and nothing else, and ask through the user's kubectl. Nothing is made or changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from convexctl.preflight.check import Check, failed, ok
from convexctl.preflight.manifests import Manifest, not_ready, pods_of, words
from convexctl.preflight.questions import Question
from convexctl.secrets.makers import makers
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.pod_needs import needs
from convexctl.tools import run
from convexctl.tools.kubectl import BUILT_IN_GROUPS, Kubectl, KubectlError
from convexctl.tools.owner import OtherOverlayError, check_owner

CLUSTER, NAMESPACE, POD_SECURITY, OWNER = "cluster", "namespace", "pod security", "overlay"

OLDEST = (1, 27)
"""The oldest Kubernetes that the manifests are made for."""

_INSTALL = {
    "external-secrets.io": "install External Secrets Operator, 0.16 or newer: https://external-secrets.io",
    "bitnami.com": "install the controller of Sealed Secrets: https://github.com/bitnami-labs/sealed-secrets",
    "postgresql.cnpg.io": "install CloudNativePG: https://cloudnative-pg.io",
    "gateway.networking.k8s.io": "install the Gateway API and a controller of it: https://gateway-api.sigs.k8s.io",
    "monitoring.coreos.com": "install the Prometheus Operator, or set monitoring.enabled to false",
}
_ENFORCED = "pod-security.kubernetes.io/enforce"


def base_questions(kubectl: Kubectl, make_namespace: str) -> list[Question]:
    """What everything else rests on: an API server that is new enough, and the namespace.

    `make_namespace` is the command that makes it.
    """
    name = kubectl.namespace_name()
    return [
        Question(CLUSTER, lambda: _cluster(kubectl)),
        Question(NAMESPACE, lambda: _namespace(kubectl, name, make_namespace), (CLUSTER,)),
        Question(POD_SECURITY, lambda: _pod_security(kubectl, name), (CLUSTER, NAMESPACE)),
    ]


def owner_question(kubectl: Kubectl, overlay: str, release_name: str) -> Question:
    """Whether what is in the cluster under the environment's names was made from its overlay."""

    def answer() -> Check:
        try:
            check_owner(kubectl, overlay, release_name)
        except OtherOverlayError as error:
            return failed(OWNER, error.detail, error.remedy)
        return ok(OWNER, f"nothing of another overlay has the names of {overlay}")

    return Question(OWNER, answer, (CLUSTER, NAMESPACE))


def kind_questions(manifests: Iterable[Manifest], kubectl: Kubectl) -> list[Question]:
    """The kinds that a CustomResourceDefinition brings."""
    custom = {
        (manifest["apiVersion"], manifest["kind"]): None
        for manifest in manifests
        if manifest["apiVersion"].rpartition("/")[0] not in BUILT_IN_GROUPS
    }

    def question(version: str, kind: str) -> Question:
        return Question(f"kind {kind}", lambda: _kind(kubectl, version, kind), (CLUSTER,))

    return [question(version, kind) for version, kind in custom]


def reference_questions(manifests: Sequence[Manifest], kubectl: Kubectl) -> list[Question]:
    """The objects that the manifests refer to and do not hold, except for Secrets of which keys are named."""
    accounts = {pod["serviceAccountName"]: None for _, pod in pods_of(manifests) if pod.get("serviceAccountName")}
    here = kubectl.options()
    in_manifests = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    questions = [
        _exists(kubectl, "ServiceAccount", name, "its pod is not made", f"kubectl create serviceaccount {name}{here}")
        for name in accounts
        if ("ServiceAccount", name) not in in_manifests
    ]
    elsewhere = {needed.name for needed in needed_secrets(manifests)} | set(makers(manifests))
    asked = {(need.kind, need.name): need for manifest in manifests for need in needs(manifest)}
    for (kind, name), need in asked.items():
        if (kind, name) not in in_manifests and not (kind == "Secret" and name in elsewhere):
            word = "configmap" if kind == "ConfigMap" else "secret generic"
            make = need.who or f"kubectl create {word} {name} --{need.option}=FILE{here}"
            consequence = "its container is not started" if kind == "ConfigMap" else "its pod does not start"
            questions.append(_exists(kubectl, kind, name, consequence, make))
    for store in {(ref["kind"], ref["name"]): None for ref in _stores(manifests)}:
        questions.append(_ready(kubectl, *store, group="external-secrets.io", rests_on=("kind ExternalSecret",)))
    return questions


def _cluster(kubectl: Kubectl) -> Check:
    if not run.installed("kubectl"):
        return failed(CLUSTER, "kubectl is not installed, or not on PATH", f"see {run.INSTALL['kubectl']}")
    try:
        version = kubectl.server_version()
    except KubectlError as error:
        return failed(CLUSTER, str(error), "choose a cluster that answers: --context, or `kubectl config use-context`")
    number = re.match(r"v?(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return failed(CLUSTER, f"Kubernetes {version} is older than {oldest}", f"upgrade it to {oldest} or newer")
    return ok(CLUSTER, f"Kubernetes {version}")


def _namespace(kubectl: Kubectl, name: str, make: str) -> Check:
    found = kubectl.find("namespace", name)
    if found is None:
        return failed(NAMESPACE, f"there is no namespace {name}", make)
    if (found.get("status") or {}).get("phase") == "Terminating":
        return failed(
            NAMESPACE, f"{name} is being deleted, with everything in it", f"wait until it is gone, then {make}"
        )
    return ok(NAMESPACE, name)


def _pod_security(kubectl: Kubectl, name: str) -> Check:
    found = kubectl.find("namespace", name) or {}
    level = (found.get("metadata", {}).get("labels") or {}).get(_ENFORCED, "")
    if level == "restricted":
        cluster = replace(kubectl, namespace="").options()
        return failed(
            POD_SECURITY,
            f"{name} enforces restricted, which refuses the backend: its image runs as root and cannot do otherwise",
            f"kubectl label namespace {name} {_ENFORCED}=baseline --overwrite{cluster}",
        )
    return ok(POD_SECURITY, f"{level} is enforced" if level else "no level is set here: the cluster's default holds")


def _kind(kubectl: Kubectl, version: str, kind: str) -> Check:
    if kind in kubectl.kinds(version):
        return ok(f"kind {kind}", f"{version} is there")
    group = version.rpartition("/")[0]
    remedy = _INSTALL.get(group, f"install what brings the CustomResourceDefinition of {kind} ({group})")
    return failed(f"kind {kind}", f"the cluster has no {kind} in {version}", remedy)


def _exists(kubectl: Kubectl, kind: str, name: str, consequence: str, make: str) -> Question:
    title = f"{words(kind)} {name}"

    def answer() -> Check:
        found = kubectl.secrets_without_values([name]) if kind == "Secret" else kubectl.find(kind.lower(), name)
        if found:
            return ok(title, "there")
        return failed(title, f"there is none of that name, and without it {consequence}", make)

    return Question(title, answer, (CLUSTER, NAMESPACE))


def _ready(kubectl: Kubectl, kind: str, name: str, *, group: str, rests_on: tuple[str, ...]) -> Question:
    title = f"{words(kind)} {name}"

    def answer() -> Check:
        found = kubectl.find(f"{kind.lower()}.{group}", name)
        if found is None:
            return failed(
                title, "there is none of that name", f"make it, or name another in the overlay: {kind} {name}"
            )
        if problem := not_ready(found):
            return failed(
                title, f"it is not ready: {problem}", f"see `kubectl describe {kind.lower()} {name}{kubectl.options()}`"
            )
        return ok(title, "there")

    return Question(title, answer, (CLUSTER, NAMESPACE, *rests_on))


def _stores(manifests: Iterable[Manifest]) -> Iterator[Mapping[str, str]]:
    for manifest in manifests:
        if manifest["kind"] == "ExternalSecret":
            yield manifest["spec"]["secretStoreRef"]
