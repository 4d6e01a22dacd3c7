"""What decides the number of pods beside `replicas`."""

from __future__ import annotations

from convexctl.behaviour.context import Context
from convexctl.behaviour.manifests import Manifest, dig, mapping, number, same_namespace, source_of, text


def scalers(context: Context) -> list[tuple[Manifest, int, str]]:
    """The objects that scale a workload, each with its greatest number of pods and the field that says so."""
    owner = context.owner()
    found = []
    for kind, field, default in (
        ("HorizontalPodAutoscaler", "maxReplicas", 1),
        ("ScaledObject", "maxReplicaCount", 100),
        ("HTTPScaledObject", "replicas.max", 100),
    ):
        for manifest in context.manifests.naming(kind, owner.name):
            target = mapping(dig(manifest, "spec", "scaleTargetRef"))
            if text(target.get("kind") or "Deployment") == owner.kind and same_namespace(
                source_of(manifest).namespace, owner.namespace
            ):
                most = number(dig(manifest, "spec", *field.split(".")))
                found.append((manifest, default if most is None else most, field.partition(".")[0]))
    return found


def most_of_knative(context: Context) -> int | None:
    """The greatest number of pods of a revision that a Service of Knative's sets; None if it sets none."""
    annotations = mapping(context.owner_value("spec", "template", "metadata", "annotations"))
    named = (annotations.get(f"autoscaling.knative.dev/{name}") for name in ("max-scale", "maxScale"))
    # 0 stands for no limit.
    return next((most for value in named if (most := number(text(value)))), None)
