"""Every wish of `docs/extending.md` is an overlay that does what its heading says, and a valid one."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support.overlay_cases import ROOT, environment_of

TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = {title: body for title, body in re.findall(r"^##+ (.+)\n((?:(?!##).*\n)+)", TEXT, re.M) if "```yaml" in body}
POD = ("spec", "template", "spec")
EXPECTED: dict[str, dict[tuple[Any, ...], Any]] = {
    "Run the backend in a sandbox": {("StatefulSet", *POD, "runtimeClassName"): "gvisor"},
    "Ask fewer DNS questions": {
        ("StatefulSet", *POD, "dnsConfig", "options", 0, "name"): "ndots",
        ("Deployment", *POD, "dnsConfig", "options", 0, "name"): "ndots",
    },
    "Restart the backend only when you delete its pod": {("StatefulSet", "spec", "updateStrategy", "type"): "OnDelete"},
    "Annotate the volume claim, for a backup tool": {
        ("StatefulSet", "spec", "volumeClaimTemplates", 0, "metadata", "annotations"): {
            "backup.example.com/daily": "true"
        }
    },
    "Delete the claim with the StatefulSet": {
        ("StatefulSet", "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"): "Delete"
    },
    "Give the Services an IPv6 address too": {
        ("Service convex-backend-svc", "spec", "ipFamilies"): ["IPv4", "IPv6"],
        ("Service convex-dashboard-svc", "spec", "ipFamilies"): ["IPv4", "IPv6"],
    },
    "Keep a client on one dashboard pod": {("Service convex-dashboard-svc", "spec", "sessionAffinity"): "ClientIP"},
    "Update the dashboard without losing a pod meanwhile": {("Deployment", "spec", "minReadySeconds"): 10},
    "Run a helper beside the backend, before and after it": {
        ("StatefulSet", *POD, "initContainers", 0, "restartPolicy"): "Always"
    },
    "Warn of what Pod Security `restricted` forbids": {},
    "Objects of your own": {("PodDisruptionBudget", "metadata", "labels", "app.kubernetes.io/part-of"): "convex"},
}


def test_every_section_with_an_overlay_has_its_expectation() -> None:
    assert list(SECTIONS) == list(EXPECTED)
    assert len(EXPECTED) == 11


@pytest.mark.parametrize("title", EXPECTED)
def test_a_wish(title: str) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTIONS[title], re.DOTALL)
    environment = environment_of(text)
    whole = {f"{m['kind']} {m['metadata']['name']}": m for m in environment.manifests}
    for (subject, *path), wanted in EXPECTED[title].items():
        (value,) = [thing for name, thing in whole.items() if subject in (name, name.partition(" ")[0])]
        for step in path:
            value = value[step]
        assert value == wanted
    if "Namespace" in environment.files:
        namespace = yaml.safe_load(environment.files["Namespace"])
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/warn"] == "restricted"
    for manifest in environment.manifests:
        kubernetes_validate.validate(manifest, "1.36", strict=True)
