"""From a release to an overlay: only what differs from the defaults, corrected by what the release really does.

Values say what somebody wanted, and the chart does not always pass them on. What the database has pinned (its engine,
the kind of storage), and what the pods run, is read off the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from convex_k8s import knobs
from convex_k8s.values import Values
from convex_k8s.values.checks.backend import ON_THE_VOLUME, OWN_VARIABLES
from convex_k8s.values.checks.ingress import INGRESS_CLASS_ANNOTATION
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.adopt.draft import DEFAULTS, Draft, differing, laid_over, split, switched_on
from convexctl.adopt.release import Release
from convexctl.behaviour import Backend, predict
from convexctl.behaviour.backend import DEFAULT_NAME, concurrency_variable
from convexctl.behaviour.database import DEFAULT_CONNECTIONS
from convexctl.behaviour.find import ACTIONS_PORT, ImageName
from convexctl.behaviour.manifests import dig, items, mapping, sequence, text
from convexctl.errors import UserError
from convexctl.tools import node
from convexctl.wording import listed

_REFERENCE = re.compile(r"Secret/(?P<secret>.+)\[(?P<key>.+)\]")
_RETENTION = "DOCUMENT_RETENTION_DELAY"
_DASHBOARD_ONLY = "NEXT_PUBLIC_"
_WIDTH = 110
_EXTRA_CA = "NODE_EXTRA_CA_CERTS"
_DEFAULT_ADMIN_SECRET = text(DEFAULTS["backend"]["secretsName"])


@dataclass(frozen=True)
class Derived:
    """What a release becomes."""

    values: dict[str, Any]
    """The overlay's values: only what differs from the defaults."""
    notes: dict[str, str]
    lost: list[str]
    unknown: list[str]
    """Values of the user's that are no parameters here, with their places."""

    def text(self, release: Release) -> str:
        """The overlay's file."""
        revision = f", revision {release.revision}" if release.revision else ""
        lines = [
            "# yaml-language-server: $schema=./schema.json",
            "#",
            f"# From the Helm release {release.name} in the namespace {release.namespace}{revision}: what differs from "
            "the defaults.",
            "# From here on this file says what the environment is.",
        ]
        lines += _paragraph("Read off what the release runs:", [f"{key}: {why}" for key, why in self.notes.items()])
        lines += _paragraph("Not taken over:", [*self.unknown, *self.lost])
        body = yaml.safe_dump(self.values, sort_keys=False, width=_WIDTH, allow_unicode=True)
        return "\n".join([*lines, "", body])


def derive(release: Release, secrets: Iterable[Mapping[str, Any]] | None) -> Derived:
    """The overlay of a release.

    `secrets` are the Secrets of its pods with their keys, without values; None where the cluster cannot be asked.
    Raises `UserError` where no container of the release runs Convex.
    """
    known, unknown = split(Values, release.given, ())
    base = split(Values, release.effective, ())[0]
    draft = Draft(laid_over(switched_on(base), known))
    known_keys = None if secrets is None else {text(dig(secret, "metadata", "name")): secret for secret in secrets}
    backend = the_backend(release, list((known_keys or {}).values()))
    draft.put("releaseName", release.name)
    draft.put("namespace", release.namespace)
    _replicas(draft)
    _images(draft, release)
    _placement(draft, release)
    _database(draft, backend)
    _instance(draft, backend)
    _s3(draft, backend, known_keys)
    _volume(draft, release, backend)
    _edge(draft, release, backend)
    defaults = _our_variables()
    _variables(draft, backend, defaults)
    _retention(draft, backend, defaults)
    _concurrency(draft, backend, defaults)
    _sources(draft, release, backend, known_keys)
    _accept_loss(draft)
    draft.take_secrets_out()
    return Derived(differing(draft.values), draft.notes, draft.lost, unknown)


