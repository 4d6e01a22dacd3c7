"""Database, files, volumes and the instance: what is lost, what goes elsewhere than it seems."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, hit_variable, obstacles, rule
from convexctl.audit.rules.variables import presence_false
from convexctl.boot import Backend, Component, Decision, Source
from convexctl.boot.manifests import same_namespace

STOCK_CONNECTIONS = {"postgres": 97, "mysql": 151}
"""What an unchanged server grants: Postgres 100 less 3 for superusers, MySQL 151."""
_LOST = ("nothing", "container")


@rule(
    "data-lost-with-pod",
    Severity.ERROR,
    "Documents or files that go with the pod",
    reason="Without a database server documents lie in SQLite, and without S3 files, deployed code, exports and "
    "search indexes lie in a folder, both under /convex/data. An emptyDir goes with the pod at every update or "
    "drain; without a volume a restart of the container is enough.",
    basis="entry point of the backend's image; Kubernetes' volumes",
    parameter="backend.persistence.enabled: true (or postgres.enabled and s3.enabled)",
    change="mount a claim at /convex/data",
)
def data_lost(view: View) -> Iterator[Hit]:
    """Data on the container's layer, or on a volume of the pod."""
    for backend in view.boot.backends:
        for what, decision in _on_disk(backend):
            if decision.value in _LOST:
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "data-on-one-node",
    Severity.WARNING,
    "Documents or files on one node's disk",
    reason="A hostPath is a folder of one node: a pod that is scheduled elsewhere starts empty.",
    basis="Kubernetes' volumes",
    parameter="backend.persistence.enabled: true",
    change="use a claim, or bind the pod to the node",
)
def data_on_one_node(view: View) -> Iterator[Hit]:
    """Data on a hostPath."""
    for backend in view.boot.backends:
        for what, decision in _on_disk(backend):
            if decision.value == "node":
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "data-lost-with-manifests",
    Severity.WARNING,
    "Documents or files that go with the manifests",
    reason="A claim that stands in the manifests as an object is deleted with them: by `kubectl delete -f`, by "
    "pruning in Argo CD and Flux, by `helm uninstall`. One that a StatefulSet makes from a template stays, "
    "unless its retention policy says otherwise. A Namespace among the manifests takes every claim in it along, also "
    "those of a template and those made elsewhere, and the Secrets too.",
    basis="Kubernetes: owner and life of a PersistentVolumeClaim; deletion of a Namespace",
    parameter="backend.persistence.enabled: true (a template), or backend.persistence.existingClaim; createNamespace "
    "writes the Namespace into a file of its own",
    change="use volumeClaimTemplates, and keep the manifests of claims and of the Namespace apart from those that are "
    "deleted",
)
def data_lost_with_manifests(view: View) -> Iterator[Hit]:
    """Data on a claim that is deleted with its manifest."""
    for backend in view.boot.backends:
        for what, decision in _on_disk(backend):
            if decision.value == "pod":
                yield Hit(backend, decision.source, f"{what} outlive {decision.text}", unless=decision.unless)


@rule(
    "claim-not-mounted",
    Severity.ERROR,
    "A volume claim that holds nothing of Convex",
    reason="The backend writes to /convex/data and nowhere else: a claim that is not mounted there stays empty, and "
    "the data lies on something that does not last.",
    basis="entry point of the backend's image (DATA_DIR)",
    parameter="backend.persistence.enabled or backend.persistence.existingClaim: always mounted at /convex/data",
    change="mount the claim at /convex/data",
)
def claim_not_mounted(view: View) -> Iterator[Hit]:
    """Claims that are made and not mounted where the data is."""
    for backend in view.boot.backends:
        if backend.claims_astray:
            data = (backend.environment.read("DATA_DIR").shown or "/convex/data").rstrip("/") or "/"
            yield hit(backend, backend.claims_astray, f"{backend.claims_astray.text} is not mounted at {data}")


@rule(
    "no-volume",
    Severity.INFORMATION,
    "No volume at /convex/data",
    reason="Even with an outside database and S3 the backend writes there: temporary files, a search cache of 500 MiB "
    "and a copy of the instance secret end in the container's own layer, which counts as the node's ephemeral "
    "storage.",
    basis="entry point of the backend's image",
    parameter="none: a volume is always mounted there",
    change="mount an emptyDir at /convex/data",
)
def no_volume(view: View) -> Iterator[Hit]:
    """Nothing mounted, where that loses nothing."""
    for backend in view.boot.backends:
        if backend.data_volume.value == "none":
            yield hit(backend, backend.data_volume, backend.data_volume.text)


