"""Every overlay on a real API server: it is taken as it is, its pods come up, and its parts find each other."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest

from convexctl.located_yaml import load_all
from tests.cluster.conftest import CUSTOM_GROUPS
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.deployment import (
    containers,
    key,
    kinds,
    make_prerequisites,
    namespace_of,
    pod_specs,
    write_files,
)
from tests.support.overlay_cases import CASES, Case
from tests.support.processes import wait_until

OLD_CLASS = "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
COMPARED = ("local", "production", "chart-example")
"""Cases that `kubectl diff` sees too: it asks the server what the second apply asks, for a second of CPU."""
WARNINGS = {"ingress-class-by-annotation": [OLD_CLASS]}
"""What the API server warns of, by case: nothing but what the user has asked for."""


@dataclass(frozen=True)
class Applied:
    """An environment that was applied, and whose pods are ready."""

    case: Case
    cluster: ControlPlane
    namespace: str
    folder: Path
    warnings: list[str]
    objects: dict[str, Object]
    """The environment's objects as the API server had them when the pods were ready."""
    pods: list[Object]
    claims: list[Object]

    def of_kind(self, kind: str) -> list[Object]:
        return [thing for thing in self.objects.values() if thing["kind"] == kind]


def live(cluster: ControlPlane, namespace: str, case: Case) -> dict[str, Object]:
    """The environment's objects as the API server has them."""
    manifests = case.environment().manifests
    found = {key(thing): thing for thing in cluster.objects(namespace, *kinds(manifests))}
    return {key(manifest): found[key(manifest)] for manifest in manifests}


def as_compared(objects: dict[str, Object]) -> dict[str, Object]:
    """The objects without the version of a Gateway: its default status is stored by the second apply, not the first."""
    without = copy.deepcopy(objects)
    for thing in without.values():
        if thing["kind"] == "Gateway":
            del thing["metadata"]["resourceVersion"]
    return without


RUNNING = [case for case in CASES if not case.overlay().values.backend.paused]
"""What is applied is about pods, which a paused backend does not have."""


@pytest.fixture(scope="module", params=RUNNING, ids=str)
def applied(request: pytest.FixtureRequest, cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    case: Case = request.param
    environment = case.environment()
    if any(manifest["apiVersion"].split("/")[0] in CUSTOM_GROUPS for manifest in environment.manifests):
        request.getfixturevalue("crds")
    folder = write_files(environment, tmp_path_factory.mktemp("dist") / case.name)
    namespace = namespace_of(cluster, environment)
    make_prerequisites(cluster, namespace, environment.manifests)
    warnings = [
        warning
        for path in sorted(folder.glob("*.yaml"))
        for document in load_all(path.read_text(), path.name)
        for warning in cluster.api.apply(document.plain(), namespace, manager="test")
    ]
    cluster.make_ready(namespace)
    both = cluster.objects(namespace, "pods", "persistentvolumeclaims")
    pods, claims = ([thing for thing in both if thing["kind"] == kind] for kind in ("Pod", "PersistentVolumeClaim"))
    return Applied(case, cluster, namespace, folder, warnings, live(cluster, namespace, case), pods, claims)


def test_the_api_server_warns_of_nothing(applied: Applied) -> None:
    assert applied.warnings == WARNINGS.get(applied.case.name, [])


def test_a_second_apply_changes_nothing(applied: Applied) -> None:
    for manifest in applied.case.environment().manifests:
        applied.cluster.api.apply(manifest, applied.namespace, manager="test")
    now = live(applied.cluster, applied.namespace, applied.case)
    assert as_compared(now) == as_compared(applied.objects)

    if applied.case.name in COMPARED:
        where = ("--namespace", applied.namespace, "--filename", applied.folder)
        assert applied.cluster.kubectl("diff", "--server-side", "--field-manager=test", *where).stdout == ""


def test_every_service_has_ready_pods_behind_each_of_its_ports(applied: Applied) -> None:
    wanted = {
        (service["metadata"]["name"], port["name"], port["targetPort"])
        for service in applied.of_kind("Service")
        for port in service["spec"]["ports"]
        if not service["metadata"]["name"].endswith("-closed")
    }
    numbers = {
        (pod["metadata"]["name"], port["name"]): port["containerPort"]
        for pod in applied.pods
        for container in containers(pod["spec"])
        for port in container.get("ports", [])
    }

    def served() -> set[tuple[str, str, str]]:
        """By service, port and the name of the container's port: what the endpoints of ready pods offer."""
        return {
            (found["metadata"]["labels"]["kubernetes.io/service-name"], port["name"], target)
            for found in applied.cluster.objects(applied.namespace, "endpointslices")
            for endpoint in found["endpoints"]
            for port in found["ports"]
            for (pod, target), number in numbers.items()
            if endpoint["conditions"]["ready"] and endpoint["targetRef"]["name"] == pod and port["port"] == number
        }

    assert wanted
    wait_until(lambda: served() == wanted, f"ready pods behind {wanted} and nothing else")


def test_every_path_of_an_ingress_names_a_port_of_a_service(applied: Applied) -> None:
    ports = {
        (service["metadata"]["name"], port["name"])
        for service in applied.of_kind("Service")
        for port in service["spec"]["ports"]
    }
    for ingress in applied.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                target = path["backend"]["service"]
                assert (target["name"], target["port"]["name"]) in ports


def test_a_stateful_set_names_a_headless_service_of_its_pods(applied: Applied) -> None:
    headless = {
        service["metadata"]["name"]: service["spec"]["selector"]
        for service in applied.of_kind("Service")
        if service["spec"]["clusterIP"] == "None"
    }
    (workload,) = applied.of_kind("StatefulSet")
    selector = headless[workload["spec"]["serviceName"]]
    assert selector.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def test_every_config_map_that_a_pod_needs_is_there_or_the_users(applied: Applied) -> None:
    of_user = {
        source.config_map_ref.name
        for workload in (applied.case.overlay().values.backend, applied.case.overlay().values.dashboard)
        for source in workload.env_from
        if source.config_map_ref is not None
    }
    present = {config_map["metadata"]["name"] for config_map in applied.of_kind("ConfigMap")}
    scheduled = [job["spec"]["jobTemplate"]["spec"]["template"]["spec"] for job in applied.of_kind("CronJob")]
    mounted = {
        volume["configMap"]["name"] for pod in scheduled for volume in pod.get("volumes", []) if "configMap" in volume
    }
    sources = [
        source["configMapRef"]["name"]
        for pod in pod_specs(applied.objects.values())
        for container in containers(pod)
        for source in container.get("envFrom", [])
        if "configMapRef" in source
    ]
    assert present <= {*sources, *mounted} <= present | of_user


def test_the_pods_use_the_claims_that_are_there(applied: Applied) -> None:
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in applied.pods
        for volume in pod["spec"].get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    assert used == {claim["metadata"]["name"] for claim in applied.claims}
    assert bool(used) == applied.case.overlay().values.backend.persistence.enabled
