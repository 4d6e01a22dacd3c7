"""Ports that are open outside the cluster by themselves, without a rule of an edge."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.manifests import dig, items, mapping, number, source_of, text
from convexctl.behaviour.model import Route


def exposed(targets: Targets) -> Iterator[Route]:
    """LoadBalancers, NodePorts, and host ports of the pods that run Convex."""
    for service in targets.manifests.of_kind("Service"):
        annotations = mapping(dig(service, "metadata", "annotations"))
        tailnet = dig(service, "spec", "loadBalancerClass") == "tailscale" or (
            text(annotations.get("tailscale.com/expose")) == "true"
        )
        if dig(service, "spec", "type") not in ("LoadBalancer", "NodePort") and not tailnet:
            continue
        name = source_of(service).name
        for step, port in items(dig(service, "spec", "ports")):
            target, problem = targets.of_port(service, port)
            numbers = [port.get("nodePort")]
            if dig(service, "spec", "type") != "NodePort":
                numbers.append(port.get("port"))
            yield Route(
                host="",
                path="/",
                path_type="Prefix",
                service=name,
                service_port=text(port.get("port")),
                target=target,
                problem=problem,
                tls=False,
                tls_known=not _may_have_tls(annotations) and number(port.get("port")) != 443,
                ports=tuple(filter(None, map(number, numbers))),
                tailnet=tailnet,
                rewrite=None,
                source=source_of(service, "spec", "ports", step),
            )
    yield from _host_ports(targets)


def _may_have_tls(annotations: object) -> bool:
    return any(word in str(key) for key in mapping(annotations) for word in ("ssl", "cert", "tls"))


def _host_ports(targets: Targets) -> Iterator[Route]:
    for pod in targets.manifests.pods():
        on_host = pod.spec.get("hostNetwork") is True
        for source, container in pod.containers():
            for step, port in items(container.get("ports")):
                host_port = number(port.get("hostPort")) or (number(port.get("containerPort")) if on_host else None)
                target = targets.in_pod(pod, port.get("containerPort")) if host_port else None
                if target is None or not target.convex or port.get("hostIP") in ("127.0.0.1", "::1"):
                    continue
                yield Route(
                    host="",
                    path="/",
                    path_type="Prefix",
                    service="",
                    service_port=str(host_port),
                    target=target,
                    problem="",
                    tls=False,
                    ports=(host_port,) if host_port else (),
                    rewrite=None,
                    source=source.at("ports", step),
                )
