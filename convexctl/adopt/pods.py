"""What the pods of a release have: images, resources, places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convexctl.adopt.draft import Draft
from convexctl.adopt.release import Release
from convexctl.behaviour.find import ImageName
from convexctl.behaviour.manifests import dig, items, mapping, text


def replicas(draft: Draft) -> None:
    """Give the chart's one number of replicas to the dashboard: the backend always has one pod."""
    count = draft.get("replicaCount")
    draft.drop("replicaCount")
    if isinstance(count, int) and count > 1:
        why = f"the release has replicaCount {count}; the backend has one pod, always"
        draft.put("dashboard.replicaCount", count, why)


def images(draft: Draft, release: Release) -> None:
    """Take over the images that run, whatever the values say."""
    for component, container in containers(release):
        image = ImageName.of(text(container.get("image")))
        why = "the image that runs"
        draft.put(f"{component}.image.repository", image.repository, why)
        if image.tag:
            draft.put(f"{component}.image.tag", image.tag, why)
        if image.digest:
            draft.put(f"{component}.image.digest", image.digest, why)
        if container.get("imagePullPolicy"):
            draft.put(f"{component}.image.pullPolicy", container["imagePullPolicy"], why)


def placement(draft: Draft, release: Release) -> None:
    """What a changed chart may give its pods, and what they would not start or be scheduled without."""
    why = "the release's pods have it"
    for component, pod in _pods(release):
        for name in ("nodeSelector", "tolerations", "priorityClassName"):
            if pod.get(name):
                draft.put(f"{component}.{name}", pod[name], why)
        if pod.get("imagePullSecrets"):
            draft.put("imagePullSecrets", pod["imagePullSecrets"], why)
        if component == "backend" and pod.get("serviceAccountName"):
            draft.put("backend.serviceAccountName", pod["serviceAccountName"], why)
    for component, container in containers(release):
        if container.get("resources"):
            draft.put(f"{component}.resources", container["resources"], why)


def _pods(release: Release) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for component, kind in (("backend", "StatefulSet"), ("dashboard", "Deployment")):
        workload = release.objects.find(kind, release.namespace, f"{release.name}-{component}")
        yield component, mapping(dig(workload, "spec", "template", "spec"))


def containers(release: Release) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the container that runs Convex in each pod, with its component."""
    for component, pod in _pods(release):
        found = [container for _, container in items(pod.get("containers"))]
        named = [container for container in found if container.get("name") == f"convex-{component}"]
        yield from ((component, container) for container in [*named, *found][:1])
