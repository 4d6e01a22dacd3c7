"""Manifests from the current cluster, through the user's kubectl. Of Secrets only names and keys are read."""

from __future__ import annotations

import json
from typing import Any

from convexctl.kubectl import Kubectl, KubectlError

_KINDS = (
    "statefulsets.apps",
    "deployments.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "pods",
    "services",
    "configmaps",
    "persistentvolumeclaims",
    "ingresses.networking.k8s.io",
    "horizontalpodautoscalers.autoscaling",
)
_CUSTOM_KINDS = (
    "httproutes.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "middlewares.traefik.io",
    "scaledobjects.keda.sh",
)
"""Asked for where the cluster has them."""
# The template names the keys and never the values, which so stay in kubectl.
_KEYS_TEMPLATE = (
    '{{range .items}}{{.metadata.namespace}}{{"\\t"}}{{.metadata.name}}'
    '{{range $key, $value := .data}}{{"\\t"}}{{$key}}{{end}}{{"\\n"}}{{end}}'
)


def read(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The objects of kubectl's namespace that the boot model looks at.

    Secrets come with their keys and without values; where they may not be listed they are left out, and count as out of
    sight. Raises `KubectlError` where the rest cannot be read.
    """
    there = set(kubectl.run("api-resources", "--output=name", "--namespaced=true").split())
    kinds = [*_KINDS, *(kind for kind in _CUSTOM_KINDS if kind in there)]
    listed = json.loads(kubectl.run("get", ",".join(kinds), *_namespace(kubectl), "--output=json"))
    objects: list[dict[str, Any]] = listed["items"]
    return [*objects, *_secrets(kubectl)]


def _secrets(kubectl: Kubectl) -> list[dict[str, Any]]:
    try:
        text = kubectl.run("get", "secrets", *_namespace(kubectl), f"--output=go-template={_KEYS_TEMPLATE}")
    except KubectlError:
        return []
    secrets = []
    for line in text.splitlines():
        namespace, name, *keys = line.split("\t")
        metadata = {"name": name, "namespace": namespace}
        secrets.append({"kind": "Secret", "metadata": metadata, "data": dict.fromkeys(keys)})
    return secrets


def _namespace(kubectl: Kubectl) -> list[str]:
    return ["--namespace", kubectl.namespace] if kubectl.namespace else []
