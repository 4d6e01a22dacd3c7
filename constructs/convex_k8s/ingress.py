"""The Ingress: which public host reaches which Service."""

from __future__ import annotations

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.backend import Backend
from convex_k8s.dashboard import Dashboard
from convex_k8s.naming import Naming
from convex_k8s.values.checks.edge import INGRESS_CLASS_ANNOTATION
from convex_k8s.values.edge import IngressHost

NGINX_ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "300",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "300",
}
"""What Convex needs of nginx: code pushes of up to 200 MB and unlimited uploads (its own limit is 1 MB), and the 300
seconds after which a response must have begun (its own limit is 60). The cluster's default class may be nginx; other
controllers do not read them."""


class Ingress(Construct):
    """The Ingress `<release>-ingress`."""

    def __init__(self, scope: Construct, id: str, naming: Naming, backend: Backend, dashboard: Dashboard) -> None:
        super().__init__(scope, id)
        values = naming.values.ingress
        annotations = dict(values.annotations)
        if values.class_name:
            annotations.pop(INGRESS_CLASS_ANNOTATION, None)
        class_name = values.class_name or values.annotations.get(INGRESS_CLASS_ANNOTATION)
        if not class_name or "nginx" in class_name:
            annotations = {**NGINX_ANNOTATIONS, **annotations}
        self._metrics = naming.values.backend.metrics.enabled
        self._dashboard = dashboard
        rules = [
            self._rule(values.dashboard, dashboard.service.backend("http"), has_metrics=False),
            self._rule(values.backend, backend.service.backend("api"), has_metrics=True),
        ]
        if values.site.host:
            rules.append(self._rule(values.site, backend.service.backend("http-actions"), has_metrics=True))
        k8s.KubeIngress(
            self,
            "ingress",
            metadata=naming.metadata("ingress", annotations=annotations),
            spec=k8s.IngressSpec(
                ingress_class_name=values.class_name or None,
                rules=rules,
                tls=[
                    k8s.IngressTls(hosts=entry.hosts or None, secret_name=entry.secret_name or None)
                    for entry in values.tls
                ]
                or None,
            ),
        )

    def _rule(self, host: IngressHost, target: k8s.IngressBackend, *, has_metrics: bool) -> k8s.IngressRule:
        paths = [
            k8s.HttpIngressPath(path=entry.path, path_type=entry.path_type, backend=target) for entry in host.paths
        ]
        if has_metrics and self._metrics:
            # The dashboard answers "not found" there: the backend's metrics have no credentials of their own.
            elsewhere = self._dashboard.service.backend("http")
            paths.insert(0, k8s.HttpIngressPath(path="/metrics", path_type="Prefix", backend=elsewhere))
        return k8s.IngressRule(host=host.host, http=k8s.HttpIngressRuleValue(paths=paths))
