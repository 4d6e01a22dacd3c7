"""`preflight` asks the cluster for what the environment's README says of pods: both have it from one place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from convexctl.preflight.check import Status
from convexctl.preflight.cluster import reference_questions
from convexctl.tools.kubectl import Kubectl
from tests.support.overlay_cases import environment_of

OVERLAY = """
backend:
  envFrom: [{configMapRef: {name: tuning}}, {configMapRef: {name: extras, optional: true}}]
  extraVolumes:
  - {name: a, configMap: {name: files}}
  - {name: b, secret: {secretName: whole}}
  - name: c
    projected: {sources: [{secret: {name: part}}, {configMap: {name: piece}}, {secret: {name: o, optional: true}}]}
  - {name: d, csi: {driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: vault}}}
  - name: e
    ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], storageClassName: fast,
      resources: {requests: {storage: 1Gi}}}}}
"""
NEEDS = {
    ("ConfigMap", "tuning"),
    ("ConfigMap", "files"),
    ("ConfigMap", "piece"),
    ("Secret", "whole"),
    ("Secret", "part"),
    ("CSIDriver", "secrets-store.csi.k8s.io"),
    ("SecretProviderClass", "vault"),
    ("StorageClass", "fast"),
}


class Empty(Kubectl):
    """A cluster that has nothing; it keeps what it was asked for."""

    asked: set[tuple[str, str]]

    def __init__(self) -> None:
        super().__init__(namespace="ns")
        object.__setattr__(self, "asked", set())

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        self.asked.add((kind, name))
        return None

    def secrets_without_values(self, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
        self.asked.update(("secret", name) for name in names or ())
        return []


def test_preflight_asks_for_what_the_readme_names() -> None:
    environment = environment_of(OVERLAY)
    besides = environment.files["README.md"].partition("### Besides")[2]
    named = set(
        re.findall(r"^\\| (ConfigMap|Secret|CSIDriver|SecretProviderClass|StorageClass) `([^`]+)`", besides, re.M)
    )
    assert named == NEEDS
    cluster = Empty()
    checks = [question.answer() for question in reference_questions(environment.manifests, cluster)]
    assert {(kind.lower(), name) for kind, name in NEEDS} <= cluster.asked
    assert {check.status for check in checks} == {Status.FAILED}
    assert all(check.remedy for check in checks)
