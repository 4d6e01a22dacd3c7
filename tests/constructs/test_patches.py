"""Patches and extra objects, from the overlay to the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from convex_k8s.values.labels import selects

from convexctl.audit import audit
from convexctl.overlays.names import OverlayError
from convexctl.synth.environment import MANIFESTS, NAMESPACE, synthesise_all
from tests.support.overlay_cases import case, environment_of, faults_of, one


def patched(target: str, patch: str, more: str = "") -> str:
    return f"{more}\npatches:\n  - target: {target}\n    patch: {patch}\n"


def refused(text: str) -> list[str]:
    """The messages about patches, without folder and overlay's name."""
    with pytest.raises(OverlayError) as caught:
        environment_of(text)
    return [message.rpartition("/test.yaml:")[2] for message in caught.value.messages]


def test_both_kinds_of_patches_reach_every_object_that_they_are_for() -> None:
    environment = case("patches").environment()
    backend = one(environment, "StatefulSet")
    assert backend["spec"]["updateStrategy"] == {"type": "OnDelete"}
    pod = backend["spec"]["template"]["spec"]
    assert pod["dnsConfig"] == {"options": [{"name": "ndots", "value": "1"}]}
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == ["data", "tmp"]
    families = {
        service["metadata"]["name"]: service["spec"].get("ipFamilyPolicy")
        for service in environment.manifests
        if service["kind"] == "Service"
    }
    assert families == {
        "convex-backend-svc": "PreferDualStack",
        "convex-backend-headless": None,
        "convex-dashboard-svc": "PreferDualStack",
    }
    assert one(environment, "Deployment")["spec"]["replicas"] == 2
    labels = yaml.safe_load(environment.files[NAMESPACE])["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_what_is_not_patched_stays_as_it_is_to_the_letter() -> None:
    plain = environment_of("{}").files[MANIFESTS].split("---\n")
    other = environment_of(patched("{kind: Deployment}", "{spec: {replicas: 2}}")).files[MANIFESTS].split("---\n")
    ((before, after),) = [pair for pair in zip(plain, other, strict=True) if pair[0] != pair[1]]
    assert before.replace("replicas: 1", "replicas: 2") == after


def test_a_patch_finds_its_objects_by_their_annotations() -> None:
    text = patched(
        "{kind: Service, annotationSelector: 'team in (web, data)'}",
        "{spec: {sessionAffinity: ClientIP}}",
        "service: {dashboard: {annotations: {team: web}}}",
    )
    services = [each for each in environment_of(text).manifests if each["kind"] == "Service"]
    sticky = [each["metadata"]["name"] for each in services if "sessionAffinity" in each["spec"]]
    assert sticky == ["convex-dashboard-svc"]


def test_the_file_of_the_namespace_holds_no_extra_object() -> None:
    extra = "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}]"
    environment = environment_of(f"namespace: shop\ncreateNamespace: true\n{extra}")
    assert one(environment, "ConfigMap", "mine")["metadata"]["namespace"] == "shop"
    assert [each["kind"] for each in yaml.safe_load_all(environment.files[NAMESPACE])] == ["Namespace"]


def test_extra_objects_get_what_they_leave_out() -> None:
    environment = case("extra-objects").environment()
    config = one(environment, "ConfigMap", "motd")
    assert config["data"] == {"greeting": "hello"}
    assert config["metadata"]["namespace"] == "convex"
    assert config["metadata"]["labels"]["team"] == "web"
    assert config["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "convex-k8s"
    assert config["metadata"]["annotations"]["example.com/owner"] == "platform"
    assert "namespace" not in one(environment, "PriorityClass")["metadata"]


def test_the_audit_of_our_own_output_sees_a_patch_that_breaks_a_guarantee() -> None:
    environment = environment_of(patched("{kind: StatefulSet}", "{spec: {replicas: 2}}"))
    assert "several-writers" in {finding.rule.id for finding in audit(environment.manifests).findings}


REFUSED = [
    ("{kind: StatefulSet, name: convex-backnd}", "{spec: {}}",
     "3: patches[0].target: fits no object of this environment: did you mean StatefulSet convex-backend?"),
    ("{kind: StatefulSet, name: backend}", "{spec: {}}", "3: patches[0].target: fits no object"),
    ("{kind: StatefulSet, group: batch}", "{spec: {}}", "3: patches[0].target: fits no object"),
    ("{kind: StatefulSet}", "{spec: {template: {spec: {runtimeClasName: x}}}}",
     "4: patches[0].patch.spec.template.spec.runtimeClasName: is not a field of PodSpec: "
     "did you mean runtimeClassName?"),
    ("{kind: StatefulSet}", "{spec: {replicas: '2'}}",
     "4: patches[0].patch.spec.replicas: must be a whole number, not a string: write 2 without quotes"),
    ("{kind: StatefulSet}", "[{op: add, path: /spec/replcas, value: 1}]",
     "4: patches[0].patch: makes StatefulSet convex-backend invalid: spec.replcas is not a field of StatefulSetSpec: "
     "did you mean replicas?"),
    ("{kind: StatefulSet}", "[{op: replace, path: /spec/foo, value: 1}]",
     "4: patches[0].patch[0].path: leads nowhere: there is no foo in /spec"),
    ("{kind: Deployment}", "{$patch: delete}", "4: patches[0].patch.$patch: deletes the whole object"),
    ("{kind: StatefulSet}", "{metadata: {name: other}}", "4: patches[0].patch: changes apiVersion, kind, name"),
    ("{kind: Deployment}", "{spec: {template: {spec: {containers: [{name: convex-dashboard, $patch: delete}]}}}}",
     "4: patches[0].patch.spec.template.spec: has no containers"),
    ("{kind: StatefulSet}", "[{op: remove, path: /spec}]",
     "4: patches[0].patch: takes spec away from StatefulSet convex-backend, which needs it"),
    ("{kind: StatefulSet}", "{spec: {template: {spec: {volumes: null}}}}",
     "4: patches[0].patch: takes spec.template.spec.volumes away from StatefulSet convex-backend"),
    ("{kind: ConfigMap}", "{data: {CONVEX_CLOUD_ORIGIN: null}}",
     "4: patches[0].patch: takes data.CONVEX_CLOUD_ORIGIN away from ConfigMap convex-config"),
    ("{kind: Service, name: convex-backend-svc}", "[{op: remove, path: /spec/ports/0}]",
     "4: patches[0].patch: takes the port api away from Service convex-backend-svc"),
    ("{kind: Service, annotationSelector: 'team=web'}", "{spec: {}}", "3: patches[0].target: fits no object"),
    ("{kind: Deployment}", "[{op: replace, path: /metadata, value: 1}]", "4: patches[0].patch: changes apiVersion"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "patch", "said"), REFUSED)
def test_a_patch_that_cannot_be_applied(target: str, patch: str, said: str) -> None:
    (message,) = refused(patched(target, patch))
    assert message.startswith(said)


def test_a_secret_gets_no_data_by_a_patch_either() -> None:
    secret = "extraObjects: [{apiVersion: v1, kind: Secret, metadata: {name: token}, type: example.com/token}]"
    (message,) = refused(patched("{kind: Secret}", "{stringData: {token: abc}}", secret))
    assert "is a Secret with data" in message


def test_the_faults_of_all_overlays_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"releaseName: {name}\n{patched('{kind: Job}', '{spec: {}}')}")
    with pytest.raises(OverlayError) as caught:
        synthesise_all(tmp_path)
    assert [message.partition(":")[0] for message in caught.value.messages] == [
        str(tmp_path / "one.yaml"),
        str(tmp_path / "two.yaml"),
    ]


NO_OVERLAY = [
    ("patches: [{target: {}, patch: {spec: {}}}]", "patches[0].target: must have a kind or a name"),
    ("patches: [{patch: {spec: {}}}]", "patches[0].target: is missing"),
    ("patches: [{target: {kind: '('}, patch: {a: b}}]", "patches[0].target.kind: must be a regular expression"),
    ("patches: [{target: {kind: A, labelSelector: 'a b'}, patch: {a: b}}]", "must be a label selector"),
    ("patches: [{target: {kind: A}, patch: '[]'}]", "patches[0].patch: must be a list of operations or a map"),
    ("patches: [{target: {kind: A}, patch: [{op: ad, path: /x}]}]", "patches[0].patch[0].op: must be an operation"),
    ("patches: [{target: {kind: A}, patch: [{op: add, path: /x}]}]", "patches[0].patch[0]: has no value"),
    ("patches: [{target: {kind: A}, patch: [{op: remove, path: x}]}]", "patches[0].patch[0].path: must be a JSON"),
    ("extraObjects: [{kind: ConfigMap}]", "extraObjects[0]: has no apiVersion and no metadata.name"),
    ("extraObjects: [{apiVersion: v1, kind: List, metadata: {name: a}}]", "extraObjects[0].kind: is a list"),
    ("extraObjects: [{apiVersion: v1, kind: Namespace, metadata: {name: a}}]", "is made by createNamespace"),
    ("extraObjects: [{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: YQ==}}]", "is a Secret with data"),
    ("extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, dat: {}}]",
     "extraObjects[0].dat: is not a field of ConfigMap: did you mean data?"),
    ("extraObjects: [&a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}, *a]",
     "extraObjects[1]: is in the list"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NO_OVERLAY)
def test_what_makes_no_overlay(text: str, said: str) -> None:
    (message,) = faults_of(text)
    assert said in message


def test_an_extra_object_is_none_of_ours() -> None:
    text = "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: convex-config}}]"
    (message,) = refused(text)
    assert "is made by the overlay already: change it with patches" in message


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("app=convex", True),
        ("app==convex,tier", True),
        ("app!=convex", False),
        ("tier in (a, b)", True),
        ("tier notin (a,b)", False),
        ("!tier", False),
        ("!other,app", True),
        ("other", False),
    ],
)
def test_label_selectors(selector: str, fits: bool) -> None:
    assert selects(selector, {"app": "convex", "tier": "a"}) is fits