def the_backend(release: Release, secrets: Iterable[Mapping[str, Any]] = ()) -> Backend:
    """What the release's backend does. Raises `UserError` where it is no Convex."""
    for backend in predict([*release.manifests, *secrets]).backends:
        if (backend.kind, backend.name) == ("StatefulSet", f"{release.name}-backend"):
            return backend
    raise UserError(f"StatefulSet/{release.name}-backend runs no Convex backend, by its image, command and ports")


def _replicas(draft: Draft) -> None:
    count = draft.get("replicaCount")
    draft.drop("replicaCount")
    if isinstance(count, int) and count > 1:
        why = f"the release has replicaCount {count}; the backend has one pod, always"
        draft.put("dashboard.replicaCount", count, why)


def _images(draft: Draft, release: Release) -> None:
    for component, container in _containers(release):
        image = ImageName.of(text(container.get("image")))
        why = "the image that runs"
        draft.put(f"{component}.image.repository", image.repository, why)
        if image.tag:
            draft.put(f"{component}.image.tag", image.tag, why)
        if image.digest:
            draft.put(f"{component}.image.digest", image.digest, why)
        if container.get("imagePullPolicy"):
            draft.put(f"{component}.image.pullPolicy", container["imagePullPolicy"], why)


def _placement(draft: Draft, release: Release) -> None:
    """What a changed chart may give its pods, and what they would not start or be scheduled without."""
    why = "the release's pods have it"
    for component, pod in _pods(release):
        for name in ("nodeSelector", "tolerations", "priorityClassName"):
            if pod.get(name):
                draft.put(f"{component}.{name}", pod[name], why)
        if pod.get("imagePullSecrets"):
            draft.put("imagePullSecrets", pod["imagePullSecrets"], why)
        if component == "backend" and pod.get("serviceAccountName"):
            draft.put("backend.serviceAccountName", pod["serviceAccountName"], why)
    for component, container in _containers(release):
        if container.get("resources"):
            draft.put(f"{component}.resources", container["resources"], why)


def _pods(release: Release) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for component, kind in (("backend", "StatefulSet"), ("dashboard", "Deployment")):
        workload = release.objects.find(kind, release.namespace, f"{release.name}-{component}")
        yield component, mapping(dig(workload, "spec", "template", "spec"))


def _containers(release: Release) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for component, pod in _pods(release):
        containers = [container for _, container in items(pod.get("containers"))]
        named = [container for container in containers if container.get("name") == f"convex-{component}"]
        yield from ((component, container) for container in [*named, *containers][:1])


def _secret_key(reference: str) -> tuple[str, str] | None:
    match = _REFERENCE.fullmatch(reference)
    return (match["secret"], match["key"]) if match else None


def _database(draft: Draft, backend: Backend) -> None:
    engine = backend.engine.value
    if engine == "sqlite":
        if backend.engine.certain:
            for name in ("postgres", "mysql"):
                draft.put(f"{name}.enabled", False, "the release keeps its documents in SQLite")
        return
    why = "the database that the release uses"
    draft.put(f"{engine}.enabled", True, why)
    found = _secret_key(text(backend.database_url.value)) if backend.database_url else None
    if found:
        draft.put(f"{engine}.existingSecret", found[0], why)
        draft.put(f"{engine}.keys.url", found[1], "the key that the release reads")
    else:
        draft.lost.append(f"the database's URL, which stands in the manifest: put it into the Secret {_place(engine)}")
    connections = backend.database_connections
    if connections and isinstance(connections.value, int) and connections.value != DEFAULT_CONNECTIONS:
        draft.put(f"{engine}.maxConnections", connections.value, "as in the release")
    if backend.database_ca:
        draft.lost.append(
            f"the CA certificate at {backend.database_ca.value}: put it into a Secret, named in {engine}.caSecret"
        )


def _place(engine: object) -> str:
    return f"that {engine}.existingSecret names"


