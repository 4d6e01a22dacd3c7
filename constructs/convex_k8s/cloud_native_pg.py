"""The `Cluster` of CloudNativePG: the Postgres server of an environment that brings its own."""

from __future__ import annotations

from typing import Any

from cdk8s import ApiObject, JsonPatch

from constructs import Construct
from convex_k8s.naming import Naming
from convex_k8s.values.checks.metadata import DATA_LABEL
from convex_k8s.values.cloud_native_pg import BESIDE_THE_POOL, ClusterStorage, CreateCluster
from convex_k8s.values.workload import Amounts, Resources

KEPT_BY_GITOPS = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""An object that leaves the manifests stays in the cluster, and so do its volumes."""


class CloudNativePGCluster(Construct):
    """The Cluster that `postgres.cloudNativePG.cluster` names. TLS is on: the operator signs with a CA of its own."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        operator = naming.values.postgres.cloud_native_pg
        made = ApiObject(
            self,
            "cluster",
            api_version="postgresql.cnpg.io/v1",
            kind="Cluster",
            metadata=naming.plain_metadata(operator.cluster, KEPT_BY_GITOPS, labels={DATA_LABEL: "documents"}),
        )
        create, database = operator.create, naming.values.database_name
        spec = {
            "instances": create.instances,
            **({"imageName": create.image_name} if create.image_name else {}),
            "bootstrap": {"initdb": {"database": database, "owner": database}},
            "storage": _storage(create.storage),
            **({"walStorage": _storage(create.wal_storage)} if create.wal_storage.size else {}),
            "postgresql": {"parameters": _parameters(create, naming.values.postgres.pool)},
        }
        if resources := _resources(create.resources):
            spec["resources"] = resources
        made.add_json_patch(JsonPatch.add("/spec", spec))


def _storage(storage: ClusterStorage) -> dict[str, Any]:
    given: dict[str, Any] = {"size": storage.size}
    if storage.storage_class:
        given["storageClass"] = "" if storage.storage_class == "-" else storage.storage_class
    return given


def _parameters(create: CreateCluster, pool: int) -> dict[str, str]:
    """The parameters, with room for the backend's whole pool and what the operator and administrators need beside."""
    return dict(sorted({"max_connections": str(pool + BESIDE_THE_POOL), **create.parameters}.items()))


def _resources(resources: Resources) -> dict[str, dict[str, str]]:
    parts = {"requests": _amounts(resources.requests), "limits": _amounts(resources.limits)}
    return {name: amounts for name, amounts in parts.items() if amounts}


def _amounts(given: Amounts) -> dict[str, str]:
    amounts = {"cpu": given.cpu, "memory": given.memory, "ephemeral-storage": given.ephemeral_storage}
    return {name: amount for name, amount in amounts.items() if amount}
