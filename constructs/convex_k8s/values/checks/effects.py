"""Which parameters have an effect only under a condition: one table, and one warning for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from convex_k8s.problems import Path, Problem

if TYPE_CHECKING:
    from convex_k8s.values import Values


class Effect(NamedTuple):
    """Parameters that have an effect while a condition holds. `otherwise` says why they have none, and what to do."""

    parameters: tuple[str, ...]
    holds: Callable[[Values], object]
    otherwise: str


def _while_enabled(section: str, fields: Iterable[str]) -> Effect:
    def holds(values: Values) -> object:
        return _value(values, (*section.split("."), "enabled"))

    text = f"has no effect while {section}.enabled is false: remove it, or set that to true"
    return Effect(tuple(f"{section}.{field}" for field in fields), holds, text)


def _databases() -> Iterator[Effect]:
    for name in ("postgres", "mysql"):
        yield _while_enabled(name, ("existingSecret", "keys", "caSecret", "caKey", "maxConnections"))
        yield Effect(
            (f"{name}.keys.instanceName",),
            lambda values: not values.instance.name or values.postgres.cloud_native_pg.cluster,
            "is not read while instance.name is set: remove one of them",
        )
        yield Effect(
            (f"{name}.keys.instanceSecret",),
            lambda values: not values.instance.existing_secret and values.secrets.provider != "bootstrap",
            "is not read while the instance secret has a Secret of its own: set instance.keys.instanceSecret instead",
        )
        yield Effect(
            (f"{name}.caKey",),
            lambda values, name=name: getattr(values, name).ca_secret,  # type: ignore[misc]
            f"has no effect without {name}.caSecret: set that, or remove it",
        )


def _probes() -> Iterator[Effect]:
    for component in ("backend", "dashboard"):
        for probe in ("startup", "readiness", "liveness"):
            fields = ("periodSeconds", "timeoutSeconds", "failureThreshold")
            yield _while_enabled(f"{component}.probes.{probe}", fields)


EFFECTS: tuple[Effect, ...] = (
    *_databases(),
    *_probes(),
    _while_enabled(
        "s3",
        (
            *("provider", "credentials", "existingSecret", "keys", "endpoint", "region", "bucket", "buckets"),
            *("forcePathStyle", "disableChecksums", "disableSse"),
        ),
    ),
    Effect(
        ("s3.existingSecret", "s3.keys"),
        lambda values: values.s3.credentials == "secret",
        "has no effect while s3.credentials is ambient: remove it, or set that to secret",
    ),
    Effect(
        ("s3.keys.endpoint",),
        lambda values: not values.s3.endpoint and values.s3.provider != "aws",
        "is not read while s3.endpoint is set or s3.provider is aws: remove one of them",
    ),
    Effect(
        ("s3.keys.region",),
        lambda values: not values.s3.dialect.region,
        "is not read while s3.region is set, or given by s3.provider: remove one of them",
    ),
    Effect(
        ("s3.bucket",),
        lambda values: set(type(values.s3.buckets).model_fields) - values.s3.buckets.model_fields_set,
        "has no effect while s3.buckets names all five: remove one of them",
    ),
    Effect(
        ("instance.keys",),
        lambda values: values.instance.existing_secret or values.secrets.provider == "bootstrap",
        "has no effect without instance.existingSecret: set that, or the key under postgres.keys or mysql.keys",
    ),
    Effect(
        ("backend.secretsName",),
        lambda values: values.secrets.provider != "bootstrap",
        "has no effect while secrets.provider is bootstrap, which makes the admin key: remove it",
    ),
    Effect(
        ("backend.extraCaKey",),
        lambda values: values.backend.extra_ca_secret,
        "has no effect without backend.extraCaSecret: set that, or remove it",
    ),
    _while_enabled("backend.persistence", ("existingClaim", "storageClassName", "accessMode", "size")),
    Effect(
        tuple(f"backend.persistence.{field}" for field in ("storageClassName", "accessMode", "size")),
        lambda values: not values.backend.persistence.existing_claim,
        "has no effect while backend.persistence.existingClaim names a claim that exists: remove one of them",
    ),
    Effect(
        ("backend.persistence.allowEphemeralData",),
        lambda values: (
            values.ingress.enabled
            and not values.backend.persistence.enabled
            and not (values.external_database and values.s3.enabled)
        ),
        "has no effect while nothing is lost with the pod, or Ingress is off: remove it",
    ),
    _while_enabled("ingress", ("className", "annotations", "tls")),
    Effect(
        ("ingress.dashboard", "ingress.backend", "ingress.site", "ingress.certManager"),
        lambda values: values.ingress.enabled or values.gateway.enabled,
        "has no effect while ingress.enabled and gateway.enabled are false: remove it, or set one to true",
    ),
    _while_enabled("gateway", ("parentRefs", "create", "dashboard", "backend", "site")),
    _while_enabled(
        "networkPolicy",
        (
            *("ingressNSMatchLabels", "ingressNSPodMatchLabels", "metricsNSMatchLabels", "egress"),
            *("database", "s3", "origins", "extraIngress", "extraEgress"),
        ),
    ),
    _while_enabled("podDisruptionBudget", ("dashboard", "backend")),
    _while_enabled("monitoring", ("serviceMonitor", "rules")),
    _while_enabled("monitoring.serviceMonitor", ("interval", "labels")),
    _while_enabled("monitoring.rules", ("labels", "alertLabels", "memoryPercent", "volumePercent", "certificateDays")),
    Effect(
        ("maintenance.timeZone",),
        lambda values: values.maintenance.restart_schedule,
        "has no effect without maintenance.restartSchedule: set that, or remove it",
    ),
    _while_enabled(
        "backup",
        (
            *("schedule", "includeFiles", "destination", "s3", "claim", "keep", "timeout"),
            *("adminKeySecret", "resources", "rclone"),
        ),
    ),
    Effect(
        ("backup.s3", "backup.rclone"),
        lambda values: values.backup.destination == "s3",
        "has no effect while backup.destination is claim: remove it, or set that to s3",
    ),
    Effect(
        ("backup.claim",),
        lambda values: values.backup.destination == "claim",
        "has no effect while backup.destination is s3: remove it, or set that to claim",
    ),
    Effect(
        tuple(f"functions.{field}" for field in ("pullPolicy", "command", "env", "adminKeySecret")),
        lambda values: values.functions.image,
        "has no effect without functions.image: set that, or remove it",
    ),
    _while_enabled(
        "dashboard",
        (
            *("replicaCount", "env", "envFrom", "resources", "probes", "securityContext", "serviceAccount"),
            *("nodeSelector", "tolerations", "priorityClassName", "podAnnotations", "podLabels", "affinity"),
            *("topologySpreadConstraints", "hostAliases", "initContainers", "extraContainers", "extraVolumes"),
            "extraVolumeMounts",
        ),
    ),
    Effect(
        ("service.dashboard", "ingress.dashboard", "gateway.dashboard", "podDisruptionBudget.dashboard"),
        lambda values: values.dashboard.enabled,
        "has no effect while dashboard.enabled is false: remove it, or set that to true",
    ),
    Effect(
        ("image.tag",),
        lambda values: values.image.tag in (values.backend.image.tag, values.dashboard.image.tag),
        "has no effect while backend.image.tag and dashboard.image.tag are set: remove one or the other (in an overlay "
        "that extends another, null removes what that sets)",
    ),
    Effect(
        tuple(f"ingress.site.{field}" for field in ("paths", "className", "annotations", "tls")),
        lambda values: values.ingress.site.host,
        "has no effect without ingress.site.host: set that, or remove it",
    ),
    Effect(
        ("gateway.site.paths", "gateway.site.rewrite"),
        lambda values: values.gateway.site.host or values.ingress.site.host,
        "has no effect without gateway.site.host: set that, or remove it",
    ),
    Effect(
        ("convexConfig.cloudOrigin", "convexConfig.siteOrigin", "convexConfig.deploymentUrl"),
        lambda values: values.public_hosts is None,
        "has no effect with Ingress or Gateway, because the origins follow from their hosts: set "
        "ingress.backend.origin and ingress.site.origin where the hosts are not right, and remove it",
    ),
    Effect(
        ("convexConfig.requireSsl",),
        lambda values: values.external_database,
        "has no effect without postgres or mysql: remove it",
    ),
    Effect(
        ("secrets.externalSecrets",),
        lambda values: values.secrets.provider == "external-secrets",
        "has no effect while secrets.provider is not external-secrets: set that, or remove it",
    ),
)


def _without_effect(values: Values) -> Iterator[Problem]:
    told: list[Path] = []
    for effect in EFFECTS:
        if effect.holds(values):
            continue
        for parameter in effect.parameters:
            path: Path = tuple(parameter.split("."))
            if _is_changed(values, path) and not any(path[: len(above)] == above for above in told):
                told.append(path)
                yield Problem(path, effect.otherwise, own=True)


def _value(values: Values, path: Path) -> Any:
    found: Any = values
    for part in path:
        found = getattr(found, _field(found, part))
    return found


def _is_changed(values: Values, path: Path) -> bool:
    """Whether the parameter is set, to something else than its default."""
    model: Any = values
    for part in path:
        name = _field(model, part)
        if name not in model.model_fields_set:
            return False
        parent, model = model, getattr(model, name)
    return bool(model != type(parent).model_fields[name].get_default(call_default_factory=True))


def _field(model: Any, key: str | int) -> str:
    fields = type(model).model_fields.items()
    return next(str(name) for name, field in fields if key in (field.alias, name))


WARNINGS = (_without_effect,)
