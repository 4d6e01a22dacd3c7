"""Whether the API server would admit the pods of an environment: Pod Security, quotas, limits, policies, webhooks.

A controller that may not make its pod says so in its events alone, where it is looked for last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.cluster import CLUSTER, NAMESPACE, POD_SECURITY
from convexctl.preflight.manifests import Manifest, pods_of, template_of
from convexctl.preflight.questions import Question
from convexctl.tools.kubectl import Kubectl, KubectlError

_REFUSED = re.compile(r"is forbidden: |denied the request|is invalid|(Invalid|Required|Unsupported) value|Forbidden: ")
_CURES = {
    "violates PodSecurity": "lower the Pod Security level of the namespace, or of the cluster, to baseline",
    "exceeded quota": "raise the ResourceQuota of the namespace, or lower the resources in the overlay",
    "must specify": "set the resources that the ResourceQuota asks for in the overlay",
    "usage per": "fit the resources in the overlay to the LimitRange of the namespace",
    "PriorityClass": "make that PriorityClass, or correct priorityClassName in the overlay",
}


def pod_questions(manifests: Sequence[Manifest], kubectl: Kubectl) -> list[Question]:
    """Whether the API server would admit each workload's pod, put to it as a dry run."""
    accounts = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ServiceAccount"}

    def question(workload: Manifest, account: str) -> Question:
        rests_on = (CLUSTER, NAMESPACE, POD_SECURITY, f"service account {account}")
        name = workload["metadata"]["name"]
        return Question(f"pod {name}", lambda: _admission(kubectl, workload, accounts), rests_on)

    return [question(workload, pod.get("serviceAccountName", "")) for workload, pod in pods_of(manifests)]


def _admission(kubectl: Kubectl, workload: Manifest, accounts: set[str]) -> Check:
    kind, name = workload["kind"], workload["metadata"]["name"]
    title = f"pod {name}"
    template = template_of(workload)
    spec = dict(template["spec"])
    if spec.get("serviceAccountName") in accounts:
        # It comes with the same manifests, and a pod of an account that is not there is refused.
        del spec["serviceAccountName"]
    templates = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates") or []]
    claims = [{"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}-0"}} for claim in templates]
    spec["volumes"] = [*(spec.get("volumes") or []), *claims]
    metadata = {**(template.get("metadata") or {}), "generateName": f"{name}-preflight-"}
    try:
        kubectl.try_to_create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    except KubectlError as error:
        return _refusal(title, str(error), lambda: kubectl.find(kind.lower(), name) is not None)
    return ok(title, "the API server would admit it")


def _refusal(title: str, message: str, runs: Callable[[], bool]) -> Check:
    """What it means that the API server does not admit a pod; a `KubectlError` where it has not said so."""
    if re.search(r'cannot create resource "pods"', message):
        return skipped(title, "unknown: your account may make no pods")
    if "does not support dry run" in message:
        return skipped(title, "unknown: a webhook of the cluster takes no dry runs")
    if not _REFUSED.search(message):
        raise KubectlError(message)
    if "exceeded quota" in message and runs():
        return skipped(title, "unknown: it is there already, and the quota leaves no room for a second one")
    reason = re.sub(r'^.*?(error when creating "STDIN": )', "", message)
    reason = re.sub(r'^pods? "[^"]*" is forbidden: ', "", reason)
    cure = next((cure for mark, cure in _CURES.items() if mark in reason), "")
    return failed(title, f"refused: {reason}", cure or "see which policy of the cluster says that, and what it wants")
