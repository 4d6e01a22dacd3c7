"""The backend: a StatefulSet of one pod, its volume and its Services."""

from __future__ import annotations

from typing import Any

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import pods
from convex_k8s.config import CA_FOLDER, EXTRA_CA_FOLDER, Config
from convex_k8s.naming import Naming
from convex_k8s.service_account import ServiceAccount
from convex_k8s.services import ComponentService, Port
from convex_k8s.values import Values
from convex_k8s.values.checks.metadata import CHECKSUM_ANNOTATION, CLOUD_NATIVE_PG
from convex_k8s.values.secret_references import backend_variables_from_secrets, database_ca, extra_ca

SCRAPED = {"convex-k8s/scrape": "true"}
"""The label of the one Service through which the backend is scraped: the headless one selects the same pod."""
API_PORT = 3210
ACTIONS_PORT = 3211
DATA = "/convex/data"
"""Where the image keeps everything that it writes."""

STOP = "kill -INT 1"
"""SIGINT makes the image's PID 1 drain. The SIGTERM after it is dropped, and the grace period is the time to drain.

A hook that waits for the end of PID 1 ends with it, and each clean stop leaves a FailedPreStopHook event.
"""


class _StatefulSet(k8s.KubeStatefulSet):
    """A StatefulSet whose claim templates carry their type, which the structs of cdk8s-plus leave out.

    The API server fills it in, and Argo CD, with server-side apply, sees a difference for ever where it is missing.
    """

    def to_json(self) -> Any:
        """The manifest. cdk8s asks for it when it synthesises; a JSON patch would be dropped by its types."""
        manifest = super().to_json()
        typed = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        templates = manifest["spec"].get("volumeClaimTemplates", [])
        manifest["spec"] |= {"volumeClaimTemplates": [typed | template for template in templates]} if templates else {}
        return manifest


