"""Instance secret and admin key made in the cluster, once, by a Job: nothing has to be made by hand."""

from __future__ import annotations

import hashlib
import importlib.resources
import json

from cdk8s import JsonPatch
from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.flux import LITERALLY
from convex_k8s.naming import Naming
from convex_k8s.values.secrets import ADMIN_KEY

ARGO_WAVE = "argocd.argoproj.io/sync-wave"
_HASH_DIGITS = 6
_FINISHED_JOB_STAYS_S = 24 * 3600
"""Long enough to be read. A controller that then takes it for missing runs it again, which finds the Secret."""


class Bootstrap(Construct):
    """The Job `<release>-bootstrap-<hash>` with its ServiceAccount, Role and RoleBinding.

    A Job cannot be changed, so its name holds a hash of its spec: another image makes another Job, which finds the
    Secret there and does nothing. The backend's pod waits for the Secret by itself. An annotation makes Argo CD
    wait for the Job.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        values = naming.values
        name = f"{naming.release}-bootstrap"
        before = {ARGO_WAVE: "-2"}
        metadata = naming.metadata("bootstrap", "bootstrap", before)
        k8s.KubeServiceAccount(self, "service-account", metadata=metadata, automount_service_account_token=False)
        k8s.KubeRole(
            self,
            "role",
            metadata=metadata,
            rules=[
                k8s.PolicyRule(api_groups=[""], resources=["secrets"], verbs=["create"]),
                k8s.PolicyRule(
                    api_groups=[""], resources=["secrets"], verbs=["get"], resource_names=[values.instance_secret_name]
                ),
            ],
        )
        k8s.KubeRoleBinding(
            self,
            "role-binding",
            metadata=metadata,
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=name),
            subjects=[k8s.Subject(kind="ServiceAccount", name=name, namespace=values.namespace or None)],
        )
        variables = {
            "SECRET_NAME": values.instance_secret_name,
            "INSTANCE_NAME": values.instance_name,
            "KEY_OF_INSTANCE_SECRET": values.instance.keys.instance_secret,
            "KEY_OF_ADMIN_KEY": ADMIN_KEY,
        }
        script = importlib.resources.files("convex_k8s").joinpath("bootstrap.sh").read_text(encoding="utf-8")
        image = values.backend.image
        job = k8s.KubeJob(
            self,
            "job",
            metadata=naming.metadata(
                "bootstrap",
                "bootstrap",
                {
                    ARGO_WAVE: "-1",
                    "argocd.argoproj.io/hook": "Sync",
                    "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
                    **LITERALLY,
                },
            ),
            spec=k8s.JobSpec(
                backoff_limit=6,
                ttl_seconds_after_finished=_FINISHED_JOB_STAYS_S,
                template=k8s.PodTemplateSpec(
                    metadata=naming.pod_metadata("bootstrap"),
                    spec=k8s.PodSpec(
                        restart_policy="OnFailure",
                        service_account_name=name,
                        automount_service_account_token=True,
                        enable_service_links=False,
                        image_pull_secrets=pods.pull_secrets(values.image_pull_secrets),
                        security_context=pods.pod_security(values.backend.security_context),
                        node_selector=values.backend.node_selector or None,
                        tolerations=pods.tolerations(values.backend),
                        containers=[
                            k8s.Container(
                                name="bootstrap",
                                image=image.reference,
                                image_pull_policy=image.pull_policy,
                                command=["/bin/bash", "-c", script],
                                env=[k8s.EnvVar(name=key, value=value) for key, value in variables.items()],
                                resources=k8s.ResourceRequirements(
                                    requests={
                                        "cpu": k8s.Quantity.from_string("10m"),
                                        "memory": k8s.Quantity.from_string("32Mi"),
                                    },
                                    limits={"memory": k8s.Quantity.from_string("256Mi")},
                                ),
                                security_context=pods.container_security(values.backend.security_context),
                            )
                        ],
                    ),
                ),
            ),
        )
        spec = json.dumps(job.to_json()["spec"], sort_keys=True)
        suffix = hashlib.sha256(spec.encode()).hexdigest()[:_HASH_DIGITS]
        job.add_json_patch(JsonPatch.replace("/metadata/name", f"{name}-{suffix}"))
