"""What the API server wants of a field beyond its type, which its schemas do not say."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from convex_k8s.secrecy import shown
from convex_k8s.values.base import LABEL, LARGEST, QUALIFIED, SECRET_KEY, SUBDOMAIN
from convex_k8s.values.schedule import schedule_fault
from convex_k8s.values.time_zone import zone_fault

Check = Callable[[Any], str]

_POLICIES = ("Always", "IfNotPresent", "Never")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
CHOICES: dict[str, tuple[str, ...]] = {
    "Container.imagePullPolicy": _POLICIES,
    "Container.terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "ContainerPort.protocol": ("TCP", "UDP", "SCTP"),
    "ContainerResizePolicy.resourceName": ("cpu", "memory"),
    "ContainerResizePolicy.restartPolicy": ("NotRequired", "RestartContainer"),
    "CronJobSpec.concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "DaemonSetUpdateStrategy.type": ("RollingUpdate", "OnDelete"),
    "DeploymentStrategy.type": ("RollingUpdate", "Recreate"),
    "HTTPGetAction.scheme": ("HTTP", "HTTPS"),
    "HTTPIngressPath.pathType": ("Prefix", "Exact", "ImplementationSpecific"),
    "HostPathVolumeSource.type": (
        "",
        "DirectoryOrCreate",
        "Directory",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ),
    "JobSpec.completionMode": ("NonIndexed", "Indexed"),
    "LabelSelectorRequirement.operator": _OPERATORS,
    "NetworkPolicyPort.protocol": ("TCP", "UDP", "SCTP"),
    "NetworkPolicySpec.policyTypes": ("Ingress", "Egress"),
    "NodeSelectorRequirement.operator": (*_OPERATORS, "Gt", "Lt"),
    "PersistentVolumeClaimSpec.accessModes": ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "PersistentVolumeClaimSpec.volumeMode": ("Filesystem", "Block"),
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "PodOS.name": ("linux", "windows"),
    "PodSecurityContext.fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "PodSpec.dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "PodSpec.preemptionPolicy": ("PreemptLowerPriority", "Never"),
    "PodSpec.restartPolicy": ("Always", "OnFailure", "Never"),
    "RoleRef.kind": ("Role", "ClusterRole"),
    "SeccompProfile.type": ("RuntimeDefault", "Unconfined", "Localhost"),
    "SecurityContext.procMount": ("Default", "Unmasked"),
    "ServicePort.protocol": ("TCP", "UDP", "SCTP"),
    "ServiceSpec.externalTrafficPolicy": ("Cluster", "Local"),
    "ServiceSpec.internalTrafficPolicy": ("Cluster", "Local"),
    "ServiceSpec.ipFamilies": ("IPv4", "IPv6"),
    "ServiceSpec.ipFamilyPolicy": ("SingleStack", "PreferDualStack", "RequireDualStack"),
    "ServiceSpec.sessionAffinity": ("None", "ClientIP"),
    "ServiceSpec.type": ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
    "StatefulSetSpec.podManagementPolicy": ("OrderedReady", "Parallel"),
    "StatefulSetUpdateStrategy.type": ("RollingUpdate", "OnDelete"),
    "StorageClass.reclaimPolicy": ("Delete", "Retain"),
    "Subject.kind": ("ServiceAccount", "User", "Group"),
    "Toleration.effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "Toleration.operator": ("Exists", "Equal"),
    "TopologySpreadConstraint.nodeAffinityPolicy": ("Honor", "Ignore"),
    "TopologySpreadConstraint.nodeTaintsPolicy": ("Honor", "Ignore"),
    "TopologySpreadConstraint.whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "VolumeMount.mountPropagation": ("None", "HostToContainer", "Bidirectional"),
}
"""Strings, and lists of them, of which the API server takes a few only."""

NOT_EMPTY = {
    "AWSElasticBlockStoreVolumeSource": ("volumeID",),
    "AzureFileVolumeSource": ("secretName", "shareName"),
    "CSIVolumeSource": ("driver",),
    "CephFSVolumeSource": ("monitors",),
    "ConfigMapEnvSource": ("name",),
    "ConfigMapKeySelector": ("name", "key"),
    "ConfigMapProjection": ("name",),
    "ConfigMapVolumeSource": ("name",),
    "Container": ("name",),
    "CronJobSpec": ("schedule",),
    "DownwardAPIVolumeFile": ("path",),
    "EnvVar": ("name",),
    "EphemeralVolumeSource": ("volumeClaimTemplate",),
    "ExecAction": ("command",),
    "FlexVolumeSource": ("driver",),
    "GitRepoVolumeSource": ("repository",),
    "GlusterfsVolumeSource": ("endpoints", "path"),
    "HTTPHeader": ("name",),
    "HTTPIngressRuleValue": ("paths",),
    "HostPathVolumeSource": ("path",),
    "IngressServiceBackend": ("name",),
    "KeyToPath": ("key", "path"),
    "LocalObjectReference": ("name",),
    "NFSVolumeSource": ("server", "path"),
    "NodeSelector": ("nodeSelectorTerms",),
    "ObjectFieldSelector": ("fieldPath",),
    "PersistentVolumeClaimSpec": ("accessModes",),
    "PersistentVolumeClaimVolumeSource": ("claimName",),
    "PodAffinityTerm": ("topologyKey",),
    "PodSpec": ("containers",),
    "PodTemplateSpec": ("spec",),
    "PolicyRule": ("verbs",),
    "RBDVolumeSource": ("monitors", "image"),
    "SecretEnvSource": ("name",),
    "SecretKeySelector": ("name", "key"),
    "SecretProjection": ("name",),
    "SecretVolumeSource": ("secretName",),
    "ServiceAccountTokenProjection": ("path",),
    "StorageClass": ("provisioner",),
    "TopologySpreadConstraint": ("topologyKey",),
    "Volume": ("name",),
    "VolumeMount": ("mountPath",),
}
"""Fields without which the API server refuses an object, though its schema lets them be missing or empty."""


def _like(pattern: str, what: str, longest: int = 253) -> Check:
    def fault(value: Any) -> str:
        if not isinstance(value, str) or not value:
            return ""
        if len(value) > longest:
            return f"must be {what}: it has {len(value)} characters, and {longest} are the most"
        return "" if re.fullmatch(pattern, value) else f"must be {what}{shown(value)}"

    return fault


def _between(low: int, high: int, what: str = "") -> Check:
    def fault(value: Any) -> str:
        if not isinstance(value, int) or low <= value <= high:
            return ""
        return f"must be {what or f'from {low} to {high}'}{shown(value)}"

    return fault


def at_least(low: int) -> Check:
    """A number with a lower end only."""
    return _between(low, 2**63, f"{low} or more")


def _ip(value: Any) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return f"must be an IP address like 10.9.8.7{shown(value)}"
    return ""


def _cidr(value: Any) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"must be a network like 10.9.8.0/24{shown(value)}"
    return "" if "/" in str(value) else f"must be a network like 10.9.8.0/24{shown(value)}"


def _inside(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    outside = value.startswith("/") or ".." in value.split("/") or value.startswith("..")
    return f"must be a path without / in front and without ..{shown(value)}" if outside else ""


def _port(value: Any) -> str:
    return PORT_NAME(value) if isinstance(value, str) else PORT(value)


def _each(check: Check) -> Check:
    def fault(value: Any) -> str:
        faults = ("has an empty item" if item == "" else check(item) for item in value)
        return next(filter(None, faults), "")

    return fault


def _labels(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return next((fault for key, item in value.items() if (fault := LABEL_KEY(key) or LABEL_VALUE(item))), "")


def _annotations(value: Any) -> str:
    keys = value if isinstance(value, dict) else {}
    return next(filter(None, (_ANNOTATION_KEY(str(key).lower()) for key in keys)), "")


def _data_keys(value: Any) -> str:
    return next(filter(None, map(DATA_KEY, value)), "") if isinstance(value, dict) else ""


LABEL_KEY = _like(QUALIFIED, "a label key like team or example.com/team", 317)
LABEL_VALUE = _like(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", "a label value (letters, digits, -, _ and .)", 63)
DATA_KEY = _like(SECRET_KEY, "a key of letters, digits, -, _ and .")
DNS_LABEL = _like(LABEL, "a DNS label (lower-case letters, digits, dashes)", 63)
DNS_NAME = _like(SUBDOMAIN, "a DNS name (lower-case letters, digits, dashes, dots)")
PORT = _between(1, 65535)
PORT_NAME = _like(
    r"(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "the name of a port (lower-case letters, digits, single dashes, and a letter among them)",
    15,
)
ENVIRONMENT_NAME = _like(
    r"[-._A-Za-z][-._A-Za-z0-9]*", "the name of a variable (letters, digits, _, no digit in front)", 4096
)
_ANNOTATION_KEY = _like(QUALIFIED, "an annotation key like example.com/owner", 317)
_MODE = _between(0, 0o777, "a mode from 0 to 511, which is 0777 in octal")
_ID = _between(0, LARGEST)
_WILDCARD = _like(rf"(?![0-9.]+$)(\*\.)?{SUBDOMAIN}", "a host name like api.example.com or *.example.com")

FIELDS: dict[str, Check] = {
    "CSIVolumeSource.driver": DNS_NAME,
    "ConfigMap.binaryData": _data_keys,
    "ConfigMap.data": _data_keys,
    "ConfigMapEnvSource.name": DNS_NAME,
    "ConfigMapKeySelector.key": DATA_KEY,
    "ConfigMapKeySelector.name": DNS_NAME,
    "ConfigMapProjection.name": DNS_NAME,
    "ConfigMapVolumeSource.defaultMode": _MODE,
    "ConfigMapVolumeSource.name": DNS_NAME,
    "Container.image": _like(r"\S+", "an image without spaces", 4096),
    "Container.name": DNS_LABEL,
    "ContainerPort.containerPort": PORT,
    "ContainerPort.hostIP": _ip,
    "ContainerPort.hostPort": _between(0, 65535),
    "ContainerPort.name": PORT_NAME,
    "CronJobSpec.failedJobsHistoryLimit": at_least(0),
    "CronJobSpec.schedule": schedule_fault,
    "CronJobSpec.startingDeadlineSeconds": at_least(0),
    "CronJobSpec.successfulJobsHistoryLimit": at_least(0),
    "CronJobSpec.timeZone": zone_fault,
    "DeploymentSpec.minReadySeconds": at_least(0),
    "DeploymentSpec.progressDeadlineSeconds": at_least(1),
    "DeploymentSpec.replicas": at_least(0),
    "DeploymentSpec.revisionHistoryLimit": at_least(0),
    "DownwardAPIVolumeFile.mode": _MODE,
    "DownwardAPIVolumeFile.path": _inside,
    "DownwardAPIVolumeSource.defaultMode": _MODE,
    "EmptyDirVolumeSource.sizeLimit": lambda value: "must be 0 or more" if str(value).startswith("-") else "",
    "EnvFromSource.prefix": ENVIRONMENT_NAME,
    "EnvVar.name": ENVIRONMENT_NAME,
    "GRPCAction.port": PORT,
    "HTTPGetAction.port": _port,
    "HTTPHeader.name": _like(r"[-A-Za-z0-9]+", "the name of an HTTP header"),
    "HorizontalPodAutoscalerSpec.maxReplicas": at_least(1),
    "HostAlias.hostnames": _each(DNS_NAME),
    "HostAlias.ip": _ip,
    "HostPathVolumeSource.path": _like(r"(?!(.*/)?\.\.(/|$)).*", "a path without ..", 4096),
    "IPBlock.cidr": _cidr,
    "IPBlock.except": _each(_cidr),
    "IngressRule.host": _WILDCARD,
    "IngressServiceBackend.name": DNS_LABEL,
    "IngressSpec.ingressClassName": DNS_NAME,
    "IngressTLS.hosts": _each(_WILDCARD),
    "JobSpec.activeDeadlineSeconds": at_least(0),
    "JobSpec.backoffLimit": at_least(0),
    "KeyToPath.key": DATA_KEY,
    "KeyToPath.mode": _MODE,
    "KeyToPath.path": _inside,
    "LabelSelector.matchLabels": _labels,
    "LabelSelectorRequirement.key": LABEL_KEY,
    "LabelSelectorRequirement.values": _each(LABEL_VALUE),
    "NFSVolumeSource.path": _like(r"/.*", "a path that begins with /", 4096),
    "NetworkPolicyPort.endPort": PORT,
    "NetworkPolicyPort.port": _port,
    "NodeSelectorRequirement.key": LABEL_KEY,
    "ObjectMeta.annotations": _annotations,
    "ObjectMeta.labels": _labels,
    "ObjectMeta.namespace": DNS_LABEL,
    "PersistentVolumeClaimSpec.storageClassName": DNS_NAME,
    "PersistentVolumeClaimVolumeSource.claimName": DNS_NAME,
    "PodAffinityTerm.namespaces": _each(DNS_LABEL),
    "PodAffinityTerm.topologyKey": LABEL_KEY,
    "PodDNSConfig.nameservers": _each(_ip),
    "PodDNSConfig.searches": _each(_like(rf"_?{SUBDOMAIN}\.?|\.", "a DNS name")),
    "PodSecurityContext.fsGroup": _ID,
    "PodSecurityContext.runAsGroup": _ID,
    "PodSecurityContext.runAsUser": _ID,
    "PodSecurityContext.supplementalGroups": _each(_ID),
    "PodSpec.activeDeadlineSeconds": at_least(1),
    "PodSpec.hostname": DNS_LABEL,
    "PodSpec.nodeName": DNS_NAME,
    "PodSpec.nodeSelector": _labels,
    "PodSpec.priorityClassName": DNS_NAME,
    "PodSpec.runtimeClassName": DNS_NAME,
    "PodSpec.serviceAccountName": DNS_NAME,
    "PodSpec.subdomain": DNS_LABEL,
    "PreferredSchedulingTerm.weight": _between(1, 100),
    "PriorityClass.value": _between(-LARGEST - 1, 10**9, "1000000000 at most"),
    "Probe.failureThreshold": at_least(0),
    "Probe.initialDelaySeconds": at_least(0),
    "Probe.periodSeconds": at_least(0),
    "Probe.successThreshold": at_least(0),
    "Probe.terminationGracePeriodSeconds": at_least(1),
    "Probe.timeoutSeconds": at_least(0),
    "ProjectedVolumeSource.defaultMode": _MODE,
    "SecretEnvSource.name": DNS_NAME,
    "SecretKeySelector.key": DATA_KEY,
    "SecretKeySelector.name": DNS_NAME,
    "SecretProjection.name": DNS_NAME,
    "SecretVolumeSource.defaultMode": _MODE,
    "SecretVolumeSource.secretName": DNS_NAME,
    "SecurityContext.runAsGroup": _ID,
    "SecurityContext.runAsUser": _ID,
    "ServiceAccountTokenProjection.expirationSeconds": _between(600, 2**32, "600 seconds or more, and below 2^32"),
    "ServiceAccountTokenProjection.path": _inside,
    "ServiceBackendPort.number": PORT,
    "ServicePort.appProtocol": LABEL_KEY,
    "ServicePort.name": DNS_LABEL,
    "ServicePort.nodePort": _between(0, 65535),
    "ServicePort.port": PORT,
    "ServicePort.targetPort": lambda value: "" if value == 0 else _port(value),
    "ServiceSpec.externalIPs": _each(_ip),
    "ServiceSpec.externalName": DNS_NAME,
    "ServiceSpec.loadBalancerClass": LABEL_KEY,
    "ServiceSpec.loadBalancerSourceRanges": _each(_cidr),
    "ServiceSpec.selector": _labels,
    "StatefulSetSpec.minReadySeconds": at_least(0),
    "StatefulSetSpec.replicas": at_least(0),
    "StatefulSetSpec.revisionHistoryLimit": at_least(0),
    "TCPSocketAction.port": _port,
    "Toleration.key": LABEL_KEY,
    "TopologySpreadConstraint.maxSkew": at_least(1),
    "TopologySpreadConstraint.minDomains": at_least(1),
    "TopologySpreadConstraint.topologyKey": LABEL_KEY,
    "Volume.name": DNS_LABEL,
    "VolumeMount.subPath": _inside,
    "VolumeMount.subPathExpr": _inside,
    "WeightedPodAffinityTerm.weight": _between(1, 100),
}
"""What is wrong with a value of the right type, by type and field. The oldest version of Kubernetes counts."""