@rule(
    "data-read-only",
    Severity.ERROR,
    "/convex/data cannot be written",
    reason="The entry point makes folders there before it starts the server.",
    basis="entry point of the backend's image",
    parameter="none: the volume is always writable",
    change="mount a writable volume",
)
def data_read_only(view: View) -> Iterator[Hit]:
    """Read-only volumes."""
    yield from obstacles(view, "read-only")


@rule(
    "s3-partial",
    Severity.ERROR,
    "S3 is set in part, so it is not used",
    reason="S3 is used only when AWS_REGION and all five S3_STORAGE_..._BUCKET have a value. With one missing the "
    "backend logs a warning and uses the disk, and the first start writes the kind of storage into the "
    "database: afterwards a change in either direction refuses to start.",
    basis="entry point of the backend's image; the server's storage initialisation",
    parameter="s3.bucket (or s3.buckets.*) and s3.region",
    change="give all six a value; where the first start is past, export and import",
)
def s3_partial(view: View) -> Iterator[Hit]:
    """Some of the six variables."""
    for backend in view.boot.backends:
        if backend.files_missing:
            yield hit(backend, backend.files_missing, f"without a value: {backend.files_missing.text}")


@rule(
    "s3-optional",
    Severity.WARNING,
    "S3 hangs on a reference that is optional",
    reason="Where an optional key is missing, its variable is not set, S3 is not used, and the first start pins the "
    "database to local files for good. A pod that cannot start is better.",
    basis="Kubernetes: optional references; the server's storage initialisation",
    parameter="none: what S3 needs is always required there",
    change="remove `optional: true`",
)
def s3_optional(view: View) -> Iterator[Hit]:
    """Optional references among the six."""
    for backend in view.boot.backends:
        if backend.files.value == "s3" and backend.files.unless:
            yield Hit(backend, backend.files.source, f"files go to the disk when {backend.files.unless}")


@rule(
    "s3-endpoint",
    Severity.ERROR,
    "An S3 endpoint that is no URL",
    reason="S3_ENDPOINT_URL is a URL with its scheme. Not set means AWS; set to nothing is not the same: nothing is "
    "taken as an endpoint.",
    basis="the server's S3 client",
    parameter="s3.endpoint, or s3.keys.endpoint where it stands in the Secret",
    change="give the URL with https://, or remove the variable",
)
def s3_endpoint(view: View) -> Iterator[Hit]:
    """Endpoints that are empty or have no scheme."""
    for backend in view.boot.backends:
        reading = backend.environment.read("S3_ENDPOINT_URL")
        if backend.s3_endpoint and reading.variable and reading.text is not None:
            if reading.empty:
                yield hit_variable(backend, reading, "S3_ENDPOINT_URL is set to nothing")
            elif not re.match(r"https?://", reading.text):
                yield hit_variable(backend, reading, f'S3_ENDPOINT_URL is "{reading.shown}", without a scheme')


