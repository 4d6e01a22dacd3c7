"""Checks of the class of an Ingress, and of the issuer of its certificates."""

from __future__ import annotations

from collections.abc import Iterable

from convexctl.preflight.check import Check, Status, failed, ok, skipped
from convexctl.preflight.cluster import CLUSTER
from convexctl.preflight.manifests import ISSUERS, Manifest, default_class, not_ready, words
from convexctl.preflight.questions import Question
from convexctl.tools.kubectl import Kubectl

INGRESS_CLASS = "ingress class"

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_ANNOTATION = "kubernetes.io/ingress.class"


def edge_questions(manifests: Iterable[Manifest], kubectl: Kubectl) -> list[Question]:
    """The class of the Ingress, and the issuer of its certificates."""
    questions = []
    for manifest in manifests:
        if manifest["kind"] == "Ingress":
            annotations = manifest["metadata"].get("annotations") or {}
            named = manifest["spec"].get("ingressClassName", "")
            annotated = annotations.get(_ANNOTATION, "")
            questions.append(_ingress_class(kubectl, named, annotated))
            questions += [
                _issuer(kubectl, kind, annotations[key]) for key, kind in ISSUERS.items() if key in annotations
            ]
    return questions


def _ingress_class(kubectl: Kubectl, named: str, annotated: str) -> Question:
    def answer() -> Check:
        known = {item["metadata"]["name"]: item for item in kubectl.all_of("ingressclass")}
        there = ", ".join(known) or "none"
        if not (named or annotated):
            return default_class(INGRESS_CLASS, known, _DEFAULT, "ingress.className", "the Ingress")
        if (named or annotated) in known:
            return ok(INGRESS_CLASS, named or annotated)
        if not named:
            reason = f"{annotated}: a controller may listen to that annotation without an IngressClass of the name"
            return skipped(INGRESS_CLASS, reason)
        return failed(
            INGRESS_CLASS,
            f"there is no class {named}, and no controller would serve the Ingress; the cluster has: {there}",
            "install that controller, or set ingress.className to a class that is there",
        )

    return Question(INGRESS_CLASS, answer, (CLUSTER,))


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
