"""The Gateway API: an HTTPRoute for each public host, and perhaps the Gateway that serves them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cdk8s import ApiObject, JsonPatch

from constructs import Construct
from convex_k8s.naming import Naming
from convex_k8s.targets import Targets
from convex_k8s.values.gateway import CertificateRef, Listener, ListenerTls, ParentRef
from convex_k8s.values.ingress import IngressPath
from convex_k8s.values.public_hosts import PublicHost, PublicHosts, Role

GROUP = "gateway.networking.k8s.io"
NO_TIMEOUT = {"request": "0s", "backendRequest": "0s"}
"""A long action may take minutes and a websocket stays open: the server has time-outs of its own."""
_GATEWAY = {"group": GROUP, "kind": "Gateway"}
"""What the API server fills in is written out, so that Argo CD sees no difference."""
_MATCHES = {"Prefix": "PathPrefix", "Exact": "Exact", "ImplementationSpecific": "PathPrefix"}


class Gateway(Construct):
    """The HTTPRoutes `<release>-<role>`; with `gateway.create` the Gateway `<release>-gateway`, and a ReferenceGrant
    for each namespace of a certificate."""

    def __init__(self, scope: Construct, id: str, naming: Naming, targets: Targets) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._targets = targets
        self._values = naming.values.gateway
        self._hosts = PublicHosts.of(naming.values, "gateway")
        self._own = f"{naming.release}-gateway" if self._values.create.class_name else ""
        if self._own:
            self._gateway()
        routes: dict[str, list[PublicHost]] = {}
        for served in self._hosts:
            routes.setdefault(served.host, []).append(served)
        for served_together in routes.values():
            self._route(served_together)

    def _object(self, kind: str, version: str, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        made = ApiObject(
            self,
            f"{kind}-{name}-{metadata.get('namespace', '')}",
            api_version=f"{GROUP}/{version}",
            kind=kind,
            metadata=self._naming.plain_metadata(name, **metadata),
        )
        made.add_json_patch(JsonPatch.add("/spec", spec))

    def _gateway(self) -> None:
        create = self._values.create
        listeners = create.listeners or self._default_listeners()
        issuer = self._naming.values.ingress.cert_manager.annotations
        spec = {"gatewayClassName": create.class_name, "listeners": [self._listener(entry) for entry in listeners]}
        self._object("Gateway", "v1", self._own, spec, annotations={**issuer, **create.annotations})
        self._grants(listeners)

    def _default_listeners(self) -> list[Listener]:
        """One for each host: HTTPS, or HTTP where the world calls it without TLS."""
        listeners: dict[str, Listener] = {}
        for served in self._hosts:
            origin = urlsplit(self._hosts.site_origin if served.role == "site" else self._hosts.cloud_origin)
            plain = origin.scheme == "http"
            tls = ListenerTls() if plain else ListenerTls(certificate_refs=self._certificates(served.role, served.host))
            listener = Listener(
                name=served.role,
                hostname=served.host,
                port=80 if plain else 443,
                protocol="HTTP" if plain else "HTTPS",
                tls=tls,
            )
            listeners.setdefault(served.host, listener)
        return list(listeners.values())

    def _certificates(self, role: Role, host: str) -> list[CertificateRef]:
        """The Secrets that the Ingress names for the host; else one that cert-manager may make."""
        ingress = self._naming.values.ingress
        entries = getattr(ingress, role).tls or ingress.tls
        names = [entry.secret_name for entry in entries if entry.secret_name and host in entry.hosts]
        return [CertificateRef(name=name) for name in names[:1]]

    def _listener(self, listener: Listener) -> dict[str, Any]:
        spec: dict[str, Any] = {"name": listener.name}
        if listener.hostname:
            spec["hostname"] = listener.hostname
        spec |= {"port": listener.port, "protocol": listener.protocol}
        if listener.protocol == "HTTPS":
            default = CertificateRef(name=f"{self._naming.release}-{listener.name}-tls")
            references = listener.tls.certificate_refs or [default]
            spec["tls"] = {"mode": "Terminate", "certificateRefs": [_certificate(entry) for entry in references]}
        return {**spec, "allowedRoutes": {"namespaces": {"from": "Same"}}}

    def _grants(self, listeners: list[Listener]) -> None:
        """A certificate in another namespace is the Gateway's only with that namespace's leave."""
        secrets: dict[str, dict[str, None]] = {}
        for reference in (entry for listener in listeners for entry in listener.tls.certificate_refs):
            if reference.namespace not in ("", self._naming.values.namespace):
                secrets.setdefault(reference.namespace, {})[reference.name] = None
        for namespace, names in secrets.items():
            spec = {
                "from": [{"group": GROUP, "kind": "Gateway", "namespace": self._naming.values.namespace}],
                "to": [{"group": "", "kind": "Secret", "name": name} for name in names],
            }
            # Several environments may have their certificates in one namespace.
            name = f"{self._naming.values.namespace}-{self._own}"
            self._object("ReferenceGrant", "v1beta1", name, spec, namespace=namespace)

    def _route(self, served_together: list[PublicHost]) -> None:
        """The route of one host."""
        rules = [rule for served in served_together for rule in self._rules(served)]
        parents = [_parent(reference) for reference in self._values.parent_refs]
        if self._own:
            parents.append({**_GATEWAY, "name": self._own})
        host = served_together[0]
        spec = {"parentRefs": parents, "hostnames": [host.host], "rules": rules}
        self._object("HTTPRoute", "v1", f"{self._naming.release}-{host.role}", spec)

    def _rules(self, served: PublicHost) -> list[dict[str, Any]]:
        rewrite = served.role == "site" and self._values.site.rewrite
        service, port = self._targets.of("backend" if rewrite else served.role)
        rules: list[dict[str, Any]] = []
        closed = None if rewrite else self._targets.closed(served)
        if closed:
            matches = [{"path": {"type": "PathPrefix", "value": "/metrics"}}]
            rules.append({"matches": matches, "backendRefs": [closed.reference("http")]})
        for entry in served.paths:
            rule: dict[str, Any] = {"matches": [{"path": {"type": _MATCHES[entry.path_type], "value": entry.path}}]}
            if rewrite:
                rule["filters"] = [{"type": "URLRewrite", "urlRewrite": {"path": _below_http(entry)}}]
            rules.append({**rule, "backendRefs": [service.reference(port)], "timeouts": NO_TIMEOUT})
        return rules


def _below_http(entry: IngressPath) -> dict[str, str]:
    """The path of an HTTP action as the API's port has it."""
    path = f"/http{entry.path.rstrip('/')}"
    if _MATCHES[entry.path_type] == "Exact":
        return {"type": "ReplaceFullPath", "replaceFullPath": path}
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}


def _certificate(reference: CertificateRef) -> dict[str, str]:
    secret = {"group": "", "kind": "Secret", "name": reference.name}
    return {**secret, **({"namespace": reference.namespace} if reference.namespace else {})}


def _parent(reference: ParentRef) -> dict[str, Any]:
    given = {
        "name": reference.name,
        "namespace": reference.namespace,
        "sectionName": reference.section_name,
        "port": reference.port,
    }
    return {**_GATEWAY, **{key: value for key, value in given.items() if value}}
