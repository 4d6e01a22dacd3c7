"""The part of an environment's README about what else must exist before: what its manifests name and do not hold."""

from __future__ import annotations

from collections.abc import Iterator

from convex_k8s.values.checks.metadata import CLOUD_NATIVE_PG

from convexctl.behaviour import Behaviour
from convexctl.project import PROGRAM
from convexctl.secrets.makers import ISSUERS
from convexctl.synth.pod_needs import containers_of, needs, pod_of
from convexctl.synth.readme_objects import Objects
from convexctl.tools.kubectl import BUILT_IN_GROUPS
from convexctl.wording import cell

Row = tuple[str, str]
"""What must exist, and who makes it."""

_BRINGS = {
    "external-secrets.io": "External Secrets Operator",
    "bitnami.com": "the controller of Sealed Secrets",
    "gateway.networking.k8s.io": "the Gateway API and a controller of it",
    "monitoring.coreos.com": "the Prometheus Operator",
    "postgresql.cnpg.io": "CloudNativePG",
}


def besides(name: str, objects: Objects, behaviour: Behaviour) -> str:
    """The table of everything but Secrets; nothing if all is made here."""
    rows = dict.fromkeys(
        [
            *_outside(name, objects, behaviour),
            *_of_pods(objects),
            *_storage(objects),
            *_edge(objects),
            *_operators(objects),
        ]
    )
    if not rows:
        return ""
    table = "\n".join(f"| {cell(what)} | {cell(how)} |" for what, how in rows)
    return f"### Besides\n\n| what | who makes it, and how |\n|---|---|\n{table}"


def _outside(name: str, objects: Objects, behaviour: Behaviour) -> Iterator[Row]:
    for backend in behaviour.backends:
        outside = backend.engine.value in ("postgres", "mysql") and not objects.clusters
        if outside and backend.database_name:
            yield (
                f"the database ({backend.database_name.sentence})",
                f"`{PROGRAM} provision {name} --only sql` prints the SQL. The backend makes the tables",
            )
    data = objects.config["data"]
    buckets = {value for key, value in data.items() if key.startswith("S3_STORAGE_")}
    for bucket in sorted(buckets):
        yield f"the bucket `{bucket}`", f"`{PROGRAM} provision {name} --only buckets` prints the commands"
    for manifest in objects.all:
        for container in containers_of(manifest):
            for variable in container.get("env") or []:
                if variable["name"] == "BUCKET" and variable.get("value") not in buckets:
                    yield f"the bucket `{variable.get('value')}`", "for backups; docs/backup.md lists its keys"


def _of_pods(objects: Objects) -> Iterator[Row]:
    for manifest in objects.all:
        pod = pod_of(manifest)
        if (account := pod.get("serviceAccountName")) and not objects.holds("ServiceAccount", account):
            yield f"ServiceAccount `{account}`", f"`kubectl{objects.in_namespace} create serviceaccount {account}`"
        for need in needs(manifest):
            if not objects.holds(need.kind, need.name):
                word = "configmap" if need.kind == "ConfigMap" else "secret generic"
                make = f"`kubectl{objects.in_namespace} create {word} {need.name} --{need.option}=FILE`"
                yield f"{need.kind} `{need.name}`", need.who or make
        if priority := pod.get("priorityClassName"):
            yield f"PriorityClass `{priority}`", "the administrators of the cluster make it"
        if runtime := pod.get("runtimeClassName"):
            yield f"RuntimeClass `{runtime}`", "the administrators of the cluster make it"


def _storage(objects: Objects) -> Iterator[Row]:
    for manifest in objects.all:
        for volume in pod_of(manifest).get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and not objects.holds("PersistentVolumeClaim", claim):
                yield f"the volume claim `{claim}`", "you make it: nothing here makes or deletes it"
        for template in (manifest.get("spec") or {}).get("volumeClaimTemplates") or []:
            storage_class = template["spec"].get("storageClassName")
            if storage_class:
                yield f"StorageClass `{storage_class}`", "the cluster has it, or its administrators make it"
            elif storage_class is None:
                yield "a default StorageClass", "the cluster has one, or set `backend.persistence.storageClassName`"
            else:
                yield "a PersistentVolume that fits the claim", "its administrators make it by hand"


def _edge(objects: Objects) -> Iterator[Row]:
    for manifest in objects.all:
        if manifest["kind"] == "Service" and (balancer := manifest["spec"].get("loadBalancerClass")):
            yield f"a controller of the load balancer class `{balancer}`", "the cluster's administrators install it"
    for manifest in objects.ingresses:
        annotations = manifest["metadata"].get("annotations") or {}
        named = (manifest.get("spec") or {}).get("ingressClassName") or annotations.get("kubernetes.io/ingress.class")
        what = f"IngressClass `{named}`" if named else "a default IngressClass"
        yield what, "installed with an Ingress controller"
    for manifest in objects.gateways:
        yield f"GatewayClass `{manifest['spec']['gatewayClassName']}`", "installed with a controller of the Gateway API"
    for manifest in objects.http_routes:
        for parent in (manifest.get("spec") or {}).get("parentRefs") or []:
            if parent.get("namespace") or not objects.holds("Gateway", parent["name"]):
                where = f" in namespace `{parent['namespace']}`" if parent.get("namespace") else ""
                yield f"Gateway `{parent['name']}`{where}", "it must take routes from this namespace"
    for manifest in [*objects.ingresses, *objects.gateways]:
        for key, kind in ISSUERS.items():
            if issuer := (manifest["metadata"].get("annotations") or {}).get(key):
                yield f"{kind} `{issuer}`", "cert-manager uses it to make the certificates"


def _operators(objects: Objects) -> Iterator[Row]:
    for manifest in objects.all:
        group = str(manifest["apiVersion"]).rpartition("/")[0]
        if group not in BUILT_IN_GROUPS:
            yield f"the kind {manifest['kind']} (`{manifest['apiVersion']}`)", f"{_BRINGS.get(group, group)} brings it"
        if manifest["kind"] == "ExternalSecret":
            store = manifest["spec"]["secretStoreRef"]
            yield f"{store['kind']} `{store['name']}`", "of External Secrets Operator, with the values"
        cluster = (manifest["metadata"].get("annotations") or {}).get(CLOUD_NATIVE_PG)
        if cluster and not objects.holds("Cluster", cluster):
            yield f"Cluster `{cluster}`", "of CloudNativePG, with the database"
