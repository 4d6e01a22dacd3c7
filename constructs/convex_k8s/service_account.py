"""The ServiceAccount of a component's pods, for cloud roles."""

from __future__ import annotations

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s.naming import Component, Naming
from convex_k8s.values.workload import Workload


def account_name(naming: Naming, component: Component, workload: Workload) -> str:
    """The name of the ServiceAccount of a component's pods; empty for the namespace's default one."""
    account = workload.service_account
    return account.name or (f"{naming.release}-{component}" if account.create else "")


class ServiceAccount(Construct):
    """The ServiceAccount. Its token is not mounted: clouds hand their own to the pods that use it."""

    def __init__(self, scope: Construct, id: str, naming: Naming, component: Component, workload: Workload) -> None:
        super().__init__(scope, id)
        name = account_name(naming, component, workload)
        k8s.KubeServiceAccount(
            self,
            "service-account",
            metadata=k8s.ObjectMeta(
                name=name,
                namespace=naming.values.namespace or None,
                labels=naming.labels(component),
                annotations=naming.annotations(workload.service_account.annotations),
            ),
            automount_service_account_token=False,
        )
