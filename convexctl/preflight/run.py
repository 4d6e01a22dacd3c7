"""All checks of an environment, in the order in which they rest on one another."""

from __future__ import annotations

from dataclasses import replace

from convexctl.preflight.check import Check
from convexctl.preflight.cluster import base_questions, kind_questions, owner_question, reference_questions
from convexctl.preflight.edge import edge_questions
from convexctl.preflight.neighbours import neighbour_questions
from convexctl.preflight.outside import check_outside, require_clients
from convexctl.preflight.pods import pod_questions
from convexctl.preflight.questions import Question, answers
from convexctl.preflight.secrets import SecretChecks
from convexctl.preflight.volumes import volume_questions
from convexctl.synth.environment import NAMESPACE, Environment
from convexctl.tools.kubectl import Kubectl


def preflight(environment: Environment, kubectl: Kubectl, *, connect: bool = False) -> list[Check]:
    """Check an environment against the cluster and, with `connect`, its database and buckets from here.

    Raises `UserError` if a client that `connect` needs is not installed.
    """
    values = environment.overlay.values
    if connect:
        require_clients(values)
    secrets = SecretChecks(environment, kubectl)
    checks = answers(questions(environment, kubectl, secrets))
    return [*checks, *(check_outside(values, secrets) if connect else [])]


def questions(environment: Environment, kubectl: Kubectl, secrets: SecretChecks) -> list[Question]:
    """What an environment asks of a cluster; nothing is asked yet."""
    manifests = environment.manifests
    make = (
        f"kubectl apply -f dist/{environment.name}/{NAMESPACE}"
        if NAMESPACE in environment.files
        else f"kubectl create namespace {kubectl.namespace_name()}"
    )
    return [
        *base_questions(kubectl, f"{make}{replace(kubectl, namespace='').options()}"),
        owner_question(kubectl, environment.name, environment.overlay.values.release_name),
        *kind_questions(manifests, kubectl),
        *reference_questions(manifests, kubectl),
        *secrets.questions(),
        *volume_questions(manifests, kubectl),
        *edge_questions(manifests, kubectl),
        *neighbour_questions(manifests, kubectl),
        *pod_questions(manifests, kubectl),
    ]
