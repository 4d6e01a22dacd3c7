"""What must hold between values: each check yields what is wrong and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s import knobs
from convex_k8s.problems import Path, Problem, dotted
from convex_k8s.values.base import amount
from convex_k8s.values.secrecy import named_like_a_secret, secret_in

if TYPE_CHECKING:
    from convex_k8s.values import Values
    from convex_k8s.values.edge import IngressHost

INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"

OWN_VARIABLES = {
    "POSTGRES_URL": "postgres.existingSecret",
    "MYSQL_URL": "mysql.existingSecret",
    "DATABASE_URL": "postgres.existingSecret",
    "PG_CA_FILE": "postgres.caSecret",
    "MYSQL_CA_FILE": "mysql.caSecret",
    "POSTGRES_MAX_CONNECTIONS": "postgres.maxConnections",
    "MYSQL_MAX_CONNECTIONS": "mysql.maxConnections",
    "NODE_EXTRA_CA_CERTS": "backend.extraCaSecret",
    "DO_NOT_REQUIRE_SSL": "convexConfig.requireSsl",
    "INSTANCE_NAME": "instance.name",
    "INSTANCE_SECRET": "instance.existingSecret",
    "CONVEX_CLOUD_ORIGIN": "convexConfig.cloudOrigin, or ingress.backend.host with Ingress on",
    "CONVEX_SITE_ORIGIN": "convexConfig.siteOrigin, or ingress.site.host with Ingress on",
    "CONVEX_SELF_HOSTED_ADMIN_KEY": "backend.secretsName",
    "DISABLE_METRICS_ENDPOINT": "backend.metrics.enabled",
    "AWS_REGION": "s3.region",
    "AWS_ACCESS_KEY_ID": "s3.existingSecret",
    "AWS_SECRET_ACCESS_KEY": "s3.existingSecret",
    "S3_ENDPOINT_URL": "s3.endpoint",
    "AWS_ENDPOINT_URL_S3": "s3.endpoint",
    "AWS_ENDPOINT_URL": "s3.endpoint",
    "S3_STORAGE_EXPORTS_BUCKET": "s3.buckets.exports",
    "S3_STORAGE_SNAPSHOT_IMPORTS_BUCKET": "s3.buckets.snapshotImports",
    "S3_STORAGE_MODULES_BUCKET": "s3.buckets.modules",
    "S3_STORAGE_FILES_BUCKET": "s3.buckets.files",
    "S3_STORAGE_SEARCH_BUCKET": "s3.buckets.search",
    "AWS_S3_FORCE_PATH_STYLE": "s3.forcePathStyle",
    "AWS_S3_DISABLE_SSE": "s3.disableSse",
    "AWS_S3_DISABLE_CHECKSUMS": "s3.disableChecksums",
}
"""Variables that the constructs set from a parameter."""

OWN_LABELS = frozenset(
    {"app", *(f"app.kubernetes.io/{part}" for part in ("name", "instance", "component", "part-of", "managed-by"))}
)
"""Labels that every object has already."""
CHECKSUM_ANNOTATION = "checksum/config"
"""The annotation by which a changed ConfigMap rolls the backend."""

BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What Pod Security `baseline`, which the namespace of `createNamespace` enforces, lets a container add."""

ON_THE_VOLUME = frozenset({"DATA_DIR", "TMPDIR", "STORAGE_DIR", "SQLITE_DB", "CREDENTIALS_DIR"})
"""Variables that would move data, or the instance secret that the backend makes, off the volume."""


def errors(values: Values) -> list[Problem]:
    """Everything that makes these values no environment."""
    checks = (
        _replicas,
        _namespace,
        _pod_security,
        _pull_secrets,
        _labels,
        _resources,
        _ports,
        _databases,
        _volume,
        _s3,
        _secrets,
        _environment,
        _hosts,
        _paths,
        _site,
        _tls,
        _ingress_class,
    )
    return [problem for check in (*checks, _lost_behind_ingress) for problem in check(values)]


