"""An instance secret that may exist where nobody can read it: on the volume of a backend that does not run, say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from convex_k8s.values import Values

from convexctl.secrets.instance import backend_pod
from convexctl.tools.kubectl import Kubectl, KubectlError

_TOGETHER = timedelta(minutes=1)
"""A claim is that much older than its first pod at most."""


def out_of_reach(values: Values, kubectl: Kubectl | None) -> str:
    """Why an instance secret may exist that cannot be read; empty if nothing in the cluster points to one."""
    pod = backend_pod(values)
    claims = dict.fromkeys([values.backend.persistence.existing_claim, f"data-{pod}"])
    try:
        if kubectl is None:
            return ""
        if kubectl.runs(pod):
            return f"the pod {pod} runs with one that cannot be read"
        for name in filter(None, claims):
            claim = kubectl.find("persistentvolumeclaim", name)
            if claim and _bound(claim) and not _waits_for_its_first_start(kubectl.find("pod", pod), claim):
                return f"one may be on the volume of the claim {name}, and no pod runs that could read it"
    except KubectlError:
        return ""
    return ""


def _bound(claim: Mapping[str, Any]) -> bool:
    return (claim.get("status") or {}).get("phase") != "Pending"


def _waits_for_its_first_start(pod: Mapping[str, Any] | None, claim: Mapping[str, Any]) -> bool:
    """Whether the claim was made for this pod, and no container of the pod ever started."""
    if pod is None:
        return False
    made, claimed = _created(pod), _created(claim)
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    started = any(_started(status) for status in statuses) if isinstance(statuses, list) else True
    return bool(made and claimed and made - claimed <= _TOGETHER and not started)


def _started(status: Any) -> bool:
    if not isinstance(status, dict):
        return True
    return bool(status.get("restartCount") or status.get("lastState") or "waiting" not in (status.get("state") or {}))


def _created(thing: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(thing["metadata"]["creationTimestamp"])
    except (KeyError, TypeError, ValueError):
        return None