def _instance(draft: Draft, backend: Backend) -> None:
    engine = text(backend.engine.value)
    server = engine if engine != "sqlite" else ""
    its_secret = draft.get(f"{server}.existingSecret") or dig(DEFAULTS, server, "existingSecret") if server else None
    name = backend.environment.read("INSTANCE_NAME")
    found = _secret_key(name.reference)
    if found and found[0] == its_secret:
        draft.put(f"{server}.keys.instanceName", found[1], "the key that the release reads")
    elif found:
        draft.lost.append(f"the instance name, which is in {name.reference}: set instance.name to what it says")
    elif name.filled and name.text:
        draft.put("instance.name", name.text, "the name that the release has")
    elif server and not name.filled:
        draft.put("instance.name", DEFAULT_NAME, "upstream's default: the release sets none")
    secret = backend.environment.read("INSTANCE_SECRET")
    found = _secret_key(secret.reference)
    if found and found[0] == its_secret:
        draft.put(f"{server}.keys.instanceSecret", found[1], "the key that the release reads")
    elif found:
        draft.put("instance.existingSecret", found[0], "the Secret that the release reads")
        draft.put("instance.keys.instanceSecret", found[1], "the key that the release reads")
    elif secret.filled:
        draft.lost.append(
            "the instance secret, which stands in the manifest: put it into a Secret, and name that in "
            "instance.existingSecret"
        )


_S3_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "accessKeyId",
    "AWS_SECRET_ACCESS_KEY": "secretAccessKey",
    "S3_ENDPOINT_URL": "endpoint",
    "AWS_REGION": "region",
}
"""Variables of the S3 client by the key in `s3.keys` that names where they are."""