def warnings(values: Values) -> list[Problem]:
    """What is allowed and probably not meant."""
    checks = (_tags, _plain_http, _lost_data, _doubtful_variables, _admin_keys_die, _local_origins)
    return [problem for check in checks for problem in check(values)]


def _replicas(values: Values) -> Iterator[Problem]:
    if values.replica_count != 1:
        yield Problem(
            ("replicaCount",),
            "must be 1: the backend has exactly one writer, and a second one would fight it over the database. "
            "For more dashboard pods set dashboard.replicaCount",
        )


def _namespace(values: Values) -> Iterator[Problem]:
    if values.create_namespace and not values.namespace:
        yield Problem(("createNamespace",), "needs a name for the namespace: set namespace", (("namespace",),))


def _pod_security(values: Values) -> Iterator[Problem]:
    if not values.create_namespace:
        return
    for name, workload in (("backend", values.backend), ("dashboard", values.dashboard)):
        context = workload.security_context
        path: Path = (name, "securityContext")
        if context.seccomp_profile.type == "Unconfined":
            yield Problem((*path, "seccompProfile", "type"), f"is Unconfined, {_NO_POD}", (("createNamespace",),))
        for index, capability in enumerate(context.capabilities.add):
            if capability not in BASELINE_CAPABILITIES:
                yield Problem(
                    (*path, "capabilities", "add", index), f"is {capability}, {_NO_POD}", (("createNamespace",),)
                )


_NO_POD = (
    "which Pod Security baseline refuses, and the namespace that createNamespace makes enforces that: no pod would be "
    "made. Leave it out, or make the namespace yourself"
)


def _pull_secrets(values: Values) -> Iterator[Problem]:
    names = [secret.name for secret in values.image_pull_secrets]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(
                ("imagePullSecrets", index), "is in the list already, which server-side apply refuses: remove it"
            )


def _labels(values: Values) -> Iterator[Problem]:
    for path, labels in (
        (("commonLabels",), values.common_labels),
        (("backend", "podLabels"), values.backend.pod_labels),
        (("dashboard", "podLabels"), values.dashboard.pod_labels),
    ):
        for key in (key for key in labels if key in OWN_LABELS):
            yield Problem((*path, key), "is a label that every object has already: choose another key")
    for path, own in (
        (("commonAnnotations",), values.common_annotations),
        (("backend", "podAnnotations"), values.backend.pod_annotations),
    ):
        if CHECKSUM_ANNOTATION in own:
            yield Problem((*path, CHECKSUM_ANNOTATION), "is set by the backend itself: choose another key")


def _resources(values: Values) -> Iterator[Problem]:
    for name, resources in (("backend", values.backend.resources), ("dashboard", values.dashboard.resources)):
        for kind, field in (("cpu", "cpu"), ("memory", "memory"), ("ephemeralStorage", "ephemeral_storage")):
            request, limit = getattr(resources.requests, field), getattr(resources.limits, field)
            if request is not None and limit is not None and amount(limit) < amount(request):
                requested: Path = (name, "resources", "requests", kind)
                yield Problem(
                    (name, "resources", "limits", kind),
                    f"is {limit}, less than the request of {request}, which Kubernetes refuses: raise it, "
                    f"or lower {dotted(requested)}",
                    (requested,),
                )


def _ports(values: Values) -> Iterator[Problem]:
    service = values.service.backend
    if service.port == service.actions_port:
        yield Problem(
            ("service", "backend", "actionsPort"),
            f"is {service.port}, as service.backend.port is already: API and HTTP actions need a port each",
            (("service", "backend", "port"),),
        )


def _databases(values: Values) -> Iterator[Problem]:
    if values.postgres.enabled and values.mysql.enabled:
        yield Problem(
            ("mysql", "enabled"),
            "two databases at once: postgres.enabled is true as well, and the backend would use Postgres alone. "
            "Switch one of them off",
            (("postgres", "enabled"),),
        )
    for name in ("postgres", "mysql"):
        database = getattr(values, name)
        for key, given in (("caSecret", database.ca_secret), ("maxConnections", database.max_connections)):
            if given and not database.enabled:
                yield Problem((name, key), f"has no effect while {name}.enabled is false", ((name, "enabled"),))


