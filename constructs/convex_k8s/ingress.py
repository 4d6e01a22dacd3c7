"""The Ingress: which public host reaches which Service."""

from __future__ import annotations

from collections.abc import Sequence

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.controllers import needed_annotations
from convex_k8s.naming import Naming
from convex_k8s.targets import Targets
from convex_k8s.values.checks.ingress import INGRESS_CLASS_ANNOTATION, covers
from convex_k8s.values.ingress import IngressHost, IngressTls
from convex_k8s.values.public_hosts import PublicHost, PublicHosts


class Ingress(Construct):
    """The Ingress `<release>-ingress`, and `<release>-ingress-<role>` for a host with settings of its own."""

    def __init__(self, scope: Construct, id: str, naming: Naming, targets: Targets) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._targets = targets
        self.objects: list[k8s.KubeIngress] = []
        hosts = list(PublicHosts.of(naming.values, "ingress"))
        own: dict[str, IngressHost] = {served.role: getattr(naming.values.ingress, served.role) for served in hosts}
        # First, because ingress-nginx refuses a host that another Ingress still has.
        if together := [served for served in hosts if not own[served.role].has_own_object]:
            self._object("", together, IngressHost())
        for served in hosts:
            if own[served.role].has_own_object:
                self._object(served.role, [served], own[served.role])

    def _object(self, role: str, hosts: Sequence[PublicHost], own: IngressHost) -> None:
        suffix = f"ingress-{role}" if role else "ingress"
        class_name, annotations = self._class(own)
        made = k8s.KubeIngress(
            self,
            suffix,
            metadata=self._naming.metadata(suffix, annotations=annotations),
            spec=k8s.IngressSpec(
                ingress_class_name=class_name,
                rules=self._rules(hosts),
                tls=[
                    k8s.IngressTls(hosts=entry.hosts or None, secret_name=entry.secret_name or None)
                    for entry in self._certificates(role, hosts, own)
                ]
                or None,
            ),
        )
        self.objects.append(made)

    def _class(self, own: IngressHost) -> tuple[str | None, dict[str, str]]:
        """The class, and all annotations: the user's win over what the controller needs."""
        values = self._naming.values.ingress
        annotations = {**values.annotations, **own.annotations}
        class_name = own.class_name or values.class_name
        if class_name:
            annotations.pop(INGRESS_CLASS_ANNOTATION, None)
        needed = needed_annotations(class_name or annotations.get(INGRESS_CLASS_ANNOTATION, ""))
        return class_name or None, {**needed, **values.cert_manager.annotations, **annotations}

    def _certificates(self, role: str, hosts: Sequence[PublicHost], own: IngressHost) -> list[IngressTls]:
        names = list(dict.fromkeys(served.host for served in hosts))
        values = self._naming.values.ingress
        entries = own.tls or [
            entry
            for entry in values.tls
            if not entry.hosts or any(covers(pattern, name) for pattern in entry.hosts for name in names)
        ]
        if entries or not values.cert_manager.annotations:
            return entries
        secret = f"{self._naming.release}-{role}-tls" if role else f"{self._naming.release}-tls"
        return [IngressTls(secret_name=secret, hosts=names)]

    def _rules(self, hosts: Sequence[PublicHost]) -> list[k8s.IngressRule]:
        """One rule a host; hosts that share a name share the rule."""
        paths: dict[str, list[k8s.HttpIngressPath]] = {}
        for served in hosts:
            paths.setdefault(served.host, []).extend(self._paths(served))
        return [k8s.IngressRule(host=host, http=k8s.HttpIngressRuleValue(paths=its)) for host, its in paths.items()]

    def _paths(self, served: PublicHost) -> list[k8s.HttpIngressPath]:
        service, port = self._targets.of(served.role)
        paths = [
            k8s.HttpIngressPath(path=entry.path, path_type=entry.path_type, backend=service.backend(port))
            for entry in served.paths
        ]
        if closed := self._targets.closed(served):
            paths.insert(0, k8s.HttpIngressPath(path="/metrics", path_type="Prefix", backend=closed.backend("http")))
        return paths
