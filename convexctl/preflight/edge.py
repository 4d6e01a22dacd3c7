"""Checks of what serves the edge: the class of an Ingress, the Gateway of a route, the issuer of certificates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from convexctl.preflight.check import Check, Status, failed, ok, skipped
from convexctl.preflight.cluster import CLUSTER
from convexctl.preflight.manifests import Manifest, default_class, not_ready, words
from convexctl.preflight.questions import Question
from convexctl.secrets.makers import ISSUERS
from convexctl.tools.kubectl import Kubectl

INGRESS_CLASS, GATEWAY_CLASS = "ingress class", "gateway class"

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_ANNOTATION = "kubernetes.io/ingress.class"
_GATEWAY_API = "gateway.networking.k8s.io"


def edge_questions(manifests: Iterable[Manifest], kubectl: Kubectl) -> list[Question]:
    """The classes, Gateways and issuers that the manifests name, each once."""
    manifests = list(manifests)
    classes: dict[tuple[str, str], Question] = {}
    ingress_classes: dict[tuple[str, str], str] = {}
    issuers: dict[tuple[str, str], Question] = {}
    gateways: dict[tuple[str, str], Question] = {}
    made = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "Gateway"}
    for manifest in manifests:
        annotations = manifest["metadata"].get("annotations") or {}
        match manifest["kind"]:
            case "Ingress":
                named = manifest["spec"].get("ingressClassName", "")
                annotated = annotations.get(_ANNOTATION, "")
                ingress_classes[named, annotated] = named or annotated or "default"
            case "Gateway":
                named = manifest["spec"]["gatewayClassName"]
                classes[named, "gateway"] = _gateway_class(kubectl, named)
            case "HTTPRoute":
                for parent in manifest["spec"]["parentRefs"]:
                    place = (parent.get("namespace", ""), parent["name"])
                    if place[0] or place[1] not in made:
                        gateways[place] = _gateway(kubectl, *place)
                continue
            case _:
                continue
        for key, kind in ISSUERS.items():
            if key in annotations:
                issuers[kind, annotations[key]] = _issuer(kubectl, kind, annotations[key])
    several = len(ingress_classes) > 1
    asked = [
        _ingress_class(kubectl, f"{INGRESS_CLASS} {name}" if several else INGRESS_CLASS, *key)
        for key, name in ingress_classes.items()
    ]
    return [*asked, *classes.values(), *gateways.values(), *issuers.values()]


def _ingress_class(kubectl: Kubectl, title: str, named: str, annotated: str) -> Question:
    def answer() -> Check:
        known = {item["metadata"]["name"]: item for item in kubectl.all_of("ingressclass")}
        there = ", ".join(known) or "none"
        if not (named or annotated):
            return default_class(title, known, _DEFAULT, "ingress.className", "the Ingress")
        if (named or annotated) in known:
            return ok(title, named or annotated)
        if not named:
            reason = f"{annotated}: a controller may listen to that annotation without an IngressClass of the name"
            return skipped(title, reason)
        return failed(
            title,
            f"there is no class {named}, and no controller would serve the Ingress; the cluster has: {there}",
            "install that controller, or set ingress.className to a class that is there",
        )

    return Question(title, answer, (CLUSTER,))


def _gateway_class(kubectl: Kubectl, name: str) -> Question:
    def answer() -> Check:
        known = kubectl.all_of("gatewayclass")
        if any(item["metadata"]["name"] == name for item in known):
            return ok(GATEWAY_CLASS, name)
        there = ", ".join(item["metadata"]["name"] for item in known) or "none"
        return failed(
            GATEWAY_CLASS,
            f"there is no class {name}, and no controller would serve the Gateway; the cluster has: {there}",
            "install that controller, or set gateway.create.className to a class that is there",
        )

    return Question(GATEWAY_CLASS, answer, (CLUSTER, "kind Gateway"))


def _gateway(kubectl: Kubectl, namespace: str, name: str) -> Question:
    title = f"gateway {name}"

    def answer() -> Check:
        there = replace(kubectl, namespace=namespace) if namespace else kubectl
        found = there.find(f"gateway.{_GATEWAY_API}", name)
        if found is None:
            where = f"namespace {there.namespace_name()}"
            remedy = "make it, or correct gateway.parentRefs in the overlay"
            return failed(title, f"there is none of that name in {where}, and no route would be served", remedy)
        if namespace and not _takes_routes_from_elsewhere(found):
            remedy = "set allowedRoutes.namespaces of its listeners to All, or to a Selector that fits the namespace"
            return failed(title, "none of its listeners takes routes from another namespace", remedy)
        return ok(title, "there")

    return Question(title, answer, (CLUSTER, "kind HTTPRoute"))


def _takes_routes_from_elsewhere(gateway: Manifest) -> bool:
    """Whether a listener allows routes of other namespaces; one without a word about it takes its own only."""
    for listener in gateway["spec"].get("listeners") or []:
        allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
        if allowed.get("from", "Same") != "Same":
            return True
    return False


def _issuer(kubectl: Kubectl, kind: str, name: str) -> Question:
    """Without cert-manager or the issuer things start all the same, so that this does not fail."""
    title = f"{words(kind)} {name}"

    def answer() -> Check:
        if kind not in kubectl.kinds("cert-manager.io/v1"):
            remedy = "install it: https://cert-manager.io"
            return Check(title, Status.SKIPPED, "cert-manager is not in this cluster: no certificate is made", remedy)
        found = kubectl.find(f"{kind.lower()}.cert-manager.io", name)
        if found is None:
            return Check(
                title, Status.SKIPPED, "there is none of that name: no certificate is made", f"make the {kind}"
            )
        if problem := not_ready(found):
            return Check(
                title,
                Status.SKIPPED,
                f"it is not ready: {problem}",
                f"see `kubectl describe {kind.lower()} {name}{kubectl.options()}`",
            )
        return ok(title, "there")

    return Question(title, answer, (CLUSTER,))
