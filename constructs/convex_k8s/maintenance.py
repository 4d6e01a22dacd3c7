"""A restart of the backend on a schedule."""

from __future__ import annotations

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.naming import Naming

NOBODY = 65534
"""The shell and curl of the backend's image need no user of their own."""
RESTART = """\
set -euo pipefail
account=/var/run/secrets/kubernetes.io/serviceaccount
namespace=$(cat "$account/namespace")
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
url="https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/apis/apps/v1/namespaces/$namespace/statefulsets/$STATEFUL_SET"
printf 'header = "Authorization: Bearer %s"\\n' "$(cat "$account/token")" |
  curl --config - --silent --show-error --fail-with-body --max-time 60 --cacert "$account/ca.crt" --output /dev/null \\
    --request PATCH --header 'Content-Type: application/strategic-merge-patch+json' \\
    --data '{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"'"$now"'"}}}}}' "$url"
echo "$STATEFUL_SET restarts: $now"
"""
"""What `kubectl rollout restart` does. The token goes through a pipe, so that no list of processes shows it."""


class Maintenance(Construct):
    """The CronJob `<release>-restart` with its ServiceAccount, and a Role for this one StatefulSet."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        values = naming.values
        name, metadata = f"{naming.release}-restart", naming.metadata("restart", "restart")
        stateful_set = f"{naming.release}-backend"
        k8s.KubeServiceAccount(self, "service-account", metadata=metadata, automount_service_account_token=False)
        only_this = k8s.PolicyRule(
            api_groups=["apps"], resources=["statefulsets"], resource_names=[stateful_set], verbs=["patch"]
        )
        k8s.KubeRole(self, "role", metadata=metadata, rules=[only_this])
        k8s.KubeRoleBinding(
            self,
            "role-binding",
            metadata=metadata,
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=name),
            subjects=[k8s.Subject(kind="ServiceAccount", name=name, namespace=values.namespace or None)],
        )
        k8s.KubeCronJob(
            self,
            "cron-job",
            metadata=metadata,
            spec=k8s.CronJobSpec(
                schedule=values.maintenance.restart_schedule,
                time_zone=values.maintenance.time_zone or None,
                concurrency_policy="Forbid",
                starting_deadline_seconds=3600,
                successful_jobs_history_limit=1,
                failed_jobs_history_limit=1,
                job_template=k8s.JobTemplateSpec(
                    spec=k8s.JobSpec(
                        backoff_limit=3,
                        active_deadline_seconds=600,
                        template=k8s.PodTemplateSpec(
                            metadata=naming.pod_metadata("restart"), spec=_pod(naming, name, stateful_set)
                        ),
                    )
                ),
            ),
        )


def _pod(naming: Naming, account: str, stateful_set: str) -> k8s.PodSpec:
    values = naming.values
    image = values.backend.image
    amount = k8s.Quantity.from_string
    return k8s.PodSpec(
        restart_policy="Never",
        service_account_name=account,
        automount_service_account_token=True,
        enable_service_links=False,
        image_pull_secrets=pods.pull_secrets(values.image_pull_secrets),
        security_context=k8s.PodSecurityContext(
            run_as_non_root=True,
            run_as_user=NOBODY,
            run_as_group=NOBODY,
            seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
        ),
        node_selector=values.backend.node_selector or None,
        tolerations=pods.tolerations(values.backend),
        containers=[
            k8s.Container(
                name="restart",
                image=image.reference,
                image_pull_policy=image.pull_policy,
                command=["/bin/bash", "-c", RESTART],
                env=[k8s.EnvVar(name="STATEFUL_SET", value=stateful_set)],
                resources=k8s.ResourceRequirements(
                    requests={"cpu": amount("10m"), "memory": amount("32Mi")}, limits={"memory": amount("128Mi")}
                ),
                security_context=k8s.SecurityContext(
                    allow_privilege_escalation=False,
                    read_only_root_filesystem=True,
                    capabilities=k8s.Capabilities(drop=["ALL"]),
                ),
            )
        ],
    )
