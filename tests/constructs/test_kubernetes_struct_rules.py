"""What is wrong between the fields of a pod, a workload, a quota or a Role, with its place; and what is right."""

from __future__ import annotations

from typing import Any

import pytest
from convex_k8s.values.kubernetes.field_checks import FIELDS
from convex_k8s.values.kubernetes.struct_checks import faults, list_faults

Struct = dict[str, Any]
Place = tuple[str | int, ...]

LABELLED: Struct = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}
TARGET: Struct = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"}}
GPU = "nvidia.com/gpu"
WINDOWS: Struct = {"securityContext": {"windowsOptions": {"hostProcess": True}}}
MOUNTED: Struct = {"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
CLAIM: Struct = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
FOLDER: Struct = {"name": "v", "emptyDir": {}}
DEVICE: Struct = {"volumeDevices": [{"name": "v", "devicePath": "/d"}]}
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/a"


def pod(*containers: Struct, **more: Any) -> Struct:
    return {"containers": [{"name": f"c{number}", **each} for number, each in enumerate(containers)], **more}


def annotated(annotations: Struct, **more: Any) -> Struct:
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "a"}], **more}}


def job(**more: Any) -> Struct:
    return {"template": {"spec": {"restartPolicy": "Never"}}, **more}


def amount(**more: Any) -> Struct:
    return {"type": "Container", **more}


