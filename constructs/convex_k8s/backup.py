"""Backups: a CronJob that exports the instance, and a suspended one from which `main.py restore` starts its Jobs."""

from __future__ import annotations

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.flux import LITERALLY
from convex_k8s.job_scripts import MOUNT, SCRIPTS, script
from convex_k8s.naming import Component, Naming
from convex_k8s.values import Values
from convex_k8s.values.backup import seconds
from convex_k8s.values.secret_references import SecretReference, admin_key_of, backup_bucket_secrets

WORK = "/work"
"""Where the ZIP is inside the pod: an emptyDir, or the claim."""
NOBODY = 65532
"""The user of rclone's container; what it reads may be read by everybody in the pod."""
_FINISHED_JOB_STAYS_S = 7 * 24 * 3600
_START_UP_TO_S = 3600
_ATTEMPTS_AFTER_THE_FIRST = 1


class Backup(Construct):
    """The CronJobs `<release>-backup` and `<release>-restore`, and the ConfigMap with their scripts."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._values = naming.values
        names = ["convex_api.mjs", "snapshot.mjs", "backup.mjs", "restore.mjs"]
        if self._in_bucket:
            names += ["bucket.sh", "backup_upload.sh", "backup_fetch.sh"]
        k8s.KubeConfigMap(
            self,
            "scripts",
            metadata=naming.metadata("backup", "backup", LITERALLY),
            data={name: script(name) for name in names},
        )
        export = self._node("export", ["backup.mjs", "export"], self._export_variables())
        if self._in_bucket:
            upload = self._rclone("upload", "backup_upload.sh", [naming.values.backup.keep.variable])
            self._cron_job("backup", [export, upload], self._node("finish", ["backup.mjs", "finish"], []))
        else:
            self._cron_job("backup", [], export)
        source = [("RESTORE_FROM", ""), ("SOURCE_INSTANCE", naming.values.instance_name)]
        fetch = [self._rclone("fetch", "backup_fetch.sh", source)] if self._in_bucket else []
        self._cron_job("restore", fetch, self._node("upload", ["restore.mjs"], source), suspend=True)

    @property
    def _in_bucket(self) -> bool:
        return self._values.backup.destination == "s3"

    def _cron_job(
        self,
        name: Component,
        before: list[k8s.Container],
        container: k8s.Container,
        *,
        suspend: bool = False,
    ) -> None:
        backup = self._values.backup
        k8s.KubeCronJob(
            self,
            name,
            metadata=self._naming.metadata(name, name),
            spec=k8s.CronJobSpec(
                schedule=backup.schedule,
                time_zone="Etc/UTC",
                suspend=suspend or self._values.backend.paused or None,
                concurrency_policy="Forbid",
                starting_deadline_seconds=_START_UP_TO_S,
                successful_jobs_history_limit=3,
                failed_jobs_history_limit=3,
                job_template=k8s.JobTemplateSpec(
                    spec=k8s.JobSpec(
                        active_deadline_seconds=seconds(backup.timeout),
                        backoff_limit=0 if suspend else _ATTEMPTS_AFTER_THE_FIRST,
                        ttl_seconds_after_finished=_FINISHED_JOB_STAYS_S,
                        template=k8s.PodTemplateSpec(
                            metadata=self._naming.pod_metadata(name), spec=self._pod(before, container)
                        ),
                    )
                ),
            ),
        )

    def _pod(self, before: list[k8s.Container], container: k8s.Container) -> k8s.PodSpec:
        values, backend = self._values, self._values.backend
        return k8s.PodSpec(
            restart_policy="Never",
            automount_service_account_token=False,
            enable_service_links=False,
            service_account_name=(values.backend_account or None) if _ambient(values) else None,
            image_pull_secrets=pods.pull_secrets(values.image_pull_secrets),
            security_context=pods.pod_security(backend.security_context),
            node_selector=backend.node_selector or None,
            tolerations=pods.tolerations(backend),
            init_containers=before or None,
            containers=[container],
            volumes=[
                k8s.Volume(name=SCRIPTS, config_map=k8s.ConfigMapVolumeSource(name=f"{self._naming.release}-backup")),
                self._work(),
            ],
        )

    def _work(self) -> k8s.Volume:
        if self._in_bucket:
            return k8s.Volume(name="work", empty_dir=k8s.EmptyDirVolumeSource())
        claim = self._values.backup.claim.existing_claim
        return k8s.Volume(name="work", persistent_volume_claim=k8s.PersistentVolumeClaimVolumeSource(claim_name=claim))

    def _node(self, name: str, command: list[str], variables: list[tuple[str, str]]) -> k8s.Container:
        """A container of the backend's own image, which has Node.js, with the admin key."""
        values = self._values
        image = values.backend.image
        variables = [("CONVEX_URL", self._naming.api_url), *variables, ("FOLDER", WORK)]
        if values.instance_name:
            variables.append(("INSTANCE_NAME", values.instance_name))
        return k8s.Container(
            name=name,
            image=image.reference,
            image_pull_policy=image.pull_policy,
            command=["node", f"{MOUNT}/{command[0]}", *command[1:]],
            env=[*_plain(variables), admin_key_of(values, values.backup_key_secret_name).env_var()],
            resources=pods.resources(values.backup.resources),
            security_context=pods.container_security(values.backend.security_context),
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=_mounts(),
        )

    def _rclone(self, name: str, command: str, variables: list[tuple[str, str]]) -> k8s.Container:
        """A container of rclone's image, with the keys of the bucket and not the admin key."""
        values = self._values
        target, image = values.backup.s3, values.backup.rclone.image
        plain = [*variables, ("FOLDER", WORK), ("BUCKET", target.bucket), ("PREFIX", target.prefix)]
        plain += [("AWS_REGION", region)] if (region := _region(values)) else []
        plain += [("S3_ENDPOINT_URL", endpoint)] if (endpoint := _endpoint(values)) else []
        return k8s.Container(
            name=name,
            image=image.reference,
            image_pull_policy=image.pull_policy,
            command=["sh", f"{MOUNT}/{command}"],
            env=[*_plain(plain), *(reference.env_var() for reference in _bucket_secrets(values))],
            resources=pods.resources(values.backup.resources),
            security_context=k8s.SecurityContext(
                run_as_user=NOBODY,
                run_as_group=NOBODY,
                run_as_non_root=True,
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=k8s.Capabilities(drop=["ALL"]),
            ),
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=_mounts(),
        )

    def _export_variables(self) -> list[tuple[str, str]]:
        backup = self._values.backup
        include = ("INCLUDE_FILES", "true" if backup.include_files else "false")
        return [include] if self._in_bucket else [include, backup.keep.variable]


def _plain(variables: list[tuple[str, str]]) -> list[k8s.EnvVar]:
    return [k8s.EnvVar(name=name, value=value) for name, value in variables]


def _mounts() -> list[k8s.VolumeMount]:
    return [
        k8s.VolumeMount(name=SCRIPTS, mount_path=MOUNT, read_only=True),
        k8s.VolumeMount(name="work", mount_path=WORK),
    ]


def _ambient(values: Values) -> bool:
    """Whether the bucket is opened by the pod's own cloud role."""
    backup = values.backup
    return backup.destination == "s3" and not backup.s3.existing_secret and values.s3.credentials == "ambient"


def _region(values: Values) -> str:
    target = values.backup.s3
    return target.region or ("" if target.existing_secret else values.s3.dialect.region)


def _endpoint(values: Values) -> str:
    target = values.backup.s3
    return target.endpoint or ("" if target.existing_secret else values.s3.endpoint)


def _bucket_secrets(values: Values) -> list[SecretReference]:
    """The references that are left where region and endpoint are not plain values."""
    known = {"AWS_REGION": _region(values), "S3_ENDPOINT_URL": _endpoint(values)}
    return [reference for reference in backup_bucket_secrets(values) if not known.get(reference.variable)]
