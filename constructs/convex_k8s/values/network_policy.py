"""Values of the NetworkPolicies: who may call the pods, and whom the backend may call."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from convex_k8s.problems import Problem
from convex_k8s.secrecy import shown
from convex_k8s.values.base import LabelKey, LabelValue, Model, Port, wrong, wrong_inside


def _cidr(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise wrong(f"must be a network like 10.0.0.0/24 or 203.0.113.10/32{shown(value)}") from None
    if "/" not in value:
        raise wrong(f"must be a network: write {network}")
    return value


Cidr = Annotated[str, AfterValidator(_cidr), WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"})]
Labels = dict[LabelKey, LabelValue]


class LabelSelector(Model):
    """Labels that an object must have."""

    match_labels: Labels = {}
    """The labels. Empty: every object."""


class IpBlock(Model):
    """Addresses."""

    cidr: Cidr
    """A network like `10.0.0.0/24`."""
    except_: Annotated[list[Cidr], Field(alias="except")] = []
    """Networks in it that are left out."""

    @model_validator(mode="after")
    def _inside(self) -> IpBlock:
        whole = ipaddress.ip_network(self.cidr, strict=False)
        for index, text in enumerate(self.except_):
            part = ipaddress.ip_network(text, strict=False)
            if part.version != whole.version or part == whole or not part.subnet_of(whole):  # type: ignore[arg-type]
                raise wrong_inside([Problem(("except", index), f"is {text}, which is not a part of {self.cidr}")])
        return self


class PolicyPeer(Model):
    """Pods or addresses, as Kubernetes writes them."""

    ip_block: IpBlock | None = None
    """Addresses."""
    namespace_selector: LabelSelector | None = None
    """Pods of these namespaces."""
    pod_selector: LabelSelector | None = None
    """Pods with these labels; without `namespaceSelector` those of the environment's own namespace."""

    @model_validator(mode="after")
    def _one_kind(self) -> PolicyPeer:
        selectors = (self.namespace_selector, self.pod_selector)
        if self.ip_block is None and selectors == (None, None):
            raise wrong("is empty: name an ipBlock, a namespaceSelector or a podSelector")
        if self.ip_block is not None and selectors != (None, None):
            raise wrong("has an ipBlock beside a selector, which Kubernetes refuses: make two items of it")
        return self

    @property
    def manifest(self) -> dict[str, Any]:
        """The peer as a manifest has it."""
        return self.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) | {
            name: {"matchLabels": selector.match_labels} if selector.match_labels else {}
            for name, selector in (("namespaceSelector", self.namespace_selector), ("podSelector", self.pod_selector))
            if selector is not None
        }


class PolicyPort(Model):
    """A port."""

    port: Port
    """Number of the port on the pod."""
    protocol: Literal["TCP", "UDP"] = "TCP"
    """Protocol."""


class IngressRule(Model):
    """Further callers of the backend."""

    from_: Annotated[list[PolicyPeer], Field(alias="from", min_length=1)]
    """Who may call."""
    ports: list[PolicyPort] = []
    """Ports of the pod. Empty: 3210 and 3211."""


class EgressRule(Model):
    """Further destinations of the backend."""

    to: Annotated[list[PolicyPeer], Field(min_length=1)]
    """Whom it may call."""
    ports: list[PolicyPort] = []
    """Ports there. Empty: every port."""


class NetworkPolicy(Model):
    """NetworkPolicies: nobody calls the pods but the edge, and the backend calls what it needs."""

    enabled: bool = False
    """Make NetworkPolicies. They do nothing if the cluster's network does not enforce them."""
    ingress_ns_match_labels: Annotated[Labels, Field(alias="ingressNSMatchLabels")] = {}
    """Labels of the namespace that the Ingress controller or Gateway runs in, for instance
    `kubernetes.io/metadata.name: traefik`. Empty: every namespace."""
    ingress_ns_pod_match_labels: Annotated[Labels, Field(alias="ingressNSPodMatchLabels")] = {}
    """Labels of its pods there. Empty: every pod of that namespace."""
    metrics_ns_match_labels: Annotated[Labels, Field(alias="metricsNSMatchLabels")] = {}
    """Labels of the namespace that Prometheus runs in. Empty: every namespace may read metrics, if they are on."""
    egress: Literal["all", "listed"] = "all"
    """Whom functions may call. `all`: every address except link-local ones, where clouds keep their metadata. `listed`:
    DNS, and what `networkPolicy.database`, `.s3`, `.origins` and `.extraEgress` say."""
    database: list[PolicyPeer] = []
    """Where the database is, for `listed`. Empty: anywhere, on the port of its engine."""
    s3: list[PolicyPeer] = []
    """Where S3 is, for `listed`. Empty: anywhere, on the port of its endpoint."""
    origins: list[PolicyPeer] = []
    """Where the public URLs lead, for `listed`: the pod calls them too. Empty: anywhere, on their ports."""
    extra_ingress: list[IngressRule] = []
    """Further callers of the backend."""
    extra_egress: list[EgressRule] = []
    """Further destinations of the backend."""
