"""What the API server refuses though its schemas take it is an error of the overlay, with its place.

Each was tried on a real API server: server-side dry run says no.
"""

from __future__ import annotations

import zoneinfo

import pytest
from convex_k8s.values.kubernetes import allowed_values as kubernetes_values
from convex_k8s.values.kubernetes import field_checks as kubernetes_fields
from convex_k8s.values.kubernetes import struct_checks as kubernetes_structs
from convex_k8s.values.kubernetes import types as kubernetes_types
from convex_k8s.values.kubernetes.struct_checks import ONE_OF
from convex_k8s.values.time_zone import time_zones

from tests.support.overlay_cases import environment_of, faults_of, overlay_of

SPREAD = "maxSkew: 1, topologyKey: a, whenUnsatisfiable"
TERMS = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [%s]}}}"
POD = "apiVersion: v1, kind: Pod, spec: {containers: [{name: a}]"
SCALER = "apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {maxReplicas: 2"
TARGET = "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}"
RBAC = "apiVersion: rbac.authorization.k8s.io/v1"
LIMITS = "apiVersion: v1, kind: LimitRange, spec: {limits:"
OF_A_POD = [
    ("hostAliases: [{ip: 300.0.0.1, hostnames: [a]}]", "hostAliases[0].ip: must be an IP address"),
    ("hostAliases: [{ip: 10.0.0.1, hostnames: [A_b]}]", "hostAliases[0].hostnames: must be a DNS name"),
    (f"topologySpreadConstraints: [{{{SPREAD.replace('1', '0')}: DoNotSchedule}}]", "[0].maxSkew: must be 1 or more"),
    (f"topologySpreadConstraints: [{{{SPREAD}: ScheduleAnyway, minDomains: 2}}]", "minDomains: goes with when"),
    (f"topologySpreadConstraints: [{{{SPREAD}: ScheduleAnyway}}, {{{SPREAD}: ScheduleAnyway}}]",
     "topologySpreadConstraints[1].topologyKey: is what another one in the list has already"),
    (TERMS % "{matchExpressions: [{key: a, operator: In}]}", "matchExpressions[0]: has no values, which operator"),
    (TERMS % "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}", "values: means nothing with"),
    (TERMS % "{matchExpressions: [{key: a, operator: Gt, values: [b]}]}", "must have one whole number under values"),
    (TERMS % "{matchFields: [{key: a, operator: In, values: [b]}]}", "matchFields[0].key: must be metadata.name"),
    ("affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: ''}]}}",
     "has no topologyKey"),
    ("affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: "
     "{topologyKey: a, labelSelector: {matchLabels: {a: b}}}}]}}", "[0].weight: must be from 1 to 100, not 101"),
    ("extraVolumes: [{name: UPPER, emptyDir: {}}]", "extraVolumes[0].name: must be a DNS label"),
    ("extraVolumes: [{name: x, emptyDir: {}, hostPath: {path: /a}}]", "must have a name and one kind of volume"),
    ("extraVolumes: [{name: x, configMap: {name: a, items: [{key: k, path: ../x}]}}]", "path: must be a path without"),
    ("extraVolumes: [{name: x, secret: {secretName: a, defaultMode: 1000}}]", "defaultMode: must be a mode from 0 to"),
    ("extraVolumes: [{name: x, projected: {sources: [{secret: {name: a}, configMap: {name: b}}]}}]",
     "sources[0]: has secret and configMap: make an item of each"),
    ("extraVolumes: [{name: x, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: spec.no}}]}}]",
     "fieldRef.fieldPath: is not a field that can be read"),
    ("extraVolumes: [{name: x, hostPath: {path: /a, type: Dir}}]", "hostPath.type: must be one of"),
    ("extraVolumes: [{name: x, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]",
     "volumeClaimTemplate.spec: has no resources.requests.storage"),
    ("extraVolumeMounts: [{name: tmp, mountPath: /a, subPath: b, subPathExpr: c}]",
     "extraVolumeMounts[0].subPathExpr: is set beside subPath"),
    ("extraVolumeMounts: [{name: tmp, mountPath: /a, mountPropagation: Bidirectional}]",
     "mountPropagation: is Bidirectional, which only a privileged"),
    ("initContainers: [{name: a, image: i, readinessProbe: {exec: {command: [a]}}}]",
     "initContainers[0].readinessProbe: is not for a container that ends"),
    ("extraContainers: [{name: a_b, image: i}]", "extraContainers[0].name: must be a DNS label"),
    (TERMS % "{matchExpressions: [{key: a, operator: In, values: ['b c']}]}", "values[0]: must be a label value"),
    ("extraVolumes: [{name: x, projected: {sources: [{secret: {name: a, items: [{key: k, path: p}]}}, {configMap: "
     "{name: b, items: [{key: k, path: p}]}}]}}]", "sources[1].configMap.items[0].path: is p, where another source"),
    ("extraVolumes: [{name: x, iscsi: {iqn: bad, lun: 0, targetPortal: a}}]", "iscsi.iqn: must be an iSCSI name like"),
    ("podAnnotations: {container.apparmor.security.beta.kubernetes.io/no: unconfined}", "names no container of"),
    ("podAnnotations: {container.apparmor.security.beta.kubernetes.io/convex-backend: other}", "must be runtime"),
    ("podAnnotations: {seccomp.security.alpha.kubernetes.io/pod: other}", "must be runtime/default, unconfined or"),
    ("serviceAccount: {create: true, name: default}", "serviceAccount.name: is default, which every namespace has"),
]  # fmt: skip
OF_A_CONTAINER = [
    ("ports: [{containerPort: 99999}]", "ports[0].containerPort: must be from 1 to 65535, not 99999"),
    ("ports: [{name: UPPER, containerPort: 1}]", "ports[0].name: must be the name of a port"),
    ("ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]", "ports[1].name: is what another one in"),
    ("env: [{name: 1A, value: x}]", "env[0].name: must be the name of a variable"),
    ("env: [{name: A, valueFrom: {}}]", "env[0].valueFrom: has none of fieldRef, resourceFieldRef"),
    ("env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: a, key: b}}}]",
     "valueFrom.secretKeyRef: is set beside fieldRef: keep one"),
    ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]", "must be a resource like"),
    ("livenessProbe: {}", "livenessProbe: has none of exec, grpc, httpGet"),
    ("livenessProbe: {httpGet: {port: 80}, tcpSocket: {port: 80}}", "livenessProbe.tcpSocket: is set beside httpGet"),
    ("livenessProbe: {httpGet: {port: 80}, periodSeconds: -1}", "periodSeconds: must be 0 or more, not -1"),
    ("livenessProbe: {httpGet: {port: 80}, successThreshold: 2}", "livenessProbe.successThreshold: must be 1"),
    ("livenessProbe: {exec: {command: []}}", "livenessProbe.exec: has no command"),
    ("resources: {requests: {cpu: 2}, limits: {cpu: 1}}", "resources.requests.cpu: is more than the limit of 1"),
    ("resources: {limits: {disk: 1}}", "resources.limits.disk: is not a resource"),
    ("resources: {requests: {nvidia.com/gpu: 1}}", "needs the same amount under limits"),
    ("securityContext: {privileged: true, allowPrivilegeEscalation: false}", "cannot be false while privileged is tru"),
    ("securityContext: {seccompProfile: {type: Localhost}}", "must have type Localhost and a localhostProfile"),
    ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 3}}}]", "divisor: must be 1 or 1m"),
    ("env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a b']\"}}}]", "must be a label key"),
    ("resources: {limits: {hugepages-2Mi: 2Mi}}", "resources: has huge pages, which need cpu or memory beside them"),
    ("resources: {limits: {hugepages-2Mi: 3Mi, cpu: 1}}", "resources.limits.hugepages-2Mi: must be a multiple of 2Mi"),
    ("resources: {claims: [{name: gpu}]}", "claims[0].name: is gpu, and no item of the pod's resourceClaims"),
    ("securityContext: {windowsOptions: {hostProcess: true}}", "hostProcess: is true, and not in every container"),
    ("securityContext: {procMount: Unmasked}", "procMount: is Unmasked, which needs hostUsers false"),
    ("volumeDevices: [{name: gone, devicePath: /dev/x}]", "volumeDevices[0].name: is gone, and no volume"),
    ("volumeMounts: [{name: gone, mountPath: /x}]", "volumeMounts[0].name: is gone, and no volume is called so"),
]  # fmt: skip
OF_AN_OBJECT = [
    ("apiVersion: apps/v2, kind: Deployment", "extraObjects[0].apiVersion: has no Deployment in Kubernetes 1.27 or la"),
    ("apiVersion: v1, kind: Deployment", "write apps/v1"),
    ("apiVersion: networking.k8s.io/v1beta1, kind: Ingress", "write networking.k8s.io/v1"),
    ("apiVersion: v1, kind: Configmap", "extraObjects[0].kind: is not a kind of v1: did you mean ConfigMap?"),
    ("apiVersion: a/b/c, kind: Any", "extraObjects[0].apiVersion: must be a group and a version like apps/v1, or v1"),
    ("apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: i, ports: [{containerPort: 0}]}]}", "from 1 to"),
    ("apiVersion: v1, kind: Service, spec: {ports: [{port: 1, name: a}, {port: 2}]}", "has no name, which each of"),
    ("apiVersion: v1, kind: Service, spec: {ports: [{port: 1, nodePort: 30000}]}", "nodePort: needs type NodePort or"),
    ("apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {rules: []}", "has neither rules nor a defaultBackend"),
    ("apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}, ingress: [{from: [{}]}]}",
     "from[0]: is empty"),
    ("apiVersion: batch/v1, kind: CronJob, spec: {schedule: '61 * * * *', jobTemplate: {spec: {template: {spec: "
     "{restartPolicy: Never, containers: [{name: a, image: i}]}}}}}", "spec.schedule: has 61 as the minute"),
    ("apiVersion: batch/v1, kind: Job, spec: {template: {spec: {containers: [{name: a, image: i}]}}}",
     "must have restartPolicy OnFailure or Never"),
    ("apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: "
     "{a: c}}, spec: {containers: [{name: a, image: i}]}}}", "does not fit the labels of the pods"),
    ("apiVersion: v1, kind: ConfigMap, data: {a: b}, binaryData: {a: Yg==}", "data.a: is a key of binaryData too"),
    ("apiVersion: v1, kind: ConfigMap, binaryData: {a: plain}", "binaryData: must be base64 under a"),
    ("apiVersion: v1, kind: Secret, type: kubernetes.io/tls", "type: needs tls.crt and tls.key, which an overlay must"),
    ("apiVersion: v1, kind: Service, spec: {clusterIP: none, ports: [{port: 1}]}", "clusterIP: must be an IP address"),
    ("apiVersion: apps/v1, kind: Deployment, spec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}, "
     "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}",
     "rollingUpdate.maxUnavailable: is 0, and so is maxSurge"),
    ("apiVersion: apps/v1, kind: DaemonSet, spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 1x}}, selector: "
     "{matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}",
     "maxUnavailable: must be a number of pods, or a percentage like 50%"),
    (f"{POD}, securityContext: {{sysctls: [{{name: A B, value: '1'}}]}}}}", "sysctls[0].name: must be the name of"),
    (f"{POD}, readinessGates: [{{conditionType: a b}}]}}", "readinessGates[0].conditionType: must be a condition"),
    (f"{POD}, schedulingGates: [{{name: a b}}]}}", "schedulingGates[0].name: must be a gate like"),
    ("apiVersion: v1, kind: Pod, spec: {containers: [{name: a, volumeMounts: [{name: x, mountPath: /x}]}]}",
     "containers[0].volumeMounts[0].name: is x, and no volume of the pod"),
    ("apiVersion: batch/v1, kind: Job, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, "
     "volumeMounts: [{name: x, mountPath: /x}]}]}}}", "volumeMounts[0].name: is x, and no volume of the pod"),
    (f"{SCALER}, scaleTargetRef: {{kind: Deployment, name: a}}}}", "scaleTargetRef.apiVersion: must be a group"),
    (f"{SCALER}, {TARGET}, metrics: [{{type: Cpu}}]}}", "metrics[0].type: must be one of"),
    (f"{SCALER}, {TARGET}, metrics: [{{type: Resource}}]}}", "metrics[0]: has no resource, which type Resource needs"),
    (f"{RBAC}, kind: Role, rules: [{{nonResourceURLs: [/a], verbs: [get]}}]", "belong to no namespace: write"),
    (f"{LIMITS} [{{type: Container, max: {{cpu: 1}}, min: {{cpu: 2}}}}]}}", "limits[0].min.cpu: is more than max"),
    ("apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: -1}}", "spec.hard: must be 0 or more, for pods"),
    ("apiVersion: v1, kind: ResourceQuota, spec: {hard: {disks: 1}}", "hard.disks: is not a resource of quotas"),
    ("apiVersion: v1, kind: ResourceQuota, spec: {scopes: [Best]}", "spec.scopes: must be one of"),
    ("apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 1, maxUnavailable: 1}", "keep one"),
]  # fmt: skip
OF_METADATA = [
    ("name: UPPER", "metadata.name: must be the name of an object"),
    ("name: x, labels: {a: 'b c'}", "metadata.labels: must be a label value"),
    ("name: x, annotations: {'a b': c}", "metadata.annotations: must be an annotation key"),
    ("name: x, finalizers: ['a b']", "metadata.finalizers: must be a finalizer like"),
    ("name: x, namespace: a.b", "metadata.namespace: must be a DNS label"),
]
FAULTS = [
    *((f"backend: {{{text}}}", said) for text, said in OF_A_POD),
    *((f"dashboard: {{extraContainers: [{{name: a, image: i, {text}}}]}}", said) for text, said in OF_A_CONTAINER),
    *((f"extraObjects: [{{metadata: {{name: x}}, {text}}}]", said) for text, said in OF_AN_OBJECT),
    *((f"extraObjects: [{{apiVersion: {version}, kind: X, metadata: {{{text}}}}}]".replace("v1, kind: X", "v1, kind: "
      "ConfigMap"), said) for text, said in OF_METADATA for version in ("v1", "acme.io/v2")),
    ("maintenance: {restartSchedule: '@daily', timeZone: europe/berlin}", "did you mean Europe/Berlin?"),
    ("maintenance: {restartSchedule: '@daily', timeZone: Local}", "maintenance.timeZone: is not the name of"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_what_the_api_server_refuses_is_a_fault_with_its_place(text: str, said: str) -> None:
    (message,) = faults_of(text)
    assert message.startswith("test.yaml:1: ")
    assert said in message


def test_a_patch_is_held_to_the_same() -> None:
    spread = f"topologySpreadConstraints: [{{{SPREAD.replace('1', '0')}: DoNotSchedule}}]"
    patch = f"patches: [{{target: {{kind: Deployment}}, patch: {{spec: {{template: {{spec: {{{spread}}}}}}}}}}}]"
    with pytest.raises(Exception, match=r"test\.yaml:1: patches\[0\].*maxSkew must be 1 or more"):
        environment_of(patch)


RIGHT_OF_A_CONTAINER = [
    "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}]",
    "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}]",
    "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['A.b/c']\"}}}]",
    "resources: {limits: {hugepages-2Mi: 4Mi, cpu: 1}}",
    "resources: {requests: {kubernetes.io/x: 1}, limits: {cpu: 1}}",
    "securityContext: {procMount: Default, windowsOptions: {hostProcess: false}}",
]
RIGHT_OF_A_POD = [
    "persistence: {enabled: true}, extraContainers: [{name: a, image: i, volumeDevices: "
    "[{name: data, devicePath: /d}]}]",
    "extraVolumes: [{name: x, projected: {sources: [{secret: {name: a, items: [{key: k, path: p}]}}, {configMap: "
    "{name: b, items: [{key: k, path: q}]}}, {serviceAccountToken: {path: p}}]}}]",
    "extraVolumes: [{name: x, iscsi: {iqn: 'iqn.2001-04.com.example:a', lun: 0, targetPortal: a}}]",
    TERMS % "{matchExpressions: [{key: a, operator: In, values: ['', b_c]}]}",
    "podAnnotations: {container.apparmor.security.beta.kubernetes.io/convex-backend: localhost/own}",
    "podAnnotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default}",
]
RIGHT_OF_AN_OBJECT = [
    "apiVersion: v1, kind: ConfigMap, data: {a: b}, binaryData: {c: Yg==}",
    "apiVersion: v1, kind: Secret, type: example.com/any",
    f"{POD}, schedulingGates: [{{name: example.com/a}}]}}",
    f"{POD}, resourceClaims: [{{name: gpu, resourceClaimName: own}}]}}",
    "apiVersion: apps/v1, kind: StatefulSet, spec: {serviceName: x, selector: {matchLabels: {a: b}}, template: "
    "{metadata: {labels: {a: b}}, spec: {containers: [{name: a, volumeMounts: [{name: own, mountPath: /x}]}]}}, "
    "volumeClaimTemplates: [{metadata: {name: own}, spec: {accessModes: [ReadWriteOnce], resources: {requests: "
    "{storage: 1Gi}}}}]}",
    "apiVersion: apps/v1, kind: Deployment, spec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 100%}}, "
    "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}",
    f"{SCALER}, scaleTargetRef: {{apiVersion: v1, kind: ReplicationController, name: a}}}}",
    f"{SCALER}, {TARGET}, metrics: [{{type: Pods, pods: {{metric: {{name: q}}, target: {{type: AverageValue, "
    "averageValue: 500m}}}]}",
    f"{RBAC}, kind: ClusterRole, rules: [{{nonResourceURLs: [/a], verbs: [get]}}]",
    f"{LIMITS} [{{type: Container, min: {{cpu: 100m}}, defaultRequest: {{cpu: 100m}}, max: {{cpu: 1}}}}]}}",
    "apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: 0, count/deployments.apps: 5, requests.nvidia.com/gpu: 1}"
    ", scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [a]}]}}",
]
RIGHT = [
    "backend: {hostAliases: [{ip: '::1', hostnames: [a.b]}]}",
    "backend: {extraContainers: [{name: a, image: i, ports: [{containerPort: 1}, {containerPort: 1, protocol: UDP}]}]}",
    "backend: {extraContainers: [{name: a, image: i, resources: {limits: {nvidia.com/gpu: 1, cpu: 1}, requests: {cpu: "
    "500m}}}]}",
    "backend: {extraContainers: [{name: a, image: i, env: [{name: a.b, value: x}, {name: N, valueFrom: {fieldRef: "
    "{fieldPath: \"metadata.labels['app']\"}}}]}]}",
    "backend: {extraVolumes: [{name: x, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}",
    f"backend: {{topologySpreadConstraints: [{{{SPREAD}: DoNotSchedule}}, {{{SPREAD}: ScheduleAnyway}}]}}",
    "extraObjects: [{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: 'team:A'}}]",
    "extraObjects: [{apiVersion: acme.io/stable, kind: Thing, metadata: {name: x, annotations: {A.acme.io/b: c}}}]",
    "extraObjects: [{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: None}}]",
    "maintenance: {restartSchedule: '@daily', timeZone: US/Pacific}",
    *(f"backend: {{extraContainers: [{{name: a, image: i, {text}}}]}}" for text in RIGHT_OF_A_CONTAINER),
    *(f"backend: {{{text}}}" for text in RIGHT_OF_A_POD),
    *(f"extraObjects: [{{metadata: {{name: x}}, {text}}}]" for text in RIGHT_OF_AN_OBJECT),
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_it_takes_is_taken(text: str) -> None:
    overlay_of(text)


def test_every_rule_is_about_a_field_that_exists() -> None:
    for name in [*kubernetes_fields.FIELDS, *kubernetes_values.CHOICES]:
        type, _, field = name.partition(".")
        assert field in kubernetes_types.fields(type), name
    for type, names in {**kubernetes_values.NOT_EMPTY, **ONE_OF}.items():
        assert set(names) <= set(kubernetes_types.fields(type)), type
    for type in [*kubernetes_structs.TOGETHER, *kubernetes_structs.KEYS]:
        assert kubernetes_types.fields(type), type


def test_the_time_zones_are_those_of_python() -> None:
    missing = zoneinfo.available_timezones() - set(time_zones().values())
    assert missing <= {"Factory", "localtime"}


def test_a_secret_that_a_container_of_ones_own_reads_is_in_the_readme() -> None:
    env = "env: [{name: API_TOKEN, valueFrom: {secretKeyRef: {name: mine, key: token}}}]"
    readme = environment_of(f"backend: {{extraContainers: [{{name: a, image: i, {env}}}]}}").files["README.md"]
    assert "| `token` | what your own container reads as `API_TOKEN` |" in readme
    assert "token=VALUE" in readme