@rule(
    "s3-half-keys",
    Severity.WARNING,
    "One of the two S3 keys",
    reason="Static keys are used when both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have a value; with one of them "
    "the AWS default chain is asked instead.",
    basis="entry point of the backend's image",
    parameter="s3.existingSecret with s3.keys.accessKeyId and s3.keys.secretAccessKey",
    change="set both, or none",
)
def s3_half_keys(view: View) -> Iterator[Hit]:
    """A key id without a key, or the other way round."""
    for backend in view.boot.backends:
        readings = [backend.environment.read(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        there = [reading for reading in readings if reading.filled]
        if backend.files.value == "s3" and len(there) == 1:
            missing = next(reading for reading in readings if not reading.filled)
            yield hit_variable(backend, missing, f"{there[0].name} has a value, and {missing.name} has none")


@rule(
    "database-tls",
    Severity.WARNING,
    "TLS to the database is not required",
    reason="With DO_NOT_REQUIRE_SSL Postgres is asked for TLS and taken without it, and MySQL is spoken to in plain "
    "text unless MYSQL_CA_FILE is set: passwords and documents can be read on the way.",
    basis="entry point of the backend's image; the server's database clients",
    parameter="convexConfig.requireSsl: true, with postgres.caSecret for a CA of your own",
    change="remove DO_NOT_REQUIRE_SSL; for a CA of your own mount it and set PG_CA_FILE or MYSQL_CA_FILE",
)
def database_tls(view: View) -> Iterator[Hit]:
    """TLS that is switched off on purpose; by accident is a rule of its own."""
    accidents = {found.source for found in presence_false.check(view)}
    for backend in view.boot.backends:
        tls = backend.database_tls
        if tls and tls.value != "required" and tls.source not in accidents:
            yield Hit(backend, tls.source, f"TLS is {tls.text}")


@rule(
    "database-in-url",
    Severity.ERROR,
    "A database name in the URL",
    reason="The database is named after INSTANCE_NAME, every - being a _. A Postgres URL with a path other than / is "
    "refused at the start.",
    basis="the server's Postgres client",
    parameter="instance.name (or the key INSTANCE_NAME of postgres.existingSecret)",
    change="cut the URL after host and port, and name the instance after the database",
)
def database_in_url(view: View) -> Iterator[Hit]:
    """Postgres URLs with a path."""
    yield from obstacles(view, "database in URL")


@rule(
    "database-url",
    Severity.ERROR,
    "A database URL that the backend cannot use",
    reason="It must be a URL with the scheme of its database, with a user and a host: the backend ends at once when it "
    "cannot read it. A /, ? or # that is not percent-encoded ends the password, and @ behind it names no host.",
    basis="the server's database clients",
    parameter="postgres.existingSecret, mysql.existingSecret (`main.py secrets` checks the value)",
    change="write postgresql://USER:PASSWORD@HOST:5432, special characters percent-encoded",
)
def database_url(view: View) -> Iterator[Hit]:
    """URLs that are none, of another database, or without user or host."""
    yield from obstacles(view, "database URL", "no database user")


@rule(
    "database-url-deprecated",
    Severity.WARNING,
    "The database is given in DATABASE_URL",
    reason="DATABASE_URL is deprecated. It means Postgres whatever its scheme, and counts only where POSTGRES_URL and "
    "MYSQL_URL have no value.",
    basis="entry point of the backend's image",
    parameter="postgres.enabled: true (the Secret's key may be called DATABASE_URL)",
    change="rename the variable to POSTGRES_URL",
)
def database_url_deprecated(view: View) -> Iterator[Hit]:
    """DATABASE_URL in use."""
    for backend in view.boot.backends:
        reading = backend.environment.read("DATABASE_URL")
        if backend.database_url and reading.filled and backend.database_url.source == reading.source:
            yield hit_variable(backend, reading, "DATABASE_URL decides the database")


@rule(
    "database-ignored",
    Severity.ERROR,
    "Two databases, of which one is not used",
    reason="The first of POSTGRES_URL, MYSQL_URL and DATABASE_URL that has a value counts; the others are not read.",
    basis="entry point of the backend's image",
    parameter="postgres.enabled or mysql.enabled, not both",
    change="remove the variable that does not count",
)
def database_ignored(view: View) -> Iterator[Hit]:
    """Database URLs after the first."""
    for backend in view.boot.backends:
        readings = [backend.environment.read(name) for name in ("POSTGRES_URL", "MYSQL_URL", "DATABASE_URL")]
        filled = [reading for reading in readings if reading.filled]
        for reading in filled[1:]:
            message = f"{reading.name} is not read, because {filled[0].name} has a value"
            conditions = [each.variable.unless for each in (filled[0], reading) if each.variable]
            yield Hit(backend, reading.source, message, unless=" or ".join(filter(None, conditions)))


@rule(
    "database-optional",
    Severity.WARNING,
    "The database hangs on a reference that is optional",
    reason="Where an optional key is missing, its variable is not set, and the backend starts with the next database, "
    "in the end with an empty SQLite file: healthy, and without a document. A pod that cannot start is better.",
    basis="Kubernetes: optional references; entry point of the backend's image",
    parameter="none: the database's URL is always required there",
    change="remove `optional: true`",
)
def database_optional(view: View) -> Iterator[Hit]:
    """Optional references to the URL that decides."""
    for backend in view.boot.backends:
        deciding = next(
            (variable for variable in backend.environment if variable.source == backend.engine.source), None
        )
        if deciding and deciding.unless and backend.engine.value != "sqlite":
            message = f"another database than {backend.engine.text} is opened when {deciding.unless}"
            yield Hit(backend, deciding.source, message)


@rule(
    "database-pool",
    Severity.WARNING,
    "More connections than a stock server grants",
    reason="The backend opens up to 128 connections unless POSTGRES_MAX_CONNECTIONS or MYSQL_MAX_CONNECTIONS says "
    "less. A stock Postgres grants 100 in all, three of them to superusers only; a stock MySQL 151.",
    basis="the server's connection pools; the defaults of Postgres and MySQL",
    parameter="postgres.maxConnections, mysql.maxConnections",
    change="set the variable below the server's max_connections, or raise that",
)
def database_pool(view: View) -> Iterator[Hit]:
    """Pools that a stock server would refuse."""
    for backend in view.boot.backends:
        pool = backend.database_connections
        most = STOCK_CONNECTIONS.get(str(backend.engine.value))
        if pool and most and isinstance(pool.value, int) and pool.value > most:
            yield hit(backend, pool, f"up to {pool.value} connections, and a stock server grants {most}")


@rule(
    "database-ca",
    Severity.ERROR,
    "A CA file that is not there",
    reason="PG_CA_FILE and MYSQL_CA_FILE name a file in the container; one that cannot be read stops the backend.",
    basis="the server's database clients",
    parameter="postgres.caSecret, mysql.caSecret (mounted and named together)",
    change="mount the Secret or ConfigMap with the certificate where the variable points to",
)
def database_ca(view: View) -> Iterator[Hit]:
    """CA files that nothing provides."""
    yield from obstacles(view, "no CA file")


@rule(
    "shared-database",
    Severity.ERROR,
    "Two backends in one database",
    reason="The database is named after the instance with every - as _, so that `a-b` and `a_b` meet in one. Two "
    "backends in one database fight over its lease: the loser ends with code 0 at its next transaction.",
    basis="the server's lease in Postgres and MySQL",
    parameter="instance.name: another for each environment",
    change="name the instances differently, or use another server",
)
def shared_database(view: View) -> Iterator[Hit]:
    """Backends with the same server and the same database name."""
    for one, other in itertools.combinations(view.boot.backends, 2):
        if not (one.database_url and other.database_url and one.database_name and other.database_name):
            continue
        # A literal without a host, and a Secret in another namespace, may be different servers.
        server = _server(one.database_url)
        same_server = server == _server(other.database_url) != "literal"
        in_sight = "://" in server or same_namespace(one.namespace, other.namespace)
        if same_server and in_sight and one.database_name.value == other.database_name.value:
            yield hit(other, other.database_name, f"{one} uses the same database, {one.database_name.text}")


@rule(
    "instance-secret-unstable",
    Severity.ERROR,
    "An instance secret that does not stay",
    reason="Without INSTANCE_SECRET the entry point makes a secret and keeps it on /convex/data. Where that does not "
    "last, every restart makes a new one: all admin keys, upload tokens and cursors die, the data stays.",
    basis="entry point of the backend's image (`read_credentials.sh`)",
    parameter="instance.existingSecret (or the key INSTANCE_SECRET of postgres.existingSecret)",
    change="set INSTANCE_SECRET from a Secret, 64 hex digits from `openssl rand -hex 32`",
)
def instance_secret_unstable(view: View) -> Iterator[Hit]:
    """Secrets made anew."""
    for backend in view.boot.backends:
        if backend.secret_stable.value is False:
            yield hit(backend, backend.secret_stable, backend.secret_stable.text.removeprefix("no: "))


@rule(
    "instance-secret-form",
    Severity.ERROR,
    "An instance secret of the wrong form",
    reason="The backend takes 64 hex digits (32 bytes) and nothing else: base64 and passwords stop the start.",
    basis="the server's instance secret",
    parameter="instance.existingSecret (`main.py secrets` makes and checks it)",
    change="use `openssl rand -hex 32`",
)
def instance_secret_form(view: View) -> Iterator[Hit]:
    """Secrets in sight that are not 64 hex digits."""
    yield from obstacles(view, "instance secret")


@rule(
    "instance-name",
    Severity.ERROR,
    "An instance name that no admin key can carry",
    reason="An admin key reads <instance name>|<hex>: a name with : or | in it is refused.",
    basis="the server's admin keys",
    parameter="instance.name",
    change="use letters, digits, - and _ only",
)
def instance_name(view: View) -> Iterator[Hit]:
    """Names with a separator in them."""
    yield from obstacles(view, "instance name")


@rule(
    "literal-secret",
    Severity.ERROR,
    "A secret that stands in the manifest",
    reason="What stands in `env` or in a ConfigMap is read by everybody who may read the object, the repository or "
    "the release's history.",
    basis="Kubernetes: ConfigMaps and pod specs are not protected as Secrets are",
    parameter="postgres.existingSecret, instance.existingSecret, s3.existingSecret",
    change="put the value into a Secret, refer to it with secretKeyRef, and change the secret: it is known",
)
def literal_secret(view: View) -> Iterator[Hit]:
    """Values of secrets in plain text."""
    for component in view.boot.components:
        for variable in component.environment:
            if not variable.from_secret and _is_secret(variable.name, variable.literal):
                where = f" of {variable.reference.partition('[')[0]}" if variable.reference else ""
                yield Hit(component, variable.source, f"{variable.name}{where} holds a secret in plain text")
        for source, what in _secret_arguments(component):
            yield Hit(component, source, f"{what} holds a secret in plain text")


def _secret_arguments(component: Component) -> Iterator[tuple[Source, str]]:
    """Arguments of the pod that are secrets; `$(NAME)` in one comes from elsewhere."""
    previous = ""
    for source, argument in component.arguments:
        literal = re.sub(r"\$\([^)]*\)", "", argument)
        option, _, value = literal.partition("=")
        if previous == "--instance-secret" or option == "--instance-secret":
            if literal if previous == "--instance-secret" else value:
                yield source, "--instance-secret"
        elif _is_secret("", literal):
            yield source, "an argument"
        previous = argument


_SECRET_NAMES = re.compile(
    r"(CONVEX_)?INSTANCE_SECRET|AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)|\w*ADMIN_KEY|\w*(PASSWORD|PASSWD|SECRET_KEY|TOKEN)|PGPASSWORD"
)
_NOT_SECRETS = re.compile(r"AWS_WEB_IDENTITY_TOKEN_FILE|\w*_FILE")
_URL_WITH_PASSWORD = re.compile(
    r"(?<![a-z0-9+.-])(?!https?://[^/?#@\s]*:[0-9]{1,5}[/?#])[a-z][a-z0-9+.-]*://[^:@/?#\s]*:"
    r"(?!@[a-z0-9_.-]+(:[0-9]+)?[/?])(?P<password>\S*)@",
    re.IGNORECASE,
)
"""The password goes up to the last `@`: it may hold any character that was not escaped."""
_PASSWORD_IN_QUERY = re.compile(r"[a-z][a-z0-9+.-]*://\S*[?&](password|pwd)=[^&\s]", re.IGNORECASE)
_ADMIN_KEY = re.compile(r"[\w-]+\|01[0-9a-f]{40,}")


def _is_secret(name: str, literal: str) -> bool:
    if not literal:
        return False
    url = _URL_WITH_PASSWORD.search(literal)
    if url:
        return bool(url["password"])
    if _PASSWORD_IN_QUERY.search(literal) or _ADMIN_KEY.search(literal):
        return True
    return bool(_SECRET_NAMES.fullmatch(name)) and not _NOT_SECRETS.fullmatch(name)


def _server(url: Decision) -> str:
    """A database's server in one spelling: one scheme for Postgres, the port always there."""
    value = str(url.value)
    scheme, colon, host = value.partition("://")
    if not colon:
        return value
    scheme = scheme.replace("postgresql", "postgres")
    port = "" if re.search(r":[0-9]+$", host) else ":3306" if scheme == "mysql" else ":5432"
    return f"{scheme}://{host.lower()}{port}"


def _on_disk(backend: Backend) -> Iterator[tuple[str, Decision]]:
    """What of a backend is on a disk, with what the disk survives."""
    if backend.engine.value == "sqlite":
        yield "documents", backend.database_outlives
    if backend.files.value == "disk":
        yield "files", backend.files_outlive


RULES = (
    data_lost,
    data_on_one_node,
    data_lost_with_manifests,
    claim_not_mounted,
    no_volume,
    data_read_only,
    s3_partial,
    s3_optional,
    s3_endpoint,
    s3_half_keys,
    database_tls,
    database_in_url,
    database_url,
    database_url_deprecated,
    database_ignored,
    database_optional,
    database_pool,
    database_ca,
    shared_database,
    instance_secret_unstable,
    instance_secret_form,
    instance_name,
    literal_secret,
)