def _volume(values: Values) -> Iterator[Problem]:
    persistence = values.backend.persistence
    if amount(persistence.size) < 1:
        yield Problem(("backend", "persistence", "size"), "must be at least one byte: write 5Gi, say")
    if persistence.existing_claim and not persistence.enabled:
        yield Problem(
            ("backend", "persistence", "existingClaim"),
            "would not be mounted while backend.persistence.enabled is false: set that to true",
            (("backend", "persistence", "enabled"),),
        )


def _s3(values: Values) -> Iterator[Problem]:
    s3 = values.s3
    if not s3.enabled:
        return
    region_known = bool(s3.dialect.region)
    if not region_known and (s3.credentials == "ambient" or not s3.keys.region):
        yield Problem(
            ("s3", "region"),
            "is missing, and without a region the backend silently keeps files on its own disk: "
            "set s3.region"
            + ("" if s3.credentials == "ambient" else ", or s3.keys.region to name the key in the Secret"),
            (("s3", "keys", "region"), ("s3", "credentials"), ("s3", "provider"), ("s3", "enabled")),
        )
    from_secret = s3.credentials == "secret" and s3.keys.endpoint
    if s3.provider not in ("generic", "aws") and not s3.endpoint and not from_secret:
        yield Problem(
            ("s3", "endpoint"),
            f"is missing, and the backend would talk to Amazon instead of {s3.provider}: set s3.endpoint",
            (("s3", "keys", "endpoint"), ("s3", "credentials"), ("s3", "provider"), ("s3", "enabled")),
        )


def _secrets(values: Values) -> Iterator[Problem]:
    secrets = values.secrets
    if secrets.provider == "bootstrap" and not values.instance_name:
        yield Problem(
            ("instance", "name"),
            "is missing: with secrets.provider bootstrap the instance secret does not come from the database's Secret, "
            "so set the name here (the database is named after it)",
            (("secrets", "provider"),),
        )
    if secrets.provider != "external-secrets":
        return
    if not secrets.external_secrets.store_name:
        yield Problem(
            ("secrets", "externalSecrets", "storeName"),
            "is missing: name the SecretStore or ClusterSecretStore that holds the values",
            (("secrets", "provider"),),
        )
    s3 = values.s3
    if s3.enabled and s3.credentials == "secret" and s3.provider == "generic" and not s3.endpoint and s3.keys.endpoint:
        yield Problem(
            ("s3", "provider"),
            "must say which service it is (aws, minio, ...), or s3.endpoint be set: External Secrets Operator takes no "
            "optional keys, and without its endpoint the backend would talk to Amazon",
            (("secrets", "provider"), ("s3", "endpoint"), ("s3", "keys", "endpoint")),
        )


def _environment(values: Values) -> Iterator[Problem]:
    for name, value in values.backend.env.items():
        path: Path = ("backend", "env", name)
        if name in OWN_VARIABLES:
            yield Problem(path, f"is set by the overlay itself: use {OWN_VARIABLES[name]} instead")
        elif name in ON_THE_VOLUME:
            yield Problem(path, "would move data off the volume, which is mounted at /convex/data: leave it out")
        elif kind := secret_in(str(value)):
            yield Problem(path, f"looks like {kind}, and an overlay is no place for one: {_TO_A_SECRET}")
        elif isinstance(value, str) and value and name not in knobs.knobs() and named_like_a_secret(name):
            yield Problem(path, f"looks like a secret by its name, and an overlay is no place for one: {_TO_A_SECRET}")
        else:
            try:
                knobs.written(name, value)
            except ValueError as error:
                yield Problem(path, str(error))


_TO_A_SECRET = "put it into a Secret and name that under backend.envFrom"


