"""The team's Convex functions, pushed by a Job once the backend is ready."""

from __future__ import annotations

import hashlib
import json

from cdk8s import JsonPatch
from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.bootstrap import ARGO_WAVE
from convex_k8s.naming import Naming
from convex_k8s.values.secret_references import admin_key_of

_HASH_DIGITS = 6
_PUSH_WITHIN_S = 1800
_WAIT = 'until curl --silent --fail --max-time 5 "$CONVEX_SELF_HOSTED_URL/version"; do sleep 2; done'
"""Runs in the backend's own image, which has curl: the team's image need not."""
_SET = """
printf 'Authorization: Convex %s' "$CONVEX_SELF_HOSTED_ADMIN_KEY" |
  curl --silent --show-error --fail-with-body --max-time 60 --header @- --header 'Content-Type: application/json' \\
    --data "$CHANGES" "$CONVEX_SELF_HOSTED_URL/api/update_environment_variables"
"""
"""Sets the deployment's variables. The key is not an argument, which the node's process list would show."""


class Functions(Construct):
    """The Job `<release>-functions-<hash>`.

    A Job cannot be changed, so its name holds a hash of its spec: another image makes another Job, and whoever prunes
    removes the old one. It stays when it has finished, so that no controller takes it for missing and runs it again.
    """

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self._naming = naming
        name = f"{naming.release}-functions"
        job = k8s.KubeJob(
            self,
            "job",
            metadata=naming.metadata("functions", "functions", {ARGO_WAVE: "1"}),
            spec=k8s.JobSpec(
                backoff_limit=3,
                active_deadline_seconds=_PUSH_WITHIN_S,
                template=k8s.PodTemplateSpec(metadata=naming.pod_metadata("functions"), spec=self._pod()),
            ),
        )
        spec = json.dumps(job.to_json()["spec"], sort_keys=True)
        suffix = hashlib.sha256(spec.encode()).hexdigest()[:_HASH_DIGITS]
        job.add_json_patch(JsonPatch.replace("/metadata/name", f"{name}-{suffix}"))
        if naming.values.backend.paused:
            job.add_json_patch(JsonPatch.add("/spec/suspend", True))

    def _pod(self) -> k8s.PodSpec:
        values = self._naming.values
        functions, backend = values.functions, values.backend
        url = k8s.EnvVar(name="CONVEX_SELF_HOSTED_URL", value=self._naming.api_url)
        key = admin_key_of(values, values.functions_key_secret_name).env_var()
        changes = [{"name": name, "value": value} for name, value in sorted(functions.variables.items())]
        to_set = k8s.EnvVar(name="CHANGES", value=_as_it_is(json.dumps({"changes": changes})))
        wait = k8s.Container(
            name="wait",
            image=backend.image.reference,
            image_pull_policy=backend.image.pull_policy,
            command=["/bin/bash", "-c", _WAIT + _SET if changes else _WAIT],
            env=[url, key, to_set] if changes else [url],
            security_context=pods.container_security(backend.security_context),
            termination_message_policy="FallbackToLogsOnError" if changes else None,
        )
        further = [k8s.EnvVar(name=name, value=value) for name, value in sorted(functions.env.items())]
        push = k8s.Container(
            name="push",
            image=functions.image,
            image_pull_policy=functions.pull_policy,
            command=functions.command,
            env=[url, key, *further],
            security_context=k8s.SecurityContext(
                allow_privilege_escalation=False, capabilities=k8s.Capabilities(drop=["ALL"])
            ),
            termination_message_policy="FallbackToLogsOnError",
        )
        return k8s.PodSpec(
            restart_policy="Never",
            automount_service_account_token=False,
            enable_service_links=False,
            image_pull_secrets=pods.pull_secrets(values.image_pull_secrets),
            security_context=k8s.PodSecurityContext(seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault")),
            init_containers=[wait],
            containers=[push],
        )


def _as_it_is(text: str) -> str:
    """A value of a variable in which Kubernetes replaces nothing, whatever text it holds."""
    return text.replace("$(", "$$(")