class Backend(Construct):
    """The StatefulSet `<release>-backend` with its two Services."""

    def __init__(self, scope: Construct, id: str, naming: Naming, config: Config) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._values = naming.values.backend
        self._config = config
        service = naming.values.service.backend
        ports = [
            Port("api", service.port, "api", service.node_port),
            Port("http-actions", service.actions_port, "http-actions", service.actions_node_port),
        ]
        self.service = ComponentService(
            self,
            "service",
            naming,
            "backend-svc",
            "backend",
            ports,
            type=service.type,
            annotations=service.annotations,
            load_balancer_class=service.load_balancer_class,
            labels=SCRAPED if naming.values.monitoring.enabled else None,
        )
        self.headless_service = ComponentService(
            self, "headless", naming, "backend-headless", "backend", _container_ports(), headless=True
        )
        if self._values.service_account.create:
            ServiceAccount(self, "service-account", naming, "backend", self._values)
        self.stateful_set = _StatefulSet(
            self,
            "stateful-set",
            metadata=naming.metadata("backend", "backend", _database_operator(naming.values)),
            spec=k8s.StatefulSetSpec(
                replicas=0 if self._values.paused else 1,
                service_name=self.headless_service.name,
                selector=k8s.LabelSelector(match_labels=naming.selector("backend")),
                template=k8s.PodTemplateSpec(
                    metadata=naming.pod_metadata("backend", {CHECKSUM_ANNOTATION: config.checksum}),
                    spec=self._pod(),
                ),
                volume_claim_templates=self._claim_templates(),
            ),
        )

    def _pod(self) -> k8s.PodSpec:
        values = self._values
        return k8s.PodSpec(
            automount_service_account_token=False,
            enable_service_links=False,
            service_account_name=self._naming.values.backend_account or None,
            image_pull_secrets=pods.pull_secrets(self._naming.values.image_pull_secrets),
            termination_grace_period_seconds=values.termination_grace_period_seconds,
            security_context=pods.pod_security(values.security_context),
            node_selector=values.node_selector or None,
            tolerations=pods.tolerations(values),
            priority_class_name=values.priority_class_name or None,
            containers=pods.containers(self._container(), values),
            volumes=[*self._volumes(), *pods.volumes(values)],
            **pods.passed_through(values),
        )

    def _container(self) -> k8s.Container:
        values = self._values
        return k8s.Container(
            name="convex-backend",
            image=values.image.reference,
            image_pull_policy=values.image.pull_policy,
            ports=[
                k8s.ContainerPort(name=port.name, container_port=port.number, protocol="TCP")
                for port in _container_ports()
            ],
            env=backend_variables_from_secrets(self._naming.values) or None,
            env_from=self._env_from(),
            lifecycle=k8s.Lifecycle(
                pre_stop=k8s.LifecycleHandler(exec=k8s.ExecAction(command=["/bin/bash", "-c", STOP]))
            ),
            startup_probe=pods.probe(values.probes.startup, "/version", "api"),
            readiness_probe=pods.probe(values.probes.readiness, "/version", "api"),
            liveness_probe=pods.probe(values.probes.liveness, "/version", "api"),
            resources=pods.resources(values.resources),
            security_context=pods.container_security(values.security_context),
            volume_mounts=[*self._mounts(), *pods.mounts(values)],
        )

    def _env_from(self) -> list[k8s.EnvFromSource]:
        """The user's sources come first: of two sources that have a key, the last one wins."""
        sources = pods.env_from(self._values.env_from)
        return [*sources, k8s.EnvFromSource(config_map_ref=k8s.ConfigMapEnvSource(name=self._config.name))]

    def _mounts(self) -> list[k8s.VolumeMount]:
        mounts = [
            k8s.VolumeMount(name="data", mount_path=DATA),
            k8s.VolumeMount(name="tmp", mount_path=f"{DATA}/tmp"),
        ]
        for name, (_, _, folder) in self._certificates().items():
            mounts.append(k8s.VolumeMount(name=name, mount_path=folder, read_only=True))
        return mounts

    def _certificates(self) -> dict[str, tuple[str, str, str]]:
        """The volumes with CA certificates: Secret, key and folder of each."""
        values = self._naming.values
        volumes = {"database-ca": (database_ca(values), CA_FOLDER), "extra-ca": (extra_ca(values), EXTRA_CA_FOLDER)}
        return {name: (*ca, folder) for name, (ca, folder) in volumes.items() if ca}

    def _volumes(self) -> list[k8s.Volume]:
        persistence = self._values.persistence
        volumes = [k8s.Volume(name="tmp", empty_dir=_empty_dir(self._values.tmp.size_limit))]
        if not persistence.enabled:
            volumes.insert(0, k8s.Volume(name="data", empty_dir=_empty_dir(persistence.size_limit)))
        elif persistence.existing_claim:
            claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=persistence.existing_claim)
            volumes.insert(0, k8s.Volume(name="data", persistent_volume_claim=claim))
        for name, (secret, key, _) in self._certificates().items():
            items = [k8s.KeyToPath(key=key, path=key)]
            volumes.append(k8s.Volume(name=name, secret=k8s.SecretVolumeSource(secret_name=secret, items=items)))
        return volumes

    def _claim_templates(self) -> list[k8s.KubePersistentVolumeClaimProps] | None:
        """A template instead of a claim of its own: `kubectl delete -f` and pruning leave its claim alone.

        It carries no labels of the user's: a template cannot be changed afterwards.
        """
        persistence = self._values.persistence
        if not persistence.enabled or persistence.existing_claim:
            return None
        class_name = {"": None, "-": ""}.get(persistence.storage_class_name, persistence.storage_class_name)
        return [
            k8s.KubePersistentVolumeClaimProps(
                metadata=k8s.ObjectMeta(name="data", labels=self._naming.selector("backend")),
                spec=k8s.PersistentVolumeClaimSpec(
                    access_modes=[persistence.access_mode],
                    storage_class_name=class_name,
                    resources=k8s.ResourceRequirements(
                        requests={"storage": k8s.Quantity.from_string(persistence.size)}
                    ),
                ),
            )
        ]


def _empty_dir(size_limit: str | None) -> k8s.EmptyDirVolumeSource:
    return k8s.EmptyDirVolumeSource(size_limit=k8s.Quantity.from_string(size_limit) if size_limit else None)


def _container_ports() -> list[Port]:
    return [Port("api", API_PORT, "api"), Port("http-actions", ACTIONS_PORT, "http-actions")]


def _database_operator(values: Values) -> dict[str, str]:
    """The annotation that names the Cluster of CloudNativePG, whose Secrets nobody else makes."""
    cluster = values.postgres.cloud_native_pg.cluster
    return {CLOUD_NATIVE_PG: cluster} if cluster else {}