def _hosts(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled:
        return
    for name in ("dashboard", "backend"):
        if not getattr(values.ingress, name).host:
            yield Problem(
                ("ingress", name, "host"),
                f"is missing while ingress.enabled is true: set the public host name of the "
                f"{'API' if name == 'backend' else name}",
                (("ingress", "enabled"),),
            )


def _served(values: Values) -> list[tuple[str, IngressHost]]:
    ingress = values.ingress
    named = (("dashboard", ingress.dashboard), ("backend", ingress.backend), ("site", ingress.site))
    return [(name, host) for name, host in named if host.host]


def _paths(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled:
        return
    taken: dict[tuple[str, str], str] = {}
    for name, host in _served(values):
        if not host.paths:
            yield Problem(("ingress", name, "paths"), "is empty, so nothing would be served: write [{path: /}]")
        for index, entry in enumerate(host.paths):
            path: Path = ("ingress", name, "paths", index, "path")
            if entry.path != "/" and name in ("dashboard", "backend"):
                what = "dashboard" if name == "dashboard" else "API"
                yield Problem(path, f"must be /: the {what} does not work under a sub-path, give it a host of its own")
                continue
            if entry.path == "/" and entry.path_type == "Exact":
                yield Problem(
                    ("ingress", name, "paths", index, "pathType"),
                    "is Exact, which serves / alone and nothing below it: write Prefix",
                    (path,),
                )
            owner = taken.setdefault((host.host, entry.path), f"ingress.{name}.paths[{index}]")
            if owner != f"ingress.{name}.paths[{index}]":
                same = owner.split(".")[1]
                cure = "remove one" if same == name else "give each a host of its own"
                yield Problem(
                    path if same == name else ("ingress", name, "host"),
                    f"makes a second rule for {host.host}{entry.path}, which {owner} has already: {cure}",
                    (("ingress", same, "host"), ("ingress", same, "paths"), ("ingress", name, "paths")),
                )


def _site(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not ingress.enabled or not ingress.site.host or any(entry.path == "/" for entry in ingress.site.paths):
        return
    cures = {
        "backend": "HTTP actions are served there under /http already, so leave it empty",
        "dashboard": "HTTP actions need a host of their own",
    }
    for name, cure in cures.items():
        if getattr(ingress, name).host == ingress.site.host:
            what = "API" if name == "backend" else name
            yield Problem(
                ("ingress", "site", "host"),
                f"is the {what}'s host as well, and HTTP actions would be looked for at its root: {cure}",
                (("ingress", name, "host"), ("ingress", "site", "paths")),
            )


def _tls(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not (ingress.enabled and ingress.dashboard.host and ingress.backend.host):
        return
    served = {host.host for _, host in _served(values)}
    for index, entry in enumerate(ingress.tls):
        for number, host in enumerate(entry.hosts):
            if host not in served and not any(_covers(host, name) for name in served):
                yield Problem(
                    ("ingress", "tls", index, "hosts", number),
                    f"has no rule that serves {host}: the hosts are {', '.join(sorted(served)) or 'not set'}",
                    (("ingress", "dashboard", "host"), ("ingress", "backend", "host"), ("ingress", "site", "host")),
                )


def _covers(certificate: str, host: str) -> bool:
    return certificate.startswith("*.") and host.partition(".")[2] == certificate[2:]


def _ingress_class(values: Values) -> Iterator[Problem]:
    annotated = values.ingress.annotations.get(INGRESS_CLASS_ANNOTATION)
    name = values.ingress.class_name
    if annotated and name and annotated != name:
        yield Problem(
            ("ingress", "annotations", INGRESS_CLASS_ANNOTATION),
            f"says {annotated}, but ingress.className says {name}: remove the annotation, className does its work",
            (("ingress", "className"),),
        )


def _lost(values: Values) -> Iterator[Problem]:
    persistence = values.backend.persistence
    if persistence.enabled:
        return
    path: Path = ("backend", "persistence", "enabled")
    if not values.external_database:
        yield Problem(
            path,
            "is false, so the database (SQLite) is lost with the pod: set it to true, or enable postgres or mysql",
            (("postgres", "enabled"), ("mysql", "enabled")),
        )
    if not values.s3.enabled:
        yield Problem(
            path,
            "is false, so files and deployed functions are lost with the pod: set it to true, or enable s3",
            (("s3", "enabled"),),
        )


def _lost_behind_ingress(values: Values) -> Iterator[Problem]:
    if values.ingress.enabled and not values.backend.persistence.allow_ephemeral_data:
        for problem in _lost(values):
            yield Problem(
                problem.path,
                f"{problem.message}. If that is wanted, set backend.persistence.allowEphemeralData to true",
                (*problem.depends_on, ("ingress", "enabled"), ("backend", "persistence", "allowEphemeralData")),
            )


def _lost_data(values: Values) -> Iterator[Problem]:
    if not values.ingress.enabled or values.backend.persistence.allow_ephemeral_data:
        yield from _lost(values)


def _admin_keys_die(values: Values) -> Iterator[Problem]:
    if not values.backend.persistence.enabled and not values.instance_secret_name:
        yield Problem(
            ("instance", "existingSecret"),
            "is empty and there is no volume, so every new pod makes a new instance secret and all admin keys die: "
            "set it, or backend.persistence.enabled to true",
        )


def _local_origins(values: Values) -> Iterator[Problem]:
    """The pod calls its own origins, and on localhost it finds there what the image serves and nothing else."""
    if values.ingress.enabled:
        return
    for key, origin, served, what in (
        ("cloudOrigin", values.convex_config.cloud_origin, ("3210",), "the API, so callbacks of Node actions fail"),
        (
            "siteOrigin",
            values.convex_config.site_origin,
            ("3211", "3210/http"),
            "HTTP actions, so OIDC discovery fails",
        ),
    ):
        host = re.match(r"https?://(localhost|127(?:\.[0-9]+){3})(?![-.\w])", origin)
        if host and origin not in (right := [f"http://{host[1]}:{port}" for port in served]):
            yield Problem(
                ("convexConfig", key),
                f"is {origin}, where the pod itself, which calls it too, does not find {what}: write "
                f"{' or '.join(right)} and forward that port",
            )


def _tags(values: Values) -> Iterator[Problem]:
    images = {"backend": values.backend.image, "dashboard": values.dashboard.image}
    services = (values.service.backend, values.service.dashboard)
    public = values.ingress.enabled or any(service.type != "ClusterIP" for service in services)
    for name, image in images.items():
        path: Path = (name, "image", "tag")
        if public and image.tag == "latest" and not image.digest:
            yield Problem(path, "is latest, which upstream moves by hand: pin a full commit SHA of its release branch")
        elif re.fullmatch(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?", image.tag):
            yield Problem(path, "looks like a version, and upstream has none: its tags are full commit SHAs")
    if images["backend"].tag != images["dashboard"].tag:
        yield Problem(
            ("dashboard", "image", "tag"),
            f"is {images['dashboard'].tag}, but the backend's is {images['backend'].tag}: both must carry the same tag",
        )


def _plain_http(values: Values) -> Iterator[Problem]:
    ingress = values.ingress
    if not ingress.enabled:
        return
    if not ingress.tls:
        yield Problem(
            ("ingress", "tls"),
            "is empty, but the public URLs are https: add the certificates, unless something in front terminates TLS",
        )
        return
    certified = [host for entry in ingress.tls for host in entry.hosts]
    for name, host in _served(values):
        if not any(host.host == known or _covers(known, host.host) for known in certified):
            yield Problem(("ingress", name, "host"), f"{host.host} is in no entry of ingress.tls")


def _doubtful_variables(values: Values) -> Iterator[Problem]:
    for name in values.backend.env:
        path: Path = ("backend", "env", name)
        if name in knobs.DEAD:
            yield Problem(path, f"is no longer read by the backend: use {knobs.DEAD[name]}")
        elif meant := knobs.meant(name):
            own = f" That is set by {OWN_VARIABLES[meant]}" if meant in OWN_VARIABLES else ""
            yield Problem(path, f"is no variable that the backend knows: did you mean {meant}?{own}")
