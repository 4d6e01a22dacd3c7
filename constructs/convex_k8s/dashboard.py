"""The dashboard: a stateless Deployment and its Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.naming import Naming
from convex_k8s.origins import Origins
from convex_k8s.service_account import ServiceAccount, account_name
from convex_k8s.services import ComponentService, Port

IMAGE_PORT = 6791
"""The port that the image listens on by default."""


class Dashboard(Construct):
    """The Deployment `<release>-dashboard` with its Service.

    From Convex it gets only the API's origin as the browser sees it: an admin key here would go to everybody who opens
    the page.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming, origins: Origins) -> None:
        super().__init__(scope, id)
        values = naming.values.dashboard
        service = naming.values.service.dashboard
        self.service = ComponentService(
            self,
            "service",
            naming,
            "dashboard-svc",
            "dashboard",
            [Port("http", service.port, "http", service.node_port)],
            type=service.type,
            annotations=service.annotations,
            load_balancer_class=service.load_balancer_class,
        )
        variables = {"NEXT_PUBLIC_DEPLOYMENT_URL": origins.deployment, "HOSTNAME": "0.0.0.0"}  # noqa: S104
        if service.target_port != IMAGE_PORT:
            variables["PORT"] = str(service.target_port)
        if values.service_account.create:
            ServiceAccount(self, "service-account", naming, "dashboard", values)
        container = k8s.Container(
            name="convex-dashboard",
            image=values.image.reference,
            image_pull_policy=values.image.pull_policy,
            ports=[k8s.ContainerPort(name="http", container_port=service.target_port, protocol="TCP")],
            env=[k8s.EnvVar(name=name, value=value) for name, value in {**_texts(values.env), **variables}.items()],
            env_from=pods.env_from(values.env_from) or None,
            volume_mounts=pods.mounts(values) or None,
            startup_probe=pods.probe(values.probes.startup, "/", "http"),
            readiness_probe=pods.probe(values.probes.readiness, "/", "http"),
            liveness_probe=pods.probe(values.probes.liveness, "/", "http"),
            resources=pods.resources(values.resources),
            security_context=pods.container_security(values.security_context),
        )
        self.deployment = k8s.KubeDeployment(
            self,
            "deployment",
            metadata=naming.metadata("dashboard", "dashboard"),
            spec=k8s.DeploymentSpec(
                replicas=values.replica_count,
                selector=k8s.LabelSelector(match_labels=naming.selector("dashboard")),
                template=k8s.PodTemplateSpec(
                    metadata=naming.pod_metadata("dashboard"),
                    spec=k8s.PodSpec(
                        automount_service_account_token=False,
                        enable_service_links=False,
                        image_pull_secrets=pods.pull_secrets(naming.values.image_pull_secrets),
                        security_context=pods.pod_security(values.security_context),
                        node_selector=values.node_selector or None,
                        tolerations=pods.tolerations(values),
                        priority_class_name=values.priority_class_name or None,
                        service_account_name=account_name(naming, "dashboard", values) or None,
                        containers=pods.containers(container, values),
                        volumes=pods.volumes(values) or None,
                        **pods.passed_through(values),
                    ),
                ),
            ),
        )


def _texts(variables: Mapping[str, Any]) -> dict[str, str]:
    """The overlay's variables as a container has them."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in variables.items()}
