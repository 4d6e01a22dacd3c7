"""All checks of an environment, in the order in which they rest on one another."""

from __future__ import annotations

from dataclasses import replace

from convexctl.kubectl import Kubectl
from convexctl.preflight.check import Check
from convexctl.preflight.cluster import base_questions, kind_questions, reference_questions
from convexctl.preflight.edge import edge_questions
from convexctl.preflight.outside import check_outside, require_clients
from convexctl.preflight.pods import pod_questions
from convexctl.preflight.questions import answers
from convexctl.preflight.secrets import SecretChecks
from convexctl.preflight.volumes import volume_questions
from convexctl.synth import NAMESPACE, Environment


def preflight(environment: Environment, kubectl: Kubectl, *, connect: bool = False) -> list[Check]:
    """Check an environment against the cluster and, with `connect`, its database and buckets from here.

    Raises `UserError` where a client that `connect` needs is not installed.
    """
    values, manifests = environment.overlay.values, environment.manifests
    if connect:
        require_clients(values)
    anywhere = replace(kubectl, namespace="").options()
    own = NAMESPACE in environment.files
    make_namespace = (
        f"kubectl apply -f dist/{environment.name}/{NAMESPACE}{anywhere}"
        if own
        else f"kubectl create namespace {kubectl.namespace_name()}{anywhere}"
    )
    secrets = SecretChecks(environment, kubectl)
    checks = answers(
        [
            *base_questions(kubectl, make_namespace),
            *kind_questions(manifests, kubectl),
            *reference_questions(manifests, kubectl),
            *secrets.questions(),
            *volume_questions(manifests, kubectl),
            *edge_questions(manifests, kubectl),
            *pod_questions(manifests, kubectl),
        ]
    )
    return [*checks, *(check_outside(values, secrets) if connect else [])]
