"""What an overlay passes through to the pods arrives as it is, or is an error with its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from convexctl.behaviour import predict
from tests.support.overlay_cases import OPTIONS, case, environment_of, faults_of, one

OVERLAY: dict[str, Any] = yaml.safe_load((OPTIONS / "pods-passed-through.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("component", "kind"), [("backend", "StatefulSet"), ("dashboard", "Deployment")])
def test_it_arrives_as_it_is(component: str, kind: str) -> None:
    pod = one(case("pods-passed-through").environment(), kind)["spec"]["template"]["spec"]
    given = OVERLAY[component]
    for key in ("affinity", "topologySpreadConstraints", "hostAliases", "initContainers"):
        assert pod.get(key) == given.get(key)
    assert pod["containers"][1:] == given.get("extraContainers", [])
    for volume in given["extraVolumes"]:
        assert volume in pod["volumes"]
    for mount in given["extraVolumeMounts"]:
        assert mount in pod["containers"][0]["volumeMounts"]


def test_size_limits_variables_and_services() -> None:
    environment = case("pods-passed-through").environment()
    volumes = {v["name"]: v for v in one(environment, "StatefulSet")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["data"]["emptyDir"] == {"sizeLimit": "2Gi"}
    assert volumes["tmp"]["emptyDir"] == {"sizeLimit": "8Gi"}
    (container,) = one(environment, "Deployment")["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert (variables["TZ"], variables["NEXT_TELEMETRY_DISABLED"]) == ("Europe/Berlin", "true")
    assert container["envFrom"] == [{"configMapRef": {"name": "dashboard-settings", "optional": True}}]
    backend = one(environment, "Service", "convex-backend-svc")["spec"]
    assert [port["nodePort"] for port in backend["ports"]] == [30210, 30211]
    assert one(environment, "Service", "convex-dashboard-svc")["spec"]["loadBalancerClass"] == "example.com/internal"


def test_service_accounts_are_made_and_used_without_their_token() -> None:
    environment = case("pods-passed-through").environment()
    for kind, name in (("StatefulSet", "convex-backend"), ("Deployment", "dashboard")):
        account = one(environment, "ServiceAccount", name)
        pod = one(environment, kind)["spec"]["template"]["spec"]
        assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == name
    account = one(environment, "ServiceAccount", "convex-backend")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam")


def test_a_service_account_that_exists_is_named_and_not_made() -> None:
    for key in ("serviceAccountName: mine", "serviceAccount: { name: mine }"):
        environment = environment_of(f"backend: {{ {key} }}")
        assert one(environment, "StatefulSet")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
        assert "ServiceAccount" not in {manifest["kind"] for manifest in environment.manifests}


def test_a_paused_backend_has_no_pod_and_says_so() -> None:
    environment = case("paused").environment()
    assert one(environment, "StatefulSet")["spec"]["replicas"] == 0
    assert any("backend.paused: is true: no pod" in warning for warning in environment.overlay.warnings)
    (backend,) = predict(environment.manifests).backends
    assert {row.name: row.decision.value for row in backend.rows()}["writers"] == "none"
    assert "nothing runs" in environment.files["README.md"]


def test_jobs_wait_while_the_backend_is_paused() -> None:
    paused = case("paused").environment()
    text = (OPTIONS / "paused.yaml").read_text(encoding="utf-8")
    running = environment_of(text.replace("paused: true", "paused: false"))
    for kind, name in (("CronJob", "convex-backup"), ("Job", None)):
        before, after = copy.deepcopy(one(paused, kind, name)), one(running, kind, name)
        assert before["metadata"]["name"] == after["metadata"]["name"]
        assert before["spec"].pop("suspend") is True
        assert before["spec"] == after["spec"]


def test_a_backup_uses_the_role_of_the_account_that_is_made() -> None:
    environment = environment_of(
        "postgres: {enabled: true}\ns3: {credentials: ambient, region: eu-central-1}\n"
        "backend: {serviceAccount: {create: true}}\nbackup: {enabled: true, s3: {bucket: team-backups}}\n"
    )
    job = one(environment, "CronJob", "convex-backup")["spec"]["jobTemplate"]["spec"]
    assert job["template"]["spec"]["serviceAccountName"] == "convex-backend"


def test_one_tag_for_both_images_and_a_tag_of_its_own_wins() -> None:
    environment = environment_of("{ image: { tag: aaa }, dashboard: { image: { tag: bbb } } }")
    images = {
        manifest["kind"]: manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        for manifest in environment.manifests
        if manifest["kind"] in ("StatefulSet", "Deployment")
    }
    assert images["StatefulSet"].endswith(":aaa")
    assert images["Deployment"].endswith(":bbb")


FAULTS = [
    ("backend: {affinity: {nodeAfinity: {}}}", "backend.affinity.nodeAfinity: is not a field of Affinity: did you"),
    ("backend: {extraVolumes: [{name: x, emptyDr: {}}]}", "backend.extraVolumes[0].emptyDr: is not a field of Volume"),
    ("backend: {extraVolumes: [{nam: x, emptyDir: {}}], extraVolumeMounts: [{name: x, mountPath: /x}]}",
     "backend.extraVolumes[0].nam: is not a field of Volume: did you mean name?"),
    ("backend: {extraVolumes: [{name: x, hostPath: {paht: /x}}], extraVolumeMounts: [{name: x, mountPath: /x}]}",
     "backend.extraVolumes[0].hostPath.paht: is not a field of HostPathVolumeSource: did you mean path?"),
    ("backend: {extraVolumes: [{name: x}]}", "backend.extraVolumes[0]: must have a name and one kind of volume"),
    ("backend: {extraVolumes: [{name: data, emptyDir: {}}]}", "backend.extraVolumes[0].name: is data, which"),
    ("dashboard: {hostAliases: {ip: 10.0.0.1}}", "dashboard.hostAliases: must be a list, not a map"),
    ("dashboard: {hostAliases: [{hostnames: [a]}]}", "dashboard.hostAliases[0]: has no ip"),
    ("backend: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedul}]}",
     "[0].whenUnsatisfiable: must be one of DoNotSchedule, ScheduleAnyway, not 'DoNotSchedul': did you mean"),
    ("backend: {initContainers: [{name: a, image: b, restartPolicy: Always}]}",
     "[0].restartPolicy: came with Kubernetes 1.28: set it with patches"),
    ("backend: {initContainers: [{name: a}]}", "backend.initContainers[0]: has no image"),
    ("backend: {extraContainers: [{name: convex-backend, image: b}]}", "backend.extraContainers[0].name: is convex-"),
    ("backend: {extraContainers: [{name: a, image: b, resources: {limits: {memory: 1 GB}}}]}",
     "resources.limits.memory: must be a Kubernetes quantity"),
    ("backend: {extraContainers: [{name: a, image: b, env: [{name: API_TOKEN, value: abc}]}]}",
     "backend.extraContainers[0].env[0]: looks like a secret by its name"),
    ("backend: {extraVolumeMounts: [{name: data, mountPath: /convex}]}", "[0].mountPath: is /convex, which would hide"),
    ("backend: {extraVolumeMounts: [{name: x, mountPath: /x}]}", "[0].name: is x, and no volume is called so"),
    ("backend: {serviceAccount: {annotations: {a: b}}}", "backend.serviceAccount.annotations: have no effect"),
    ("backend: {serviceAccountName: a, serviceAccount: {name: b}}", "backend.serviceAccountName: is another name"),
    ("dashboard: {env: {API_TOKEN: abc}}", "dashboard.env.API_TOKEN: looks like a secret"),
    ("dashboard: {env: {NEXT_PUBLIC_ADMIN_KEY: ''}}", "would hand the admin key to everybody"),
    ("dashboard: {env: {PORT: 1}}", "dashboard.env.PORT: is set by the overlay itself"),
    ("backend: {persistence: {enabled: true, sizeLimit: 1Gi}}", "backend.persistence.sizeLimit: is of the emptyDir"),
    ("backend: {runtimeClassName: gvisor}", "backend.runtimeClassName: is not a parameter, and a field of Kub"),
    ("service: {backend: {nodePort: 30000}}", "service.backend.nodePort: needs type NodePort or LoadBalancer"),
    ("service: {dashboard: {loadBalancerClass: a/b}}", "loadBalancerClass: needs type LoadBalancer, not ClusterIP"),
    ("service: {backend: {type: NodePort, nodePort: 30000, actionsNodePort: 30000}}", "is 30000, which service."),
    ("image: {tag: 'a b'}", "image.tag: must be an image tag"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_fault_has_its_place(text: str, said: str) -> None:
    (message,) = faults_of(text)
    assert message.startswith("test.yaml:1: ")
    assert said in message
