"""`dist/<overlay>/` is a folder that kubectl, kustomize and a user's own kustomization read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convexctl.located_yaml import load_all
from convexctl.overlays.names import overlay_names
from tests.support.overlay_cases import CASES, OVERLAYS, ROOT, Case, case

ASSETS = os.environ.get("KUBEBUILDER_ASSETS", "")


def program(name: str) -> str:
    path = Path(ASSETS, name)
    if not (ASSETS and path.exists()):
        pytest.skip(f"needs {name} in the folder that KUBEBUILDER_ASSETS names")
    return str(path)


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def written(case: Case, folder: Path) -> Path:
    """The environment's files in a folder, with the name that they have in `dist/`."""
    target = folder / case.name
    target.mkdir()
    for name, text in case.environment().files.items():
        (target / name).write_text(text, encoding="utf-8")
    return target


def documents(text: str) -> list[dict[str, Any]]:
    return [document.plain() for document in load_all(text, "built")]


def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kustomize_builds_the_manifests_and_nothing_else(case: Case, tmp_path: Path) -> None:
    built = documents(output_of(program("kustomize"), "build", str(written(case, tmp_path))))
    assert by_name(built) == by_name(case.environment().manifests)


def read_by_kubectl(folder: Path) -> Iterator[dict[str, Any]]:
    """The objects that kubectl finds in a folder, as it understands them, without asking a cluster."""
    text = output_of(program("kubectl"), "annotate", "--local", "-f", str(folder), "-o", "json", "read=yes")
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        manifest, end = decoder.raw_decode(text, position)
        position = end + len(text[end:]) - len(text[end:].lstrip())
        yield manifest


@pytest.mark.parametrize("name", ["local", "production", "strings", "namespace-created", "labels", "environment"])
def test_kubectl_reads_the_manifests_and_no_other_file_of_the_folder(name: str, tmp_path: Path) -> None:
    found = list(read_by_kubectl(written(case(name), tmp_path)))
    for manifest in found:
        assert manifest["metadata"]["annotations"].pop("read") == "yes"
        if not manifest["metadata"]["annotations"]:
            del manifest["metadata"]["annotations"]
    assert by_name(found) == by_name(case(name).environment().manifests)


KUSTOMIZATION = """\
resources: [production]
namePrefix: team-
namespace: team-a
labels:
  - pairs: {team: a}
images:
  - name: ghcr.io/get-convex/convex-backend
    newTag: mine
replicas:
  - name: convex-dashboard
    count: 3
patches:
  - target: {kind: StatefulSet}
    patch: |
      - {op: replace, path: /spec/template/spec/terminationGracePeriodSeconds, value: 300}
"""


@pytest.fixture(params=["kustomize", "kubectl"])
def users_own(request: pytest.FixtureRequest, tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What a user's own kustomization makes of `dist/production`."""
    written(case("production"), tmp_path)
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION)
    verb = {"kustomize": "build", "kubectl": "kustomize"}[request.param]
    return by_name(documents(output_of(program(request.param), verb, str(tmp_path))))


def test_a_users_own_kustomization_on_top_keeps_every_reference(
    users_own: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert {name for _, name in users_own} == {
        f"team-{manifest['metadata']['name']}" for manifest in case("production").environment().manifests
    }
    assert {manifest["metadata"]["namespace"] for manifest in users_own.values()} == {"team-a"}
    stateful_set = users_own["StatefulSet", "team-convex-backend"]["spec"]
    pod = stateful_set["template"]["spec"]
    assert stateful_set["serviceName"] == "team-convex-backend-headless"
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "team-convex-config"}}]
    assert pod["containers"][0]["image"] == "ghcr.io/get-convex/convex-backend:mine"
    assert pod["terminationGracePeriodSeconds"] == 300
    assert users_own["Deployment", "team-convex-dashboard"]["spec"]["replicas"] == 3
    targets = [
        path["backend"]["service"]["name"]
        for rule in users_own["Ingress", "team-convex-ingress"]["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert targets == ["team-convex-dashboard-svc", "team-convex-backend-svc"]
    for (kind, _), manifest in users_own.items():
        if kind == "Service":
            selector = manifest["spec"]["selector"]
            workloads = [m for (k, _), m in users_own.items() if k in ("StatefulSet", "Deployment")]
            labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads]
            assert sum(selector.items() <= pod_labels.items() for pod_labels in labels) == 1


def test_what_is_committed_can_be_built_in_place() -> None:
    for name in overlay_names(OVERLAYS):
        built = documents(output_of(program("kustomize"), "build", str(ROOT / "dist" / name)))
        written = (ROOT / "dist" / name / "convex.k8s.yaml").read_text(encoding="utf-8")
        assert by_name(built) == by_name(documents(written))
