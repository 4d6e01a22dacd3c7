"""Images: tags, and what runs in place of the image's entry point."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, at_edge, hit, rule


@rule(
    "tag-latest",
    Severity.WARNING,
    "The tag `latest`",
    reason="Upstream moves `latest` by hand: two pods, or backend and dashboard, may run different versions, and a "
    "restart may start data migrations, which have no way back.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag",
    change="pin the full commit SHA that upstream tags both images with",
    least=Severity.INFORMATION,
)
def tag_latest(view: View) -> Iterator[Hit]:
    """Images that are not pinned; for those that nobody outside reaches it is good to know only."""
    public = any(at_edge(view, component) for component in view.behaviour.components)
    for component in view.behaviour.components:
        if component.tag.value == "latest":
            severity = None if public else Severity.INFORMATION
            yield hit(component, component.tag, f"{component.image.text} has the tag latest", severity)


@rule(
    "tag-skew",
    Severity.ERROR,
    "Backend and dashboard of different versions",
    reason="Both images are released together under one tag, and the dashboard calls functions inside the backend "
    "that change with it.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag: the same",
    change="give both the same tag",
)
def tag_skew(view: View) -> Iterator[Hit]:
    """Tags that differ within a namespace."""
    for dashboard in view.behaviour.dashboards:
        backends = [backend for backend in view.behaviour.backends if backend.namespace == dashboard.namespace]
        tags = {str(backend.tag.value) for backend in backends}
        comparable = not any(tag.startswith("sha256:") for tag in (*tags, str(dashboard.tag.value)))
        if backends and comparable and str(dashboard.tag.value) not in tags:
            others = ", ".join(sorted(tags))
            yield hit(dashboard, dashboard.tag, f"the dashboard is {dashboard.tag.text}, the backend {others}")


@rule(
    "tag-unknown",
    Severity.ERROR,
    "A tag that upstream never had",
    reason="Upstream's tags are full commit SHAs and `latest`; there are no version numbers. The image cannot be "
    "pulled.",
    basis="upstream's image tags",
    parameter="backend.image.tag and dashboard.image.tag",
    change="use the full commit SHA of a release",
)
def tag_unknown(view: View) -> Iterator[Hit]:
    """Tags of upstream's own registry that are neither."""
    for component in view.behaviour.components:
        tag = str(component.tag.value)
        is_sha = len(tag) == 40 and all(letter in "0123456789abcdef" for letter in tag)
        upstream = str(component.image.value).startswith("ghcr.io/get-convex/")
        if upstream and not is_sha and tag != "latest" and not tag.startswith("sha256:"):
            yield hit(component, component.tag, f"the tag is {tag}")


@rule(
    "entry-point-replaced",
    Severity.INFORMATION,
    "Not the image's entry point",
    reason="This audit judges variables by the rules of `run_backend.sh`. A pod that calls the server itself, or a "
    "script of its own, may follow other rules.",
    basis="entry point of the backend's image",
    parameter="none: the image's entry point is always used",
    change="leave `command` out and pass options in `args`",
)
def entry_point(view: View) -> Iterator[Hit]:
    """Commands that are not run_backend.sh."""
    for backend in view.behaviour.backends:
        if backend.entry_point.value != "run_backend.sh":
            yield hit(backend, backend.entry_point, f"the pod runs {backend.entry_point.text}")