def _s3(draft: Draft, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    buckets = mapping(backend.buckets.value) if backend.buckets else {}
    if backend.files.value != "s3":
        draft.put("s3.enabled", False, "the release keeps its files on a disk, and the database remembers that")
        return
    if any(_secret_key(text(name)) for name in buckets.values()):
        draft.put("s3.enabled", False, "all of it comes from a Secret: see backend.envFrom")
        return
    draft.put("s3.enabled", True, "the release keeps its files on S3, and the database remembers that")
    names = {key: text(name) for key, name in buckets.items()}
    why = "the bucket that the release uses"
    if len(set(names.values())) == 1:
        name = next(iter(names.values()))
        if name != DEFAULTS["s3"]["buckets"]["files"]:
            draft.put("s3.bucket", name, why)
        draft.drop("s3.buckets")
    else:
        for key, name in names.items():
            draft.put(f"s3.buckets.{_camel(key)}", name, why)
    _s3_keys(draft, backend, secrets)
    for key, decision, normal in (
        ("forcePathStyle", backend.s3_path_style, False),
        ("disableSse", backend.s3_sse, True),
        ("disableChecksums", backend.s3_checksums, True),
    ):
        if decision is not None and decision.value is not normal:
            draft.put(f"s3.{key}", True, "as in the release")


def _s3_keys(draft: Draft, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    readings = {key: backend.environment.read(variable) for variable, key in _S3_VARIABLES.items()}
    references = {key: _secret_key(reading.reference) for key, reading in readings.items()}
    named = list(dict.fromkeys(found[0] for found in references.values() if found))
    if not readings["accessKeyId"].filled and not readings["secretAccessKey"].filled:
        draft.put("s3.credentials", "ambient", "the release has no access keys")
    if named:
        draft.put("s3.existingSecret", named[0], "the Secret that the release reads")
    if len(named) > 1:
        draft.lost.append(f"{listed(named[1:], 'and')}: the credentials of S3 must be in one Secret, {named[0]}")
    for key, reading in readings.items():
        found = references[key]
        if found:
            draft.put(f"s3.keys.{key}", *_key_there(found, key, secrets))
        elif key in ("endpoint", "region") and reading.filled and reading.text:
            draft.put(f"s3.{key}", reading.text, "as in the release")
        elif key == "endpoint" and not reading.filled:
            draft.put("s3.keys.endpoint", "", "the release sets no endpoint")


def _key_there(found: tuple[str, str], key: str, secrets: Mapping[str, Mapping[str, Any]] | None) -> tuple[str, str]:
    """The key that is in the Secret: the one that the release reads or, where that is not there, the default one."""
    secret, read = found
    there = mapping(mapping((secrets or {}).get(secret)).get("data"))
    default = text(DEFAULTS["s3"]["keys"][key])
    if there and read not in there and default in there:
        return default, f"the release reads {read}, which {secret} has not"
    return read, f"the key in {secret} that the release reads"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def _volume(draft: Draft, release: Release, backend: Backend) -> None:
    made = f"{release.name}-backend-pvc"
    claim = text(backend.claim.value) if backend.claim else ""
    from_template = backend.claim is not None and "volumeClaimTemplates" in backend.claim.source.path
    if claim and not from_template:
        why = "the volume that the release mounts"
    elif not claim and release.objects.find("PersistentVolumeClaim", release.namespace, made):
        claim, why = made, "the volume that the chart made and did not mount"
    elif not claim:
        draft.put("backend.persistence", {})
        return
    else:
        return
    draft.put("backend.persistence", {"enabled": True})
    draft.put("backend.persistence.existingClaim", claim, why)


def _edge(draft: Draft, release: Release, backend: Backend) -> None:
    ingress = next(iter(release.objects.of_kind("Ingress")), None)
    if ingress is None:
        draft.put("ingress.enabled", False, "the release has no Ingress")
        for key, decision in (("cloudOrigin", backend.cloud_origin), ("siteOrigin", backend.site_origin)):
            if decision.value and not _secret_key(text(decision.value)):
                draft.put(f"convexConfig.{key}", decision.value, "as in the release")
        return
    why = "as the release's Ingress has it"
    draft.put("ingress.enabled", True, "the release has an Ingress")
    for name, host in _hosts(release, ingress):
        draft.put(f"ingress.{name}.host", host, why)
    tls = dig(ingress, "spec", "tls")
    if tls and not draft.get("ingress.tls"):
        draft.put("ingress.tls", tls, why)
    there = mapping(dig(ingress, "metadata", "annotations"))
    annotations = mapping(draft.get("ingress.annotations")) or there
    kept = {key: value for key, value in annotations.items() if key != INGRESS_CLASS_ANNOTATION}
    draft.put("ingress.annotations", kept)
    # Controllers take the annotation first, where both are there.
    by_annotation = text(there.get(INGRESS_CLASS_ANNOTATION))
    if in_use := by_annotation or text(dig(ingress, "spec", "ingressClassName")):
        draft.put("ingress.className", in_use, "the class that the release's Ingress has")


def _hosts(release: Release, ingress: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The hosts of an Ingress, by what the overlay calls them."""
    for _, rule in items(dig(ingress, "spec", "rules")):
        for _, path in items(dig(rule, "http", "paths")):
            service = dig(path, "backend", "service")
            port = text(dig(service, "port", "name") or dig(service, "port", "number"))
            name = text(dig(service, "name"))
            if name == f"{release.name}-dashboard-svc":
                yield "dashboard", text(rule.get("host"))
            elif name == f"{release.name}-backend-svc":
                yield ("site" if port in _actions_ports(release, name) else "backend"), text(rule.get("host"))


def _actions_ports(release: Release, name: str) -> set[str]:
    """Name and number of the port of HTTP actions on a Service of the backend."""
    service = release.objects.find("Service", release.namespace, name)
    for _, port in items(dig(service, "spec", "ports")):
        if text(port.get("targetPort") or port.get("port")) in ("http-actions", str(ACTIONS_PORT)):
            return {text(port.get("name")), text(port.get("port"))}
    return set()


def _our_variables() -> Mapping[str, knobs.Scalar]:
    """What the constructs set where an overlay says nothing."""
    node.ready()
    from convex_k8s.knobs import COMPOSE_DEFAULTS

    return COMPOSE_DEFAULTS


def _variables(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    """Variables that stand in the release's manifest, and that no parameter of an overlay sets."""
    for variable in backend.environment:
        name, value = variable.name, variable.text
        if name == _EXTRA_CA:
            draft.lost.append(
                f"{name}, the CA certificates of Node.js: put them into a Secret, named in backend.extraCaSecret"
            )
        if variable.from_secret or not value or name in OWN_VARIABLES or name in ON_THE_VOLUME:
            continue
        if name == ADMIN_KEY or name.startswith(_DASHBOARD_ONLY):
            continue
        try:
            setting: knobs.Scalar = True if name in knobs.PRESENCE else value
            written = knobs.written(name, setting)
        except ValueError as error:
            draft.lost.append(f"{name}: {error}, and so it did")
            continue
        default = defaults.get(name)
        if default is None or knobs.written(name, default) != written:
            draft.put(f"backend.env.{name}", setting, "as in the release")


def _retention(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    seconds = backend.retention.value
    if isinstance(seconds, int) and draft.get(f"backend.env.{_RETENTION}") is None:
        why = "upstream's default, which the release has; it can be lowered once (tags before 2026-04-23: 7776000)"
        if seconds != defaults[_RETENTION]:
            draft.put(f"backend.env.{_RETENTION}", seconds, why)


def _concurrency(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    """Upstream runs four times as many actions at a time as an environment that says nothing."""
    for kind, most in mapping(backend.concurrency.value).items():
        name = concurrency_variable(kind)
        if isinstance(most, int) and draft.get(f"backend.env.{name}") is None and most != defaults[name]:
            draft.put(f"backend.env.{name}", most, "upstream's default, which the release has")


def _sources(draft: Draft, release: Release, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    """ConfigMaps and Secrets that the release hands over whole, where something in them would be missed."""
    container = next(container for component, container in _containers(release) if component == "backend")
    kept = []
    for entry in map(mapping, sequence(container.get("envFrom"))):
        name = text(dig(entry, "secretRef", "name"))
        if dig(entry, "configMapRef", "name") == f"{release.name}-config":
            continue
        if name and secrets is not None and not _missed(draft, name, secrets.get(name)):
            continue
        if name and secrets is None and name == (draft.get("backend.secretsName") or _DEFAULT_ADMIN_SECRET):
            draft.lost.append(
                f"keys of the Secret {name} besides {ADMIN_KEY}: name it under backend.envFrom if it has any"
            )
            continue
        kept.append(dict(entry))
    if kept:
        draft.put("backend.envFrom", kept, "keys in there become variables in the release")


def _missed(draft: Draft, name: str, secret: Mapping[str, Any] | None) -> bool:
    """Whether a Secret has a key that the backend would no longer get."""
    keys = set(mapping(mapping(secret).get("data"))) - {ADMIN_KEY}
    for section in ("postgres", "mysql", "s3", "instance"):
        if name == (draft.get(f"{section}.existingSecret") or dig(DEFAULTS, section, "existingSecret")):
            names = {**mapping(DEFAULTS[section]["keys"]), **mapping(draft.get(f"{section}.keys"))}
            keys -= set(map(text, names.values()))
    return bool(keys)


def _accept_loss(draft: Draft) -> None:
    """Behind an Ingress an overlay must say that data goes with the pod: here it does so already."""
    if draft.get("ingress.enabled") is not True or draft.get("backend.persistence.enabled"):
        return
    outside = draft.get("postgres.enabled") is True or draft.get("mysql.enabled") is True
    if not outside or draft.get("s3.enabled") is False:
        why = "the release has no volume either, and a StatefulSet that is there can get none by a template"
        draft.put("backend.persistence.allowEphemeralData", True, why)


def _paragraph(title: str, entries: list[str]) -> list[str]:
    return ["#", f"# {title}", *(f"# - {entry}" for entry in entries)] if entries else []
