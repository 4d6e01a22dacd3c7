"""What backend and dashboard share: image, number of pods, probes, memory, identity of the object."""

from __future__ import annotations

import re
from typing import Any

from convexctl.behaviour.context import Context
from convexctl.behaviour.find import ImageName
from convexctl.behaviour.manifests import mapping, number, sequence, source_of, text
from convexctl.behaviour.model import Decision
from convexctl.behaviour.quantities import quantity
from convexctl.behaviour.scaling import most_of_knative, scalers
from convexctl.wording import listed

_PROBES = {"startup_probe": "startupProbe", "readiness_probe": "readinessProbe", "liveness_probe": "livenessProbe"}

LOCAL_URL = re.compile(
    r"(?P<scheme>https?)://(localhost|127\.0\.0\.1|0\.0\.0\.0)(:(?P<port>[0-9]{1,5}))?(?P<path>/[^\s'\"?|;&<>)]*)?(?=[\s'\"?|;&<>)]|$)"
)
"""A URL of the pod itself in a command."""


def shared(context: Context) -> dict[str, Any]:
    """Identity and decisions of a component, as arguments of its class."""
    owner = context.owner()
    image = ImageName.of(text(context.container.get("image")))
    image_source = context.source.at("image")
    version = image.digest or image.tag
    return {
        "kind": owner.kind,
        "namespace": owner.namespace,
        "name": owner.name,
        "container": text(context.container.get("name")),
        "source": context.source,
        "environment": context.environment,
        "pod_labels": context.pod.labels,
        "pod_spec": context.pod.spec,
        "container_spec": context.container,
        "arguments": tuple(
            (context.source.at(key, index), text(word))
            for key in ("command", "args")
            for index, word in enumerate(sequence(context.container.get(key)))
        ),
        "image": Decision(image.repository, image.repository, "the container's image", image_source),
        "tag": Decision(version, version, "digest, else tag, else latest", image_source),
        "replicas": _replicas(context),
        "selector": _selector(context),
        "service_name": _service_name(context),
        **{field: _probe(context, key) for field, key in _PROBES.items()},
        "memory_request": _memory(context, "requests"),
        "memory_limit": _memory(context, "limits"),
        "out_of_sight": _out_of_sight(context),
    }


def faults(context: Context) -> list[Decision]:
    """What about the sources of its variables keeps a container from starting."""
    return [
        Decision(
            "variables", fault.message, "the kubelet makes all variables before it starts a container", fault.source
        )
        for fault in context.environment.faults
    ]


def security(context: Context, key: str) -> tuple[Any, Any]:
    """A field of the security context, the container's before the pod's, with its source."""
    for spec, source in ((context.container, context.source), (context.pod.spec, context.pod.source)):
        value = mapping(spec.get("securityContext")).get(key)
        if value is not None:
            return value, source.at("securityContext", key)
    return None, context.source.at("securityContext")


def _replicas(context: Context) -> Decision:
    if context.pod.kind == "DaemonSet":
        return Decision("one per node", "one on each node", "a DaemonSet", context.owner())
    if context.pod.kind == "Pod":
        return Decision(1, "1", "a Pod of its own", context.owner())
    if context.pod.kind == "Service" and (most := most_of_knative(context)):
        return Decision(f"up to {most}", f"up to {most}", "Knative's max-scale", context.owner("spec", "template"))
    if context.pod.kind == "Service":
        return Decision("by Knative", "as many as Knative starts", "a Service of Knative's", context.owner())
    for manifest, most, field in scalers(context):
        kind = text(manifest.get("kind"))
        why = f"{kind} {source_of(manifest).name} decides the number"
        return Decision(f"up to {most}", f"up to {most}", why, source_of(manifest, "spec", field))
    value = context.owner_value("spec", "replicas")
    count = number(value)
    why = "Kubernetes' default" if count is None else "replicas"
    return Decision(
        1 if count is None else count, str(1 if count is None else count), why, context.owner("spec", "replicas")
    )


def _selector(context: Context) -> Decision:
    labels = {
        key: text(value) for key, value in mapping(context.owner_value("spec", "selector", "matchLabels")).items()
    }
    shown = ", ".join(f"{key}={value}" for key, value in labels.items()) or "none"
    return Decision(labels, shown, "it cannot be changed later", context.owner("spec", "selector"))


def _service_name(context: Context) -> Decision | None:
    if context.pod.kind != "StatefulSet":
        return None
    name = text(context.owner_value("spec", "serviceName"))
    return Decision(name, name or "none", "it cannot be changed later", context.owner("spec", "serviceName"))


def _probe(context: Context, key: str) -> Decision | None:
    probe = mapping(context.container.get(key))
    if not probe:
        return None
    source = context.source.at(key)
    period = number(probe.get("periodSeconds")) or 10
    failures = number(probe.get("failureThreshold")) or 3
    seconds = (number(probe.get("initialDelaySeconds")) or 0) + period * failures
    value: dict[str, Any] = {"handler": "", "path": "", "port": None, "seconds": seconds}
    shown = "unknown"
    if request := mapping(probe.get("httpGet")):
        path = text(request.get("path")) or "/"
        port = context.port(request.get("port"))
        value |= {"handler": "GET", "path": path, "port": port}
        if request.get("scheme") == "HTTPS":
            value["scheme"] = "HTTPS"
        shown = (
            f"GET {path} on {port if port is not None else text(request.get('port')) + ', which is not a port here'}"
        )
    elif request := mapping(probe.get("tcpSocket")):
        port = context.port(request.get("port"))
        value |= {"handler": "TCP", "port": port}
        shown = f"a connection to {port}"
    elif "exec" in probe:
        command = [text(part) for part in sequence(mapping(probe["exec"]).get("command"))]
        # No more of the command than what it asks of the pod: there may be a password in it.
        asked = LOCAL_URL.search(" ".join(command))
        value |= {"handler": "exec", "path": asked[0] if asked else ""}
        shown = f"the command {command[0] if command else ''}"
    elif "grpc" in probe:
        value |= {"handler": "grpc", "port": number(mapping(probe["grpc"]).get("port"))}
        shown = "gRPC, which Convex does not speak"
    return Decision(value, f"{shown}; gives up after {seconds} s", f"every {period} s, {failures} tries", source)


def _memory(context: Context, key: str) -> Decision | None:
    resources = mapping(context.container.get("resources"))
    value = mapping(resources.get(key)).get("memory")
    if value is None:
        return None
    size = quantity(text(value))
    return Decision(
        size if size is not None else text(value),
        text(value),
        "resources",
        context.source.at("resources", key, "memory"),
    )


def _out_of_sight(context: Context) -> Decision | None:
    unseen = context.environment.unseen
    if not unseen:
        return None
    names = tuple(dict.fromkeys(source.reference for source in unseen))
    keyed = [name for name in names if "/" in name]
    shown = [
        *([f"all keys of {listed(keyed, 'and')}"] if keyed else []),
        *(name.rstrip(",") for name in names if name not in keyed),
    ]
    why = "what they set cannot be seen here"
    return Decision(names, listed(shown, "and"), why, unseen[0].source)
