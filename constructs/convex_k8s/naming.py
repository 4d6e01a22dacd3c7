"""Names and labels that all objects of an environment share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s

from convex_k8s.values import Values
from convex_k8s.values.audit import IGNORE_ANNOTATION
from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION

Component = Literal["backend", "dashboard", "bootstrap", "backup", "restore", "functions", "restart"]


class Naming:
    """Gives every object its metadata. Names and selectors are the Helm chart's, because they are immutable in part."""

    def __init__(self, values: Values, overlay: str = "") -> None:
        self.values = values
        self.release = values.release_name
        self.overlay_annotation = {OVERLAY_ANNOTATION: overlay} if overlay else {}
        self.accepted = {f"{IGNORE_ANNOTATION}{rule}": reason for rule, reason in values.audit.ignore.items()}

    @property
    def api_url(self) -> str:
        """The API as a pod of the same namespace reaches it."""
        return f"http://{self.release}-backend-svc:{self.values.service.backend.port}"

    def selector(self, component: Component) -> dict[str, str]:
        """The labels that select a component's pods; never more than this one, on any object."""
        return {"app": f"{self.release}-{component}"}

    def labels(self, component: Component | None = None) -> dict[str, str]:
        """The labels of an object or pod."""
        return {
            **self.values.common_labels,
            **(self.selector(component) if component else {}),
            "app.kubernetes.io/name": f"convex-{component}" if component else "convex",
            "app.kubernetes.io/instance": self.release,
            **({"app.kubernetes.io/component": component} if component else {}),
            "app.kubernetes.io/part-of": "convex",
            "app.kubernetes.io/managed-by": "convex-k8s",
        }

    def annotations(self, own: Mapping[str, str] | None = None) -> dict[str, str] | None:
        """The annotations of an object; not of pods and claim templates, so that a renamed overlay is no rollout."""
        every = {**self.accepted, **self.overlay_annotation}
        return {**self.values.common_annotations, **(own or {}), **every} or None

    def metadata(
        self,
        suffix: str,
        component: Component | None = None,
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> k8s.ObjectMeta:
        """The metadata of the object `<release>-<suffix>`."""
        return k8s.ObjectMeta(
            name=f"{self.release}-{suffix}",
            namespace=self.values.namespace or None,
            labels={**self.labels(component), **(labels or {})},
            annotations=self.annotations(annotations),
        )

    def plain_metadata(
        self,
        name: str,
        annotations: Mapping[str, str] | None = None,
        *,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> ApiObjectMetadata:
        """The metadata of an object of a custom kind, under a name of its own, and perhaps in another namespace."""
        return ApiObjectMetadata(
            name=name,
            namespace=namespace or self.values.namespace or None,
            labels={**self.labels(), **(labels or {})},
            annotations=self.annotations(annotations),
        )

    def pod_metadata(self, component: Component, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
        """The metadata of a component's pods."""
        workload = self.values.dashboard if component == "dashboard" else self.values.backend
        all_annotations = {**self.values.common_annotations, **workload.pod_annotations, **(annotations or {})}
        return k8s.ObjectMeta(
            labels={**workload.pod_labels, **self.labels(component)}, annotations=all_annotations or None
        )
