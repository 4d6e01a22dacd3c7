"""What the pods of backend and dashboard have in common: probes, resources, security contexts, placement."""

from __future__ import annotations

from typing import Any

from cdk8s_plus_27 import k8s

from convex_k8s.typed import typed, typed_list
from convex_k8s.values.workload import (
    Amounts,
    EnvironmentSource,
    ImagePullSecret,
    Probe,
    Resources,
    SecurityContext,
    Toleration,
    Workload,
)


def probe(probe: Probe, path: str, port: str) -> k8s.Probe | None:
    """An HTTP probe on a named port, or None if it is switched off."""
    if not probe.enabled:
        return None
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=path, port=k8s.IntOrString.from_string(port)),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )


def passed_through(workload: Workload) -> dict[str, Any]:
    """What a pod has as the overlay writes it; nothing if it writes none."""
    fields = {
        "affinity": typed(k8s.Affinity, workload.affinity) if workload.affinity else None,
        "topology_spread_constraints": typed_list(k8s.TopologySpreadConstraint, workload.topology_spread_constraints),
        "host_aliases": typed_list(k8s.HostAlias, workload.host_aliases),
        "init_containers": typed_list(k8s.Container, workload.init_containers),
    }
    return {name: value for name, value in fields.items() if value}


def containers(main: k8s.Container, workload: Workload) -> list[k8s.Container]:
    """The main container, and those beside it."""
    return [main, *typed_list(k8s.Container, workload.extra_containers)]


def volumes(workload: Workload) -> list[k8s.Volume]:
    """The overlay's own volumes."""
    return typed_list(k8s.Volume, workload.extra_volumes)


def mounts(workload: Workload) -> list[k8s.VolumeMount]:
    """The overlay's own mounts of the main container."""
    return typed_list(k8s.VolumeMount, workload.extra_volume_mounts)


def env_from(sources: list[EnvironmentSource]) -> list[k8s.EnvFromSource]:
    """ConfigMaps and Secrets all keys of which become variables."""
    return [
        k8s.EnvFromSource(
            prefix=source.prefix or None,
            config_map_ref=k8s.ConfigMapEnvSource(
                name=source.config_map_ref.name, optional=source.config_map_ref.optional or None
            )
            if source.config_map_ref
            else None,
            secret_ref=k8s.SecretEnvSource(name=source.secret_ref.name, optional=source.secret_ref.optional or None)
            if source.secret_ref
            else None,
        )
        for source in sources
    ]


def resources(resources: Resources) -> k8s.ResourceRequirements:
    """Requests and limits of a container."""
    return k8s.ResourceRequirements(requests=_amounts(resources.requests), limits=_amounts(resources.limits))


def _amounts(amounts: Amounts) -> dict[str, k8s.Quantity] | None:
    given = {"cpu": amounts.cpu, "memory": amounts.memory, "ephemeral-storage": amounts.ephemeral_storage}
    return {name: k8s.Quantity.from_string(amount) for name, amount in given.items() if amount is not None} or None


def pod_security(context: SecurityContext) -> k8s.PodSecurityContext:
    """The part of the security context that belongs to the pod."""
    profile = context.seccomp_profile
    return k8s.PodSecurityContext(
        run_as_user=context.run_as_user,
        run_as_group=context.run_as_group,
        run_as_non_root=context.run_as_non_root,
        fs_group=context.fs_group,
        seccomp_profile=k8s.SeccompProfile(type=profile.type, localhost_profile=profile.localhost_profile or None),
    )


def container_security(context: SecurityContext) -> k8s.SecurityContext:
    """The part of the security context that belongs to the container."""
    return k8s.SecurityContext(
        allow_privilege_escalation=context.allow_privilege_escalation,
        read_only_root_filesystem=context.read_only_root_filesystem or None,
        capabilities=k8s.Capabilities(drop=context.capabilities.drop or None, add=context.capabilities.add or None),
    )


def tolerations(workload: Workload) -> list[k8s.Toleration] | None:
    """The tolerations of the pod."""
    return [_toleration(toleration) for toleration in workload.tolerations] or None


def _toleration(toleration: Toleration) -> k8s.Toleration:
    return k8s.Toleration(
        key=toleration.key,
        operator=toleration.operator,
        value=toleration.value,
        effect=toleration.effect,
        toleration_seconds=toleration.toleration_seconds,
    )


def pull_secrets(secrets: list[ImagePullSecret]) -> list[k8s.LocalObjectReference] | None:
    """The Secrets with credentials for the image registry."""
    return [k8s.LocalObjectReference(name=secret.name) for secret in secrets] or None
