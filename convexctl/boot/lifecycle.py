"""How the backend stops, and who else may write beside it."""

from __future__ import annotations

import re

from convexctl.boot.context import Context
from convexctl.boot.manifests import Manifest, dig, mapping, number, same_namespace, sequence, source_of, text
from convexctl.boot.model import Decision

DEFAULT_GRACE = 30
_SENDS_SIGINT = re.compile(r"kill(all)?\b[^;|&]*?(-s\s*|--signal[ =]|-)(SIG)?(INT|2)\b", re.IGNORECASE)
_PERCENT = re.compile(r"([0-9]{1,9})%")


def stop(context: Context) -> Decision:
    """Whether the backend ends in order: its PID 1 knows SIGINT only, and Kubernetes sends SIGTERM."""
    if context.pod.spec.get("shareProcessNamespace") is True:
        why = "with shareProcessNamespace PID 1 is not the backend: no signal to PID 1 reaches it"
        return Decision("killed", "killed hard", why, context.pod.source.at("shareProcessNamespace"))
    if context.pod.spec.get("hostPID") is True:
        why = "with hostPID PID 1 is the node's, not the backend: no signal to PID 1 reaches it"
        return Decision("killed", "killed hard", why, context.pod.source.at("hostPID"))
    lifecycle = mapping(context.container.get("lifecycle"))
    if text(lifecycle.get("stopSignal")).upper() == "SIGINT":
        return Decision(
            "clean",
            "clean, by SIGINT",
            "stopSignal",
            context.source.at("lifecycle", "stopSignal"),
            "the cluster does not have ContainerStopSignals",
        )
    source = context.source.at("lifecycle", "preStop")
    command = " ".join(text(part) for part in sequence(dig(lifecycle, "preStop", "exec", "command")))
    if _SENDS_SIGINT.search(command):
        return Decision("clean", "clean, by SIGINT", "preStop sends SIGINT, which makes the backend drain", source)
    why = "Kubernetes sends SIGTERM, for which the backend's PID 1 has no handler: it runs on until SIGKILL"
    return Decision("killed", "killed hard after the grace period", why, source)


def grace(context: Context) -> Decision:
    """The seconds between the wish to stop and SIGKILL."""
    seconds = number(context.pod.spec.get("terminationGracePeriodSeconds"))
    why = "terminationGracePeriodSeconds" if seconds is not None else "Kubernetes' default"
    value = DEFAULT_GRACE if seconds is None else seconds
    return Decision(value, f"{value} s", why, context.pod.source.at("terminationGracePeriodSeconds"))


def writers(context: Context, replicas: Decision) -> Decision:
    """How many backends may write at a time."""
    if replicas.value == "one per node":
        return Decision("several", "one on each node", "a DaemonSet runs a pod on each node", context.owner())
    for manifest, most, source_path in _scalers(context):
        if most > 1:
            kind = text(manifest.get("kind"))
            why = f"{kind} {source_of(manifest).name} may make {most} pods of it"
            return Decision("several", f"up to {most}", why, source_of(manifest, "spec", source_path))
    if replicas.value == 0:
        return Decision("none", "none: nothing runs", "replicas is 0", replicas.source)
    if isinstance(replicas.value, int) and replicas.value > 1:
        return Decision("several", f"{replicas.value}", "replicas", replicas.source)
    overlap = _overlap(context)
    if overlap:
        return overlap
    why = "one pod, and the old one ends before the new one starts"
    return Decision("one", "one", why, replicas.source)


def _overlap(context: Context) -> Decision | None:
    if context.pod.kind not in ("Deployment", "Rollout"):
        return None
    strategy = mapping(context.owner_value("spec", "strategy"))
    if text(strategy.get("type")) == "Recreate":
        return None
    if context.pod.kind == "Deployment":
        surge = mapping(strategy.get("rollingUpdate")).get("maxSurge", "25%")
        percent = _PERCENT.fullmatch(text(surge))
        if (int(percent[1]) if percent else number(surge)) == 0:
            return None
    why = "a rolling update starts the new pod before the old one ends: two write at each update"
    return Decision("overlap", "one, and two during an update", why, context.owner("spec", "strategy"))


def _scalers(context: Context) -> list[tuple[Manifest, int, str]]:
    """The objects that scale the backend, each with its greatest number of pods and the field that says so."""
    owner = context.owner()
    found = []
    for kind, field, default in (
        ("HorizontalPodAutoscaler", "maxReplicas", 1),
        ("ScaledObject", "maxReplicaCount", 100),
    ):
        for manifest in context.manifests.of_kind(kind):
            target = mapping(dig(manifest, "spec", "scaleTargetRef"))
            same = text(target.get("kind")) in (owner.kind, "") and text(target.get("name")) == owner.name
            if same and same_namespace(source_of(manifest).namespace, owner.namespace):
                most = number(dig(manifest, "spec", field))
                found.append((manifest, default if most is None else most, field))
    return found
