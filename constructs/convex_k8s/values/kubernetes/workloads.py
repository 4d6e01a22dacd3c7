"""What the API server wants of workloads around their pods, which its schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from convex_k8s.problems import Path, Problem
from convex_k8s.values.kubernetes.pod_specs import Struct, template, volumes_fit


def _workload(value: Struct) -> Iterator[Problem]:
    """The selector of a StatefulSet or Deployment must fit its pods, which run for ever."""
    template = value.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = value.get("selector") or {}
    wanted = selector.get("matchLabels") or {}
    if not wanted and not selector.get("matchExpressions"):
        yield Problem(("selector",), "is empty: name labels of the pods")
    elif any(labels.get(key) != label for key, label in wanted.items()):
        yield Problem(("selector", "matchLabels"), "does not fit the labels of the pods under template")
    if (template.get("spec") or {}).get("restartPolicy") not in (None, "Always"):
        yield Problem(("template", "spec", "restartPolicy"), "must be Always")
    templates = value.get("volumeClaimTemplates") or []
    claims = tuple((claim.get("metadata") or {}).get("name", "") for claim in templates)
    if "" in claims:
        yield Problem(("volumeClaimTemplates", claims.index("")), "has no metadata.name")
    else:
        yield from _inside(("template", "spec"), volumes_fit(template.get("spec") or {}, claims))


def _inside(path: Path, problems: Iterator[Problem]) -> Iterator[Problem]:
    for problem in problems:
        yield Problem((*path, *problem.path), problem.message)


def _whole_pod(value: Struct) -> Iterator[Problem]:
    yield from template(value)
    yield from _inside(("spec",), volumes_fit(value.get("spec") or {}))


def _deployment(value: Struct) -> Iterator[Problem]:
    yield from _workload(value)
    ready, most = value.get("minReadySeconds", 0), value.get("progressDeadlineSeconds", 600)
    if ready >= most:
        yield Problem((), f"has minReadySeconds {ready}, which must be below progressDeadlineSeconds, {most}")


def _stateful_strategy(value: Struct) -> Iterator[Problem]:
    if value.get("type") == "OnDelete" and value.get("rollingUpdate") is not None:
        yield Problem(("rollingUpdate",), "means nothing with type OnDelete: remove it")


def _strategy(value: Struct) -> Iterator[Problem]:
    if value.get("type") == "Recreate" and value.get("rollingUpdate") is not None:
        yield Problem(("rollingUpdate",), "means nothing with type Recreate: remove it")


def _rolling_deployment(value: Struct) -> Iterator[Problem]:
    if _none(value.get("maxSurge", "25%")) and _none(value.get("maxUnavailable", "25%")):
        yield Problem(("maxUnavailable",), "is 0, and so is maxSurge: no pod could be replaced")


def _rolling_daemon_set(value: Struct) -> Iterator[Problem]:
    surge, away = value.get("maxSurge", 0), value.get("maxUnavailable", 1)
    if _none(surge) and _none(away):
        yield Problem(("maxUnavailable",), "is 0, and so is maxSurge: no pod could be replaced")
    elif not _none(surge) and not _none(away):
        yield Problem(("maxSurge",), "needs maxUnavailable: 0 beside it")


def _none(pods: Any) -> bool:
    return pods == 0 or (isinstance(pods, str) and int(pods.rstrip("%")) == 0)


def _job(value: Struct) -> Iterator[Problem]:
    pod = (value.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        yield Problem(("template", "spec"), "must have restartPolicy OnFailure or Never")
    yield from _inside(("template", "spec"), volumes_fit(pod))
    if value.get("backoffLimitPerIndex") is not None and value.get("completionMode") != "Indexed":
        yield Problem(("backoffLimitPerIndex",), "needs completionMode Indexed")
    if bool(value.get("selector")) != bool(value.get("manualSelector")):
        yield Problem((), "must have selector and manualSelector: true together, or neither")


def _failure_rule(value: Struct) -> Iterator[Problem]:
    if bool(value.get("onExitCodes")) == bool(value.get("onPodConditions")):
        yield Problem((), "must have one of onExitCodes and onPodConditions")


def _budget(value: Struct) -> Iterator[Problem]:
    if value.get("minAvailable") is not None and value.get("maxUnavailable") is not None:
        yield Problem(("maxUnavailable",), "is set beside minAvailable: keep one")
    for name in ("minAvailable", "maxUnavailable"):
        most = value.get(name)
        if (isinstance(most, int) and most < 0) or (isinstance(most, str) and not re.fullmatch("[0-9]+%", most)):
            yield Problem((name,), "must be a number of pods, or a percentage like 50%")


OF_WORKLOADS = {
    "DaemonSetSpec": _workload,
    "DeploymentSpec": _deployment,
    "DeploymentStrategy": _strategy,
    "JobSpec": _job,
    "Pod": _whole_pod,
    "PodDisruptionBudgetSpec": _budget,
    "PodFailurePolicyRule": _failure_rule,
    "RollingUpdateDaemonSet": _rolling_daemon_set,
    "RollingUpdateDeployment": _rolling_deployment,
    "StatefulSetSpec": _workload,
    "StatefulSetUpdateStrategy": _stateful_strategy,
}
"""The checks, by the type of the structure."""