WRONG: list[tuple[str, Struct, Place]] = [
    # Autoscalers, quotas and limits.
    ("HorizontalPodAutoscalerSpec", {**TARGET, "minReplicas": 3, "maxReplicas": 2}, ("minReplicas",)),
    ("HorizontalPodAutoscalerSpec", {**TARGET, "minReplicas": 0, "maxReplicas": 2}, ("minReplicas",)),
    (
        "HorizontalPodAutoscalerSpec",
        {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "a/b/c", "kind": "Deployment"}},
        ("scaleTargetRef", "apiVersion"),
    ),
    ("MetricSpec", {"type": "Pods", "pods": {"target": {}}}, ("pods", "target")),
    ("MetricSpec", {"type": "Resource", "resource": {"target": {"averageUtilization": 1, "averageValue": 1}}},
     ("resource", "target")),
    ("MetricSpec", {"type": "Pods", "pods": {"target": {"averageValue": 1}}, "external": {"target": {}}},
     ("external",)),
    ("MetricTarget", {"averageValue": "0"}, ("averageValue",)),
    ("MetricTarget", {"value": "-1"}, ("value",)),
    ("HPAScalingRules", {"policies": []}, ("policies",)),
    ("LimitRangeItem", {"type": "Pod", "default": {"cpu": 1}}, ("default",)),
    ("LimitRangeItem", {"type": "PersistentVolumeClaim", "default": {"storage": 1}}, ()),
    ("LimitRangeItem", amount(min={"cpu": 2}, defaultRequest={"cpu": 1}), ("min", "cpu")),
    ("LimitRangeItem", amount(default={"cpu": 2}, max={"cpu": 1}), ("default", "cpu")),
    ("LimitRangeItem", amount(maxLimitRequestRatio={"cpu": "500m"}), ("maxLimitRequestRatio", "cpu")),
    ("LimitRangeItem", amount(min={"cpu": 1}, max={"cpu": 2}, maxLimitRequestRatio={"cpu": 3}),
     ("maxLimitRequestRatio", "cpu")),
    ("LimitRangeItem", amount(max={"storage": 1}), ("max", "storage")),
    ("ResourceQuotaSpec", {"hard": {"pods": "1500m"}}, ("hard", "pods")),
    ("ResourceQuotaSpec", {"hard": {"count/jobs.batch": "0.5"}}, ("hard", "count/jobs.batch")),
    ("ResourceQuotaSpec", {"hard": {"requests.disk": 1}}, ("hard", "requests.disk")),
    ("ResourceQuotaSpec", {"scopes": ["Terminating", "NotTerminating"]}, ("scopes",)),
    ("ScopedResourceSelectorRequirement", {"scopeName": "BestEffort", "operator": "In", "values": ["a"]},
     ("operator",)),
    ("ScopedResourceSelectorRequirement", {"scopeName": "PriorityClass", "operator": "NotIn"}, ()),
    ("ScopedResourceSelectorRequirement", {"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]},
     ("values",)),
    # Workloads.
    ("DeploymentSpec", {"template": {}}, ("selector",)),
    ("DeploymentSpec", {**LABELLED, "template": {}}, ("selector", "matchLabels")),
    ("DeploymentSpec", {**LABELLED, "minReadySeconds": 600}, ()),
    ("DeploymentSpec", {**LABELLED, "minReadySeconds": 9, "progressDeadlineSeconds": 9}, ()),
    ("DaemonSetSpec", {**LABELLED, "template": {**LABELLED["template"], "spec": {"restartPolicy": "Never"}}},
     ("template", "spec", "restartPolicy")),
    ("StatefulSetSpec", {**LABELLED, "volumeClaimTemplates": [{"metadata": {"name": "v"}}, {}]},
     ("volumeClaimTemplates", 1)),
    ("StatefulSetUpdateStrategy", {"type": "OnDelete", "rollingUpdate": {}}, ("rollingUpdate",)),
    ("DeploymentStrategy", {"type": "Recreate", "rollingUpdate": {}}, ("rollingUpdate",)),
    ("RollingUpdateDeployment", {"maxSurge": "0%", "maxUnavailable": 0}, ("maxUnavailable",)),
    ("RollingUpdateDaemonSet", {"maxSurge": 0, "maxUnavailable": "0%"}, ("maxUnavailable",)),
    ("RollingUpdateDaemonSet", {"maxSurge": 1}, ("maxSurge",)),
    ("Pod", {"spec": pod(MOUNTED)}, ("spec", "containers", 0, "volumeMounts", 0, "name")),
    ("JobSpec", {"template": {"spec": {"restartPolicy": "Always"}}}, ("template", "spec")),
    ("JobSpec", job(backoffLimitPerIndex=1), ("backoffLimitPerIndex",)),
    ("JobSpec", job(manualSelector=True), ()),
    ("JobSpec", job(selector={"matchLabels": {"a": "b"}}), ()),
    ("PodFailurePolicyRule", {"action": "Ignore"}, ()),
    ("PodFailurePolicyRule", {"onExitCodes": {"a": 1}, "onPodConditions": [{}]}, ()),
    ("PodDisruptionBudgetSpec", {"minAvailable": -1}, ("minAvailable",)),
    ("PodDisruptionBudgetSpec", {"maxUnavailable": "half"}, ("maxUnavailable",)),
    # Amounts.
    ("ResourceRequirements", {"limits": {"requests.a/b": 1}}, ("limits", "requests.a/b")),
    ("ResourceRequirements", {"limits": {"cpu": "-1"}}, ("limits", "cpu")),
    ("ResourceRequirements", {"limits": {GPU: "500m"}}, ("limits", GPU)),
    ("ResourceRequirements", {"limits": {GPU: 2}, "requests": {GPU: 1}}, ("requests", GPU)),
    ("ResourceRequirements", {"limits": {"cpu": 1, "hugepages-x": 1}}, ("limits", "hugepages-x")),
    ("ResourceFieldSelector", {"resource": "limits.memory", "divisor": "3"}, ("divisor",)),
    ("ResourceFieldSelector", {"resource": "limits.cpu", "divisor": "1k"}, ("divisor",)),
    ("ResourceFieldSelector", {"resource": "limits.memory", "divisor": "1e3"}, ("divisor",)),
    # Structures of a pod.
    ("NodeSelectorTerm", {"matchFields": [{"key": "metadata.name", "operator": "Exists"}]}, ("matchFields", 0)),
    ("NodeSelectorTerm", {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["A"]}]},
     ("matchFields", 0, "values", 0)),
    ("TopologySpreadConstraint", {"matchLabelKeys": ["a"]}, ("matchLabelKeys",)),
    ("Toleration", {"operator": "Exists", "value": "a"}, ("value",)),
    ("Toleration", {"operator": "Equal"}, ()),
    ("Toleration", {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}, ("tolerationSeconds",)),
    ("SeccompProfile", {"type": "RuntimeDefault", "localhostProfile": "a"}, ()),
    ("SeccompProfile", {"type": "Localhost", "localhostProfile": "/a"}, ("localhostProfile",)),
    ("SeccompProfile", {"type": "Localhost", "localhostProfile": "a/../b"}, ("localhostProfile",)),
    ("Container", {"startupProbe": {"successThreshold": 2}}, ("startupProbe", "successThreshold")),
    ("Container", {"readinessProbe": {"terminationGracePeriodSeconds": 1}},
     ("readinessProbe", "terminationGracePeriodSeconds")),
    ("DownwardAPIVolumeFile", {"resourceFieldRef": {"resource": "limits.cpu"}}, ("resourceFieldRef",)),
    ("EnvVarSource", {"fieldRef": {"fieldPath": "metadata.labels"}}, ("fieldRef", "fieldPath")),
    ("EnvVarSource", {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v2"}}, ("fieldRef", "apiVersion")),
    ("ISCSIVolumeSource", {"chapAuthSession": True}, ()),
    ("PodSecurityContext", {"sysctls": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, ("sysctls", 2, "name")),
    ("PodSpec", pod(dnsPolicy="None"), ()),
    ("PodSpec", pod(hostPID=True, shareProcessNamespace=True), ("shareProcessNamespace",)),
    ("PodSpec", {"initContainers": [{"name": "a"}], "containers": [{"name": "a"}]}, ("containers", 0, "name")),
    ("PodSpec", {"initContainers": [{"name": "a", "lifecycle": {}}]}, ("initContainers", 0, "lifecycle")),
    ("PodSpec", pod(schedulingGates=[{"name": "a/b"}], nodeName="n"), ("nodeName",)),
    ("PodSpec", pod(hostNetwork=True, securityContext={"sysctls": [{"name": "net/core/a"}]}),
     ("securityContext", "sysctls", 0, "name")),
    ("PodSpec", pod(hostIPC=True, securityContext={"sysctls": [{"name": "kernel.msgmax"}]}),
     ("securityContext", "sysctls", 0, "name")),
    ("PodSpec", pod(hostIPC=True, hostUsers=False), ("hostIPC",)),
    ("PodSpec", pod(resources={"requests": {GPU: 1}}), ("resources",)),
    ("PodSpec", pod(WINDOWS, {}), ("containers", 0, "securityContext", "windowsOptions", "hostProcess")),
    ("PodSpec", pod(WINDOWS), ("containers", 0, "securityContext", "windowsOptions", "hostProcess")),
    ("PodSpec", pod(WINDOWS, securityContext={"windowsOptions": {"hostProcess": False}}),
     ("containers", 0, "securityContext", "windowsOptions", "hostProcess")),
    ("Pod", {"spec": pod(MOUNTED | DEVICE, volumes=[CLAIM])}, ("spec", "containers", 0, "volumeDevices", 0, "name")),
    ("Pod", {"spec": pod(DEVICE, volumes=[FOLDER])}, ("spec", "containers", 0, "volumeDevices", 0, "name")),
    ("Pod", {"spec": pod({**DEVICE, "volumeMounts": [{"name": "w", "mountPath": "/d"}]},
                         volumes=[CLAIM, {**FOLDER, "name": "w"}])},
     ("spec", "containers", 0, "volumeDevices", 0, "devicePath")),
    ("PodTemplateSpec", annotated({f"{APPARMOR}b": "unconfined"}), ("metadata", "annotations", f"{APPARMOR}b")),
    ("PodTemplateSpec", annotated({APPARMOR: "none"}), ("metadata", "annotations", APPARMOR)),
    ("PodTemplateSpec", annotated({SECCOMP: "localhost//a"}), ("metadata", "annotations", SECCOMP)),
    ("PodTemplateSpec", annotated({SECCOMP: "localhost/../a"}), ("metadata", "annotations", SECCOMP)),
    ("PodTemplateSpec",
     annotated({SECCOMP: "unconfined"}, securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
     ("metadata", "annotations", SECCOMP)),
    # Others.
    ("PolicyRule", {"verbs": ["get"], "resources": ["pods"]}, ()),
    ("PolicyRule", {"apiGroups": [""], "resources": ["pods"], "nonResourceURLs": ["/a"]}, ("nonResourceURLs",)),
    ("Secret", {"type": "kubernetes.io/service-account-token"}, ("metadata",)),
    ("PersistentVolumeClaimSpec",
     {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"], "resources": {"requests": {"storage": 1}}},
     ("accessModes",)),
    ("PersistentVolumeClaimSpec", {"resources": {"requests": {"storage": "0"}}}, ("resources", "requests", "storage")),
    ("PersistentVolumeSpec", {}, ()),
    ("PersistentVolumeSpec", {"capacity": {"storage": "-1"}}, ("capacity", "storage")),
    ("PodResourceClaim", {"name": "a"}, ()),
    ("PodResourceClaim", {"resourceClaimName": "a", "resourceClaimTemplateName": "b"}, ()),
    ("Any", {"kind": "Any", "metadata": {"finalizers": ["orphan", "cleanup"]}}, ("metadata", "finalizers", 1)),
    ("Any", {"kind": "Any", "metadata": {"finalizers": ["orphan", "foregroundDeletion"]}}, ("metadata", "finalizers")),
]  # fmt: skip
RIGHT: list[tuple[str, Struct]] = [
    ("HorizontalPodAutoscalerSpec", {**TARGET, "minReplicas": 2}),
    ("HorizontalPodAutoscalerSpec", {**TARGET, "minReplicas": 2, "maxReplicas": 2}),
    ("HorizontalPodAutoscalerSpec", {**TARGET, "minReplicas": 0, "maxReplicas": 2, "metrics": [{"type": "External"}]}),
    ("MetricSpec", {"type": "Object", "object": {"target": {"value": 1}}}),
    ("MetricTarget", {"averageValue": "1m"}),
    ("HPAScalingRules", {}),
    ("LimitRangeItem", {"type": "PersistentVolumeClaim", "max": {"storage": 1}}),
    ("LimitRangeItem", amount(min={"cpu": 1}, max={"cpu": 2, GPU: 1}, maxLimitRequestRatio={"cpu": 2})),
    ("ResourceQuotaSpec", {"hard": {"requests.hugepages-2Mi": 1, "limits.cpu": "1500m", "requests.storage": "1Gi"}}),
    ("ResourceQuotaSpec", {"scopes": ["Terminating", "BestEffort"]}),
    ("ScopedResourceSelectorRequirement", {"scopeName": "BestEffort", "operator": "Exists"}),
    ("DeploymentSpec", {**LABELLED, "minReadySeconds": 599}),
    ("DeploymentSpec", {"selector": {"matchExpressions": [{}]}, "template": {"spec": {"restartPolicy": "Always"}}}),
    ("StatefulSetUpdateStrategy", {"type": "OnDelete"}),
    ("RollingUpdateDeployment", {"maxSurge": 0}),
    ("RollingUpdateDaemonSet", {"maxSurge": "10%", "maxUnavailable": 0}),
    ("JobSpec", job(backoffLimitPerIndex=1, completionMode="Indexed")),
    ("JobSpec", job(selector={"matchLabels": {"a": "b"}}, manualSelector=True)),
    ("PodFailurePolicyRule", {"onExitCodes": {"a": 1}}),
    ("PodDisruptionBudgetSpec", {"minAvailable": 0}),
    ("PodDisruptionBudgetSpec", {"maxUnavailable": "50%"}),
    ("ResourceRequirements", {"limits": {GPU: 1, "memory": 2}, "requests": {GPU: 1, "memory": 2}}),
    ("ResourceFieldSelector", {"resource": "limits.memory", "divisor": "0"}),
    ("ResourceFieldSelector", {"resource": "limits.memory", "divisor": "1Gi"}),
    ("ResourceFieldSelector", {"resource": "limits.memory", "divisor": "1k"}),
    ("NodeSelectorTerm", {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["a"]}]}),
    ("TopologySpreadConstraint", {"matchLabelKeys": ["a"], "labelSelector": {}}),
    ("Toleration", {"operator": "Exists"}),
    ("Toleration", {"key": "a", "effect": "NoExecute", "tolerationSeconds": 1}),
    ("SeccompProfile", {"type": "Localhost", "localhostProfile": "a/b"}),
    ("DownwardAPIVolumeFile", {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "a"}}),
    ("DownwardAPIVolumeFile", {"fieldRef": {"fieldPath": "metadata.labels"}}),
    ("ISCSIVolumeSource", {"chapAuthSession": True, "secretRef": {"name": "a"}}),
    ("PodSpec", pod(dnsPolicy="None", dnsConfig={"nameservers": ["10.0.0.1"]})),
    ("PodSpec", {"initContainers": [{"name": "a", "lifecycle": {}, "restartPolicy": "Always"}]}),
    ("PodSpec", pod(hostNetwork=True, securityContext={"sysctls": [{"name": "kernel.msgmax"}]})),
    ("PodSpec", pod(WINDOWS, WINDOWS, hostNetwork=True)),
    ("PodSpec", pod({}, hostNetwork=True, **WINDOWS)),
    ("PodSpec", pod(resources={"limits": {"cpu": 1, "hugepages-2Mi": 1}})),
    ("Pod", {"spec": pod(DEVICE, volumes=[CLAIM])}),
    ("PodTemplateSpec", annotated({SECCOMP: "localhost/a/b", APPARMOR: "localhost/own"})),
    ("PodTemplateSpec",
     annotated({SECCOMP: "unconfined"}, securityContext={"seccompProfile": {"type": "Unconfined"}})),
    ("PolicyRule", {"nonResourceURLs": ["/a"]}),
    ("Secret", {"type": "kubernetes.io/service-account-token",
                "metadata": {"annotations": {"kubernetes.io/service-account.name": "a"}}}),
    ("PersistentVolumeClaimSpec", {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}),
    ("PersistentVolumeSpec", {"capacity": {"storage": "1Gi"}}),
    ("PodResourceClaim", {"resourceClaimTemplateName": "b"}),
    ("Any", {"kind": "Any", "metadata": {"finalizers": ["orphan", "kubernetes", "a.io/b"]}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "place"), WRONG)
def test_what_is_wrong_is_told_once_with_its_place(kind: str, value: Struct, place: Place) -> None:
    (problem,) = faults(kind, value)
    assert problem.path == place


@pytest.mark.parametrize(("kind", "value"), RIGHT)
def test_what_is_right_passes(kind: str, value: Struct) -> None:
    assert list(faults(kind, value)) == []


@pytest.mark.parametrize(
    ("kind", "items", "places"),
    [
        ("ContainerPort", [{"containerPort": 1}, {"containerPort": 1}], []),
        ("ContainerPort", [{"hostPort": 1}, {"hostPort": 1, "protocol": "TCP"}], [(1, "hostPort")]),
        ("ContainerPort", [{"hostPort": 1}, {"hostPort": 1, "hostIP": "10.0.0.1"}], []),
        ("ServicePort", [{"port": 1}, {"port": 1, "protocol": "UDP"}], []),
        ("ServicePort", [{"port": 1}, {"port": 1}], [(1, "port")]),
        ("ServicePort", [{"port": 1, "nodePort": 3}, {"port": 3, "nodePort": 3}], [(1, "nodePort")]),
        ("ContainerResizePolicy", [{"resourceName": "cpu"}, {"resourceName": "cpu"}], [(1, "resourceName")]),
        ("LimitRangeItem", [{"type": "Pod"}, {"type": "Container"}, {"type": "Pod"}], [(2, "type")]),
        ("VolumeDevice", [{"name": "a"}, {"name": "a"}], [(1, "name")]),
        ("Other", [{"name": "a"}, {"name": "a"}], []),
    ],
    ids=str,
)
def test_what_is_twice_in_a_list(kind: str, items: list[Struct], places: list[Place]) -> None:
    assert [problem.path for problem in list_faults(kind, items)] == places


VALUES: list[tuple[str, list[Any], list[Any]]] = [
    ("ContainerPort.containerPort", [1, 65535], [0, 65536]),
    ("ContainerPort.name", ["a", "a-1", "a" * 15], ["a" * 16, "1", "a--b", "A", "-a"]),
    ("EnvVar.name", ["_a", "a.b", "-a"], ["1a", "a b"]),
    ("HostAlias.ip", ["10.0.0.1", "::1"], ["10.0.0", "a"]),
    ("IPBlock.cidr", ["10.0.0.1/8", "fd00::/8"], ["10.0.0.1", "10.0.0.0/33"]),
    ("ServiceSpec.loadBalancerSourceRanges", [["10.0.0.0/8", " 10.1.0.0/16"]], [["10.0.0.1/8"], ["10.0.0.0"], [""]]),
    ("ServiceSpec.externalIPs", [["10.0.0.1"]], [["127.0.0.1"], ["224.0.0.1"], ["ff02::1"], ["169.254.1.1"], ["a"]]),
    ("ServiceSpec.externalName", ["a.b", "a.b."], ["A", "a..b"]),
    ("ServicePort.targetPort", [0, 1, "http"], [65536, "HTTP"]),
    ("SecretVolumeSource.defaultMode", [0, 511], [-1, 512]),
    ("KeyToPath.path", ["a/b", "a/..b"], ["/a", "a/../b", "..a"]),
    ("PodSpec.nodeSelector", [{"a.b/c": "d", "e": ""}], [{"a b": "c"}, {"a": "b c"}, {"a": "b" * 64}]),
    ("PodSecurityContext.runAsUser", [0, 2**31 - 1], [-1, 2**31]),
    ("ResourceQuotaSpec.hard", [{"cpu": 0}], [{"cpu": "-1"}]),
    ("RollingUpdateDeployment.maxSurge", [0, "200%"], [-1, "1", "x%"]),
    ("RollingUpdateDeployment.maxUnavailable", [0, "100%"], [-1, "101%"]),
    ("WeightedPodAffinityTerm.weight", [1, 100], [0, 101]),
    ("WindowsSecurityContextOptions.runAsUserName", ["a", "d\\a"], ["a/b", "a\\b\\c"]),
    ("ISCSIVolumeSource.iqn",
     ["iqn.2001-04.com.example:a", "eui." + "0" * 16, "naa." + "f" * 32],
     ["iqn.2001-4.com.example:a", "eui." + "0" * 15, "naa." + "f" * 33, "a"]),
    ("IngressRule.host", ["a.b", "*.a.b"], ["10.0.0.1", "*a.b", "a.*"]),
    ("Sysctl.name", ["net.core.a", "net/core/a_b"], ["A", "a..b", "a."]),
    ("HTTPHeader.name", ["X-A"], ["X A"]),
    ("StorageClass.provisioner", ["EBS.csi.aws.com", "a/b"], ["a b"]),
    ("HostPathVolumeSource.path", ["/a", "a..b"], ["/a/../b", ".."]),
    ("CrossVersionObjectReference.name", ["a.b"], ["..", "a/b"]),
    ("DeploymentSpec.progressDeadlineSeconds", [1], [0]),
    ("ServiceAccountTokenProjection.expirationSeconds", [600, 2**32], [599, 2**32 + 1]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "right", "wrong"), VALUES, ids=[field for field, _, _ in VALUES])
def test_the_bounds_of_a_value(field: str, right: list[Any], wrong: list[Any]) -> None:
    check = FIELDS[field]
    assert {repr(value): check(value) for value in right if check(value)} == {}
    assert [value for value in wrong if not check(value)] == []
