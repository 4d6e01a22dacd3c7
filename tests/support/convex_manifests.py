"""Small hand-made manifests of Convex, as anybody might write them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from convexctl.behaviour import Backend, Dashboard, predict

Object = dict[str, Any]

TAG = "652b828b5129e6cdbcaa3c20efa8d116d09ff3bf"
BUCKETS = {
    f"S3_STORAGE_{word}_BUCKET": "files" for word in ("EXPORTS", "SNAPSHOT_IMPORTS", "MODULES", "FILES", "SEARCH")
}
S3 = {"AWS_REGION": "eu-central-1", **BUCKETS}
INSTANCE_SECRET = "00" * 32
POSTGRES = {"name": "POSTGRES_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "URL"}}}


def variables(pairs: Mapping[str, object]) -> list[Object]:
    """Entries of `env` with plain values."""
    return [{"name": name, "value": value} for name, value in pairs.items()]


def secret_variable(name: str, secret: str, key: str, **more: object) -> Object:
    """An entry of `env` from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, **more}}}


def metadata(name: str, namespace: str = "", **more: object) -> Object:
    """Metadata of an object."""
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def config_map(name: str, data: Mapping[str, object], namespace: str = "") -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, namespace), "data": dict(data)}


def backend(
    env: Mapping[str, object] | list[Object] | None = None,
    *,
    kind: str = "StatefulSet",
    spec: Object | None = None,
    pod: Object | None = None,
    container: Object | None = None,
    name: str = "convex",
    namespace: str = "",
) -> Object:
    """A backend; `spec`, `pod` and `container` are laid over its workload, its pod and its container."""
    entries = env if isinstance(env, list) else variables(env or {})
    its_container = {
        "name": "backend",
        "image": f"ghcr.io/get-convex/convex-backend:{TAG}",
        "ports": [{"name": "api", "containerPort": 3210}, {"name": "actions", "containerPort": 3211}],
        "env": entries,
        **(container or {}),
    }
    its_pod = {"containers": [its_container], **(pod or {})}
    template = {"metadata": {"labels": {"app": name}}, "spec": its_pod}
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template, **(spec or {})}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(name, namespace), "spec": whole}


def dashboard(
    env: Mapping[str, object] | list[Object] | None = None,
    *,
    spec: Object | None = None,
    pod: Object | None = None,
    container: Object | None = None,
    name: str = "dashboard",
    namespace: str = "",
) -> Object:
    """A dashboard, with the same overlays."""
    its_container = {
        "name": "dashboard",
        "image": f"ghcr.io/get-convex/convex-dashboard:{TAG}",
        "ports": [{"name": "http", "containerPort": 6791}],
        "env": env if isinstance(env, list) else variables(env or {}),
        **(container or {}),
    }
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [its_container], **(pod or {})},
    }
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template, **(spec or {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name, namespace), "spec": whole}


def service(
    name: str, app: str, ports: Mapping[str, tuple[int, object]], namespace: str = "", **spec: object
) -> Object:
    """A Service: its ports by name, each with its number and its target."""
    its_ports = [{"name": key, "port": number, "targetPort": target} for key, (number, target) in ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace),
        "spec": {"selector": {"app": app}, "ports": its_ports, **spec},
    }


def ingress(
    rules: Mapping[str, list[tuple[str, str, object]]],
    *,
    tls: list[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    path_type: str = "Prefix",
    **spec: object,
) -> Object:
    """An Ingress: by host its paths, each with Service and port (a number or a name)."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata("edge", annotations=dict(annotations or {})),
        "spec": {
            "rules": [
                {
                    "host": host,
                    "http": {
                        "paths": [
                            {
                                "path": path,
                                "pathType": path_type,
                                "backend": {
                                    "service": {
                                        "name": name,
                                        "port": {"number": port} if isinstance(port, int) else {"name": port},
                                    }
                                },
                            }
                            for path, name, port in paths
                        ]
                    },
                }
                for host, paths in rules.items()
            ],
            **({"tls": [{"hosts": tls, "secretName": "tls"}]} if tls else {}),
            **spec,
        },
    }


def claim(name: str, size: str = "5Gi", **spec: object) -> Object:
    """A claim that stands in the manifests."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(name),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec},
    }


def claim_template(name: str = "data", **spec: object) -> Object:
    """A template of a claim, for a StatefulSet."""
    return {"metadata": {"name": name}, "spec": claim(name, **spec)["spec"]}  # type: ignore[arg-type]


def mounted(path: str = "/convex/data", name: str = "data", **more: object) -> Object:
    """A container's part with one mount."""
    return {"volumeMounts": [{"name": name, "mountPath": path, **more}]}


def only_backend(*manifests: Object) -> Backend:
    """What the one backend of some manifests will do."""
    (model,) = predict(copy.deepcopy(list(manifests))).backends
    return model


def only_dashboard(*manifests: Object) -> Dashboard:
    """What the one dashboard of some manifests will do."""
    (model,) = predict(copy.deepcopy(list(manifests))).dashboards
    return model
