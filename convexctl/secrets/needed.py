"""Which Secrets manifests refer to: every name and key, so that notes, `secrets` and `preflight` speak of the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.project import PROGRAM

PULL_CONFIG = "DOCKER_CONFIG_FILE"
"""Under which name the credentials of an image registry are given."""


@dataclass(frozen=True)
class Variable:
    """A name under which a value for a Secret is given."""

    meaning: str
    placeholder: str = ""
    """The placeholder of a value in what people fill in; empty if the value is the content of a file."""

    @property
    def question(self) -> str:
        """What is asked for under this name."""
        if not self.placeholder:
            return f"path of a file with the {self.meaning}"
        return f"{self.meaning}: {self.placeholder}" if "://" in self.placeholder else self.meaning


VARIABLES = {
    "POSTGRES_URL": Variable(
        "connection URL of the database, without a database name in it", "postgresql://USER:PASSWORD@HOST:5432"
    ),
    "MYSQL_URL": Variable("connection URL of the database", "mysql://USER:PASSWORD@HOST:3306"),
    "CONVEX_DB_HOST": Variable("host name of the database's server, without port", "HOST"),
    "CONVEX_DB_PORT": Variable("port of the database's server", "PORT"),
    "CONVEX_DB_USERNAME": Variable(
        "user name for the database; it goes into a URL as it is, so only letters, digits and `-._~` are safe", "USER"
    ),
    "CONVEX_DB_PASSWORD": Variable(
        "password for the database; it goes into a URL as it is, so only letters, digits and `-._~` are safe",
        "PASSWORD",
    ),
    "INSTANCE_NAME": Variable(
        "name of the instance; the database has the same name, with `_` in place of every `-`", "NAME"
    ),
    "INSTANCE_SECRET": Variable(
        "instance secret: 64 hex digits, as `openssl rand -hex 32` makes them", "64_HEX_DIGITS"
    ),
    "AWS_ACCESS_KEY_ID": Variable("access key id for the buckets", "ACCESS_KEY_ID"),
    "AWS_SECRET_ACCESS_KEY": Variable("secret access key for the buckets", "SECRET_ACCESS_KEY"),
    "AWS_REGION": Variable("region of the buckets", "REGION"),
    "S3_ENDPOINT_URL": Variable("endpoint URL of the S3 service, with its scheme", "https://HOST"),
    "BACKUP_AWS_ACCESS_KEY_ID": Variable("access key id for the bucket of the backups", "ACCESS_KEY_ID"),
    "BACKUP_AWS_SECRET_ACCESS_KEY": Variable("secret access key for the bucket of the backups", "SECRET_ACCESS_KEY"),
    "PG_CA_FILE": Variable("CA certificate of the Postgres server (PEM)"),
    "MYSQL_CA_FILE": Variable("CA certificate of the MySQL server (PEM)"),
    "NODE_EXTRA_CA_CERTS": Variable("CA certificates that Node.js trusts besides the public ones (PEM)"),
    PULL_CONFIG: Variable("credentials for the image registry, as `docker login` writes it"),
    ADMIN_KEY: Variable(
        f"admin key (`{PROGRAM} admin-key` makes one), for `npx convex` in a shell of the pod; the backend does "
        "not read it",
        "ADMIN_KEY",
    ),
}
"""Every name, with its meaning. The admin key is made, and not asked for."""
FILES = frozenset(name for name, variable in VARIABLES.items() if not variable.placeholder)
"""Names whose value is the path of a file, of which the content goes into the Secret."""

NO_SECRETS = FILES | {"INSTANCE_NAME", "AWS_REGION", "S3_ENDPOINT_URL"}
"""Names whose value is not a secret itself, so that it is shown while it is typed."""

Use = Literal["variable", "file", "all keys", "image pull", "certificate"]


@dataclass(frozen=True)
class Reference:
    """One use of a Secret by one object.

    `target` is the variable or the volume that the key becomes; `key` is empty if all keys are meant or where the
    kind of the Secret fixes them. Without an `optional` one the pod starts all the same.
    """

    secret: str
    key: str
    use: Use
    target: str
    optional: bool


@dataclass(frozen=True)
class NeededSecret:
    """A Secret with all references to it. It is optional when each of them is."""

    name: str
    references: tuple[Reference, ...]

    @property
    def optional(self) -> bool:
        """Whether everything starts without it."""
        return all(reference.optional for reference in self.references)

    @property
    def use(self) -> Use:
        """What it is for; a Secret has one kind of use here."""
        return self.references[0].use

    def keys(self) -> dict[str, Reference]:
        """Its keys, each with the reference that needs it most."""
        keys: dict[str, Reference] = {}
        for reference in sorted(self.references, key=lambda reference: reference.optional):
            if reference.key:
                keys.setdefault(reference.key, reference)
        order = {reference.key: index for index, reference in reversed(list(enumerate(self.references)))}
        return dict(sorted(keys.items(), key=lambda item: order[item[0]]))


def needed_secrets(manifests: Iterable[Mapping[str, Any]]) -> list[NeededSecret]:
    """Every Secret that the manifests refer to and do not hold themselves, in the order of the references."""
    found: dict[str, list[Reference]] = {}
    for manifest in manifests:
        for reference in _references(manifest):
            found.setdefault(reference.secret, []).append(reference)
    return [NeededSecret(name, tuple(references)) for name, references in found.items()]


def file_variable(reference: Reference, engine: str | None) -> str:
    """The name under which the content of a file is given, beside this engine of the database."""
    if reference.target == "extra-ca":
        return "NODE_EXTRA_CA_CERTS"
    return "PG_CA_FILE" if engine == "postgres" else "MYSQL_CA_FILE"


def made_by_job(manifest: Mapping[str, Any]) -> list[str]:
    """The Secrets that a Job makes; none for another object.

    `SECRET_NAME` names the Secret to its containers.
    """
    if manifest.get("kind") != "Job":
        return []
    containers = manifest["spec"]["template"]["spec"]["containers"]
    variables = (variable for container in containers for variable in container.get("env") or [])
    return [str(variable["value"]) for variable in variables if variable["name"] == "SECRET_NAME"]


def _references(manifest: Mapping[str, Any]) -> Iterator[Reference]:
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "Ingress":
        for entry in spec.get("tls") or []:
            if entry.get("secretName"):
                yield Reference(entry["secretName"], "", "certificate", ", ".join(entry.get("hosts") or []), True)
        return
    if manifest.get("kind") == "Gateway":
        for listener in spec.get("listeners") or []:
            for certificate in (listener.get("tls") or {}).get("certificateRefs") or []:
                if certificate.get("namespace") in (None, manifest["metadata"].get("namespace")):
                    yield Reference(
                        certificate["name"], "", "certificate", listener.get("hostname", "every host"), True
                    )
        return
    if manifest.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for variable in container.get("env") or []:
            source = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if source:
                optional = bool(source.get("optional"))
                yield Reference(source["name"], source["key"], "variable", variable["name"], optional)
        for source in container.get("envFrom") or []:
            if secret := source.get("secretRef"):
                yield Reference(secret["name"], "", "all keys", "", bool(secret.get("optional")))
    for volume in pod.get("volumes") or []:
        if secret := volume.get("secret"):
            for item in secret.get("items") or []:
                optional = bool(secret.get("optional"))
                yield Reference(secret["secretName"], item["key"], "file", volume["name"], optional)
    for secret in pod.get("imagePullSecrets") or []:
        yield Reference(secret["name"], "", "image pull", "", False)
