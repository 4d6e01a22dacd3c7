"""Findings that somebody accepted: an annotation on the object names the rule and gives the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convex_k8s.values.audit import IGNORE_ANNOTATION

from convexctl.audit.model import Hit
from convexctl.behaviour.manifests import Manifest, Manifests, dig, flat, mapping, source_of, text


def reason(manifests: Manifests, rule: str, found: Hit) -> str:
    """Why a hit is accepted, from the object of its place or of its component; empty if nobody accepted it."""
    source, component = found.source, found.component
    places = [(source.kind, source.namespace, source.name), *([component.place] if component else [])]
    for place in places:
        annotations = mapping(dig(manifests.find(*place), "metadata", "annotations"))
        if said := text(annotations.get(f"{IGNORE_ANNOTATION}{rule}")).strip():
            return said
    return ""


def unknown(objects: Sequence[Manifest], known: set[str]) -> Iterator[str]:
    """What is wrong with the annotations that accept findings: no such rule, or no reason."""
    for manifest in flat(objects):
        for key, value in mapping(dig(manifest, "metadata", "annotations")).items():
            if not str(key).startswith(IGNORE_ANNOTATION):
                continue
            rule = str(key).removeprefix(IGNORE_ANNOTATION)
            if rule not in known:
                yield f"{source_of(manifest)}: the annotation {key} names no rule of the audit"
            elif not text(value).strip():
                yield f"{source_of(manifest)}: the annotation {key} gives no reason"
