"""How the backend stops, and who else may write beside it."""

from __future__ import annotations

import re

from convexctl.behaviour.context import Context
from convexctl.behaviour.manifests import dig, mapping, number, sequence, source_of, text
from convexctl.behaviour.model import Decision
from convexctl.behaviour.processes import ancestor, sigints, waits
from convexctl.behaviour.scaling import most_of_knative, scalers

DEFAULT_GRACE = 30
_BY_ITSELF = {
    "bash": "the container's bash does not become its last command by itself, as it does without `exec` from 5.1 on",
    "unknown": "the container's command starts the backend as a child and hands no signals on",
}
_PERCENT = re.compile(r"([0-9]{1,9})%")


def stop(context: Context) -> Decision:
    """Whether the backend ends in order: it knows SIGINT only, and Kubernetes sends SIGTERM to PID 1."""
    if context.pod.spec.get("shareProcessNamespace") is True:
        why = "with shareProcessNamespace PID 1 is not the backend: no signal to PID 1 reaches it"
        return Decision("killed", "killed hard", why, context.pod.source.at("shareProcessNamespace"))
    if context.pod.spec.get("hostPID") is True:
        why = "with hostPID PID 1 is the node's, not the backend: no signal to PID 1 reaches it"
        return Decision("killed", "killed hard", why, context.pod.source.at("hostPID"))
    lifecycle = mapping(context.container.get("lifecycle"))
    command = [text(part) for part in sequence(context.container.get("command"))]
    words = [*command, *(text(part) for part in sequence(context.container.get("args")))] if command else []
    above = ancestor(words, context.file)
    source = context.source.at("lifecycle", "preStop")
    hook = [text(part) for part in sequence(dig(lifecycle, "preStop", "exec", "command"))]
    sent = sigints(hook)
    if sent > 1:
        why = "preStop sends SIGINT more than once, and the second one makes the backend end at once"
        return Decision("killed", "ended by force", why, source)
    unless = _BY_ITSELF.get(above, "")
    if sent and above == "init" and not waits(hook):
        why = "the init hands SIGTERM on, which ends the backend at once, and preStop does not wait until it is gone"
        return Decision("killed", "ended by force", why, source)
    if above == "shell" and (sent or lifecycle.get("stopSignal")):
        why = "PID 1 is a shell, which keeps a SIGINT to itself: the command starts the backend without exec"
        return Decision("killed", "killed hard after the grace period", why, context.source.at("command"))
    if sent:
        why = "preStop sends SIGINT, which makes the backend drain"
        return Decision("clean", "clean, by SIGINT", why, source, unless)
    has_system = bool(text(dig(context.pod.spec, "os", "name")))
    if has_system and text(lifecycle.get("stopSignal")).upper() == "SIGINT":
        conditions = ["the cluster does not have ContainerStopSignals", *([unless] if unless else [])]
        place = context.source.at("lifecycle", "stopSignal")
        return Decision("clean", "clean, by SIGINT", "stopSignal", place, " or ".join(conditions))
    if lifecycle.get("stopSignal") and not has_system:
        why = "a stopSignal is refused, or dropped, where the pod does not name its system (spec.os.name: linux)"
        return Decision(
            "killed", "killed hard after the grace period", why, context.source.at("lifecycle", "stopSignal")
        )
    if above == "init":
        why = "Kubernetes sends SIGTERM, which the init hands on, and which ends the backend in the middle of its work"
        return Decision("killed", "ended by force", why, source)
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
    if context.pod.kind == "Service" and most_of_knative(context) == 1:
        why = "Knative starts the pod of a new revision beside the old one"
        return Decision("overlap", "one, and two during an update", why, context.owner("spec", "template"))
    if context.pod.kind == "Service":
        why = "Knative starts the pods of a new revision beside the old ones, and more of them under load"
        return Decision("several", "as many as Knative starts", why, context.owner("spec", "template"))
    if replicas.value == "one per node":
        return Decision("several", "one on each node", "a DaemonSet runs a pod on each node", context.owner())
    for manifest, most, source_path in scalers(context):
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
    why = "a rolling update starts the new pod before the old one ends: two write at each update"
    surge = mapping(strategy.get("rollingUpdate")).get("maxSurge", "25%")
    percent = _PERCENT.fullmatch(text(surge))
    if context.pod.kind == "Deployment" and (int(percent[1]) if percent else number(surge)) == 0:
        why = "with maxSurge 0 the new pod starts while the old one is still stopping: two write at each update"
    return Decision("overlap", "one, and two during an update", why, context.owner("spec", "strategy"))
