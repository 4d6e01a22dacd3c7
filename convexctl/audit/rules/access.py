"""What the pod may do in the cluster and on the node, beside code of the users."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, rule
from convexctl.behaviour import Component, Source
from convexctl.behaviour.manifests import mapping, sequence, text

_OF_THE_NODE = re.compile(
    r"/|/(etc|proc|sys|dev|root|boot|home|var|run|var/lib|var/run|usr)/?|(/var)?/run/\S+\.sock|"
    r"(/var)?/(run|lib)/(docker|containerd|crio|kubelet|cri-dockerd)(/.*)?|/etc/kubernetes(/.*)?"
)
"""Folders and sockets of the node by which a pod can take it over."""
_DANGEROUS = ("ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH")


@rule(
    "privileged-container",
    Severity.WARNING,
    "A container that may do what the node may",
    reason="The backend runs the functions that developers deploy. In a privileged container, with the host's network, "
    "with the node's own folders or with capabilities such as SYS_ADMIN, a function that breaks out of "
    "its sandbox controls the node. Convex needs none of it.",
    basis="Kubernetes' security contexts; the backend runs user code",
    parameter="backend.securityContext (no privileges by default)",
    change="remove privileged, hostNetwork, hostPath volumes of the node's own folders and the added capabilities; set "
    "allowPrivilegeEscalation: false",
)
def privileged_container(view: View) -> Iterator[Hit]:
    """Privileges of container and pod."""
    for component in view.behaviour.components:
        context = mapping(component.container_spec.get("securityContext"))
        if context.get("privileged") is True:
            yield Hit(component, component.source.at("securityContext", "privileged"), "privileged is true")
        added = [text(name).removeprefix("CAP_") for name in sequence(mapping(context.get("capabilities")).get("add"))]
        if dangerous := [name for name in added if name in _DANGEROUS]:
            source = component.source.at("securityContext", "capabilities", "add")
            yield Hit(component, source, f"the container has the capability {', '.join(dangerous)}")
        if component.pod_spec.get("hostNetwork") is True:
            yield Hit(component, _pod(component).at("hostNetwork"), "the pod is on the host's network")
        for path in _folders_of_the_node(component):
            yield Hit(component, _pod(component).at("volumes"), f"{path} of the node is in the container")


@rule(
    "token-mounted",
    Severity.WARNING,
    "A service account's token beside user code",
    reason="Functions run in the backend's container and can read its files. With the token of a service account they "
    "may do in the cluster what that account may. The backend itself never calls the Kubernetes API.",
    basis="Kubernetes: automountServiceAccountToken; the backend runs user code",
    parameter="backend.serviceAccountName (the token is not mounted by default)",
    change="set automountServiceAccountToken: false in the pod",
    least=Severity.INFORMATION,
)
def token_mounted(view: View) -> Iterator[Hit]:
    """Tokens of backends. The token of the account `default`, which may do little, is for information only."""
    for backend in view.behaviour.backends:
        mounted = backend.pod_spec.get("automountServiceAccountToken")
        account = text(backend.pod_spec.get("serviceAccountName")) or "default"
        if mounted is None:
            manifest = view.manifests.find("ServiceAccount", backend.namespace, account)
            mounted = mapping(manifest).get("automountServiceAccountToken")
        if mounted is False:
            continue
        severity = Severity.INFORMATION if account == "default" and mounted is None else None
        source = _pod(backend).at("automountServiceAccountToken")
        yield Hit(backend, source, f"the token of the service account {account} is in the pod", severity)


def _folders_of_the_node(component: Component) -> Iterator[str]:
    """The paths of the node that are mounted into a container and belong to the node itself."""
    mounted = {text(mapping(mount).get("name")) for mount in sequence(component.container_spec.get("volumeMounts"))}
    for volume in map(mapping, sequence(component.pod_spec.get("volumes"))):
        path = text(mapping(volume.get("hostPath")).get("path"))
        if text(volume.get("name")) in mounted and _OF_THE_NODE.fullmatch(path):
            yield path


def _pod(component: Component) -> Source:
    """The pod's spec in its object."""
    source = component.source
    return Source(source.kind, source.namespace, source.name, source.path[:-2])
