"""Names, labels, selectors and references of every object: the Helm chart's where they cannot be changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION, OWN_LABELS

from convexctl.synth.environment import NAMESPACE
from tests.support.overlay_cases import CASES, INGRESS, Case, case, environment_of, faults_of, one

NAMES = [
    ("ConfigMap", "config"),
    ("Service", "backend-svc"),
    ("Service", "backend-headless"),
    ("StatefulSet", "backend"),
    ("Service", "dashboard-svc"),
    ("Deployment", "dashboard"),
    ("Ingress", "ingress"),
]


@pytest.mark.parametrize("release", ["convex", "a", "a" * 44])
def test_the_objects_and_their_names_in_apply_order(release: str) -> None:
    environment = environment_of(f"releaseName: {release}\n{INGRESS}")
    found = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in environment.manifests]
    assert found == [(kind, f"{release}-{suffix}") for kind, suffix in NAMES]


@pytest.mark.parametrize("release", ["convex", "staging"])
def test_what_the_helm_chart_made_immutable_is_the_same(release: str) -> None:
    environment = environment_of(f"releaseName: {release}\n")
    stateful_set = one(environment, "StatefulSet")["spec"]
    assert stateful_set["serviceName"] == f"{release}-backend-headless"
    assert stateful_set["selector"] == {"matchLabels": {"app": f"{release}-backend"}}
    assert "podManagementPolicy" not in stateful_set
    assert stateful_set["template"]["spec"]["containers"][0]["name"] == "convex-backend"
    assert one(environment, "Deployment")["spec"]["selector"] == {"matchLabels": {"app": f"{release}-dashboard"}}
    assert one(environment, "Service", f"{release}-backend-headless")["spec"]["clusterIP"] == "None"
    assert {port["name"] for port in one(environment, "Service", f"{release}-backend-svc")["spec"]["ports"]} == {
        "api",
        "http-actions",
    }


def pod_templates(environment: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in environment.manifests:
        if manifest["kind"] in ("StatefulSet", "Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_object_and_pod_has_the_recommended_labels(case: Case) -> None:
    release = case.overlay().values.release_name
    labelled = [manifest["metadata"]["labels"] for manifest in case.environment().manifests]
    labelled += [template["metadata"]["labels"] for _, template in pod_templates(case.environment())]
    for labels in labelled:
        assert labels["app.kubernetes.io/instance"] == release
        assert labels["app.kubernetes.io/part-of"] == "convex"
        assert labels["app.kubernetes.io/managed-by"] == "convex-k8s"
        assert labels["app.kubernetes.io/name"].startswith("convex")
        assert {key for key in labels if key == "app" or key.startswith("app.kubernetes.io/")} <= OWN_LABELS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_selector_is_one_label_and_finds_its_pods(case: Case) -> None:
    pods = {name: template["metadata"]["labels"] for name, template in pod_templates(case.environment())}
    for manifest in case.environment().manifests:
        spec = manifest.get("spec", {})
        selector = spec.get("selector", {})
        selector = selector.get("matchLabels", selector)
        if not selector or manifest["kind"] == "ServiceMonitor":
            continue
        assert list(selector) == ["app"]
        matched = [name for name, labels in pods.items() if selector.items() <= labels.items()]
        assert matched == [selector["app"]]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_reference_resolves(case: Case) -> None:
    """Service to the pods' named ports, Ingress to the Services' named ports, pod to ConfigMap and headless Service."""
    environment = case.environment()
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in environment.manifests}
    services = {m["metadata"]["name"]: m["spec"] for m in environment.manifests if m["kind"] == "Service"}
    ports = {
        template["metadata"]["labels"]["app"]: {
            port["name"] for container in template["spec"]["containers"] for port in container.get("ports", [])
        }
        for _, template in pod_templates(environment)
    }
    for name, service in services.items():
        # Nothing answers behind this one: it is where a closed path leads.
        for port in service["ports"] if not name.endswith("-closed") else ():
            assert port["targetPort"] in ports[service["selector"]["app"]]
    for manifest in environment.manifests:
        if manifest["kind"] == "Ingress":
            for rule in manifest["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    target = path["backend"]["service"]
                    assert target["port"]["name"] in {port["name"] for port in services[target["name"]]["ports"]}
    stateful_set = one(environment, "StatefulSet")
    assert stateful_set["spec"]["serviceName"] in services
    sources = stateful_set["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert ("ConfigMap", sources[-1]["configMapRef"]["name"]) in names
    values = environment.overlay.values
    own = {volume["name"] for part in (values.backend, values.dashboard) for volume in part.extra_volumes}
    for _, template in pod_templates(environment):
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        if template["metadata"]["labels"]["app"].endswith("-backend"):
            volumes |= {claim["metadata"]["name"] for claim in stateful_set["spec"].get("volumeClaimTemplates", [])}
        for container in template["spec"]["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= volumes
            assert volumes - mounted <= own or not container["name"].startswith("convex-")
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container.get(kind)
                assert probe is None or probe["httpGet"]["port"] in {port["name"] for port in container["ports"]}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_object_names_its_overlay_and_no_pod_or_claim_does(case: Case) -> None:
    """A pod that did would be replaced when the overlay is renamed; a claim template can never change."""
    environment = case.environment()
    for manifest in environment.manifests:
        assert manifest["metadata"]["annotations"][OVERLAY_ANNOTATION] == case.name
        assert OVERLAY_ANNOTATION not in str(manifest.get("spec", {}))
    if NAMESPACE in environment.files:
        assert f"{OVERLAY_ANNOTATION}: {case.name}" in environment.files[NAMESPACE]


def test_the_annotation_of_the_overlay_is_not_the_users_to_set() -> None:
    assert faults_of(f"commonAnnotations: {{{OVERLAY_ANNOTATION}: mine}}") == [
        f'test.yaml:1: commonAnnotations["{OVERLAY_ANNOTATION}"]: is set on every object: remove it'
    ]


def test_own_labels_and_annotations_are_on_every_object_and_never_in_a_selector_or_claim_template() -> None:
    environment = case("labels").environment()
    for manifest in environment.manifests:
        assert manifest["metadata"]["labels"]["team"] == "convex"
        assert manifest["metadata"]["annotations"]["example.com/owner"] == "team@example.com"
    for name, template in pod_templates(environment):
        assert template["metadata"]["labels"]["team"] == "convex"
        assert template["metadata"]["labels"]["tier"] == {"backend": "data", "dashboard": "web"}[name.split("-")[1]]
        assert template["metadata"]["annotations"]["example.com/owner"] == "team@example.com"
        assert template["metadata"]["annotations"]["example.com/scrape"] == "false"
    (claim,) = one(environment, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"] == {"name": "data", "labels": {"app": "convex-backend"}}
    assert "tier" not in one(environment, "StatefulSet")["metadata"]["labels"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_namespace_is_on_every_object_or_on_none(case: Case) -> None:
    namespace = case.overlay().values.namespace or None
    for manifest in case.environment().manifests:
        assert manifest["kind"] != "Namespace"
        if manifest["kind"] == "ReferenceGrant":
            continue  # it is where the certificate is
        in_namespace = manifest["kind"] != "PriorityClass"
        assert manifest["metadata"].get("namespace") == (namespace if in_namespace else None)


def test_a_namespace_stands_apart_from_what_is_applied_and_deleted_day_by_day() -> None:
    files = case("namespace-created").environment().files
    assert "kind: Namespace\n" in files["Namespace"]
    assert "kind: Namespace\n" not in "".join(text for name, text in files.items() if name != "Namespace")
    assert "  - convex.k8s.yaml\n" in files["Kustomization"]
    assert "Namespace" not in files["Kustomization"].split("resources:")[1]
    assert "Namespace" not in case("namespace").environment().files


def test_pull_secrets_are_for_every_pod() -> None:
    for _, template in pod_templates(case("images").environment()):
        assert template["spec"]["imagePullSecrets"] == [{"name": "mirror"}, {"name": "other-mirror"}]


def test_images_are_pinned_by_tag_and_by_digest() -> None:
    environment = case("images").environment()
    tag = "652b828b5129e6cdbcaa3c20efa8d116d09ff3bf"
    expected = {"convex-backend": ("1", "Always"), "convex-dashboard": ("2", "Never")}
    for name, template in pod_templates(environment):
        (container,) = template["spec"]["containers"]
        digit, policy = expected[name]
        assert container["image"] == f"registry.example.com:5000/mirror/{name}:{tag}@sha256:{digit.zfill(64)}"
        assert container["imagePullPolicy"] == policy


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_pod_gets_a_token_or_the_variables_of_other_services(case: Case) -> None:
    for name, template in pod_templates(case.environment()):
        if "bootstrap" not in name:
            assert template["spec"]["automountServiceAccountToken"] is False
        assert template["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_pod_shares_processes_or_namespaces_of_the_host(case: Case) -> None:
    asked = case.name == "pods-in-full"  # it asks for less
    for _, template in pod_templates(case.environment()):
        assert not {"hostPID", "hostIPC", "hostNetwork", "shareProcessNamespace"} & template["spec"].keys()
        for container in template["spec"]["containers"]:
            if container["name"] == "helper":
                continue  # the user's own
            assert container["securityContext"]["allowPrivilegeEscalation"] is asked
            assert container["securityContext"]["capabilities"]["drop"] == (["NET_RAW"] if asked else ["ALL"])
            assert "privileged" not in container["securityContext"]
        profile = template["spec"]["securityContext"]["seccompProfile"]
        assert profile["type"] == ("Localhost" if asked else "RuntimeDefault")
