"""The backend's configuration that is not a secret: a ConfigMap whose keys are environment variables."""

from __future__ import annotations

import hashlib
import json

from cdk8s_plus_27 import k8s

from constructs import Construct
from convex_k8s import knobs
from convex_k8s.naming import Naming
from convex_k8s.origins import Origins
from convex_k8s.values import Values

CA_FOLDER = "/etc/convex/ca"
"""Where the CA certificate of the database is mounted."""
EXTRA_CA_FOLDER = "/etc/convex/extra-ca"
"""Where further CA certificates for Node.js are mounted."""
NPM_CACHE = "/convex/data/tmp/npm"
"""Where npm keeps what it fetches when its own place, below root's home, is read-only."""


class Config(Construct):
    """The ConfigMap `<release>-config`; all its keys become variables of the backend."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self.data = backend_variables(naming.values)
        self.name = f"{naming.release}-config"
        metadata = naming.metadata("config")
        self.config_map = k8s.KubeConfigMap(self, "config-map", metadata=metadata, data=self.data)

    @property
    def checksum(self) -> str:
        """A digest of the content: as an annotation of the pods it rolls them when the content changes."""
        return hashlib.sha256(json.dumps(self.data, sort_keys=True).encode()).hexdigest()


def backend_variables(values: Values) -> dict[str, str]:
    """The backend's variables that are no secrets, as its entry point reads them, sorted by name.

    Presence switches such as `DO_NOT_REQUIRE_SSL` are there only where they are meant to be on.
    """
    origins = Origins.of(values)
    variables = {
        "CONVEX_CLOUD_ORIGIN": origins.cloud,
        "CONVEX_SITE_ORIGIN": origins.site,
        "DISABLE_METRICS_ENDPOINT": "false" if values.metrics else "true",
        **({"INSTANCE_NAME": values.instance_name} if values.instance_name else {}),
        **_database(values),
        **(_s3(values) if values.s3.enabled else {}),
        **_node(values),
    }
    for name, value in {**knobs.COMPOSE_DEFAULTS, **values.backend.env}.items():
        text = knobs.written(name, value)
        if text is not None:
            variables[name] = text
    return dict(sorted(variables.items()))


def _database(values: Values) -> dict[str, str]:
    variables = {}
    for database, name, ca_file in (
        (values.postgres, "POSTGRES", "PG_CA_FILE"),
        (values.mysql, "MYSQL", "MYSQL_CA_FILE"),
    ):
        if not database.enabled:
            continue
        if database.max_connections:
            variables[f"{name}_MAX_CONNECTIONS"] = str(database.max_connections)
        if database.ca_secret:
            variables[ca_file] = f"{CA_FOLDER}/{database.ca_key}"
        if not values.convex_config.require_ssl:
            variables["DO_NOT_REQUIRE_SSL"] = "true"
    return variables


def _node(values: Values) -> dict[str, str]:
    """What Node.js actions need: Node.js reads the one variable, npm (for actions with packages) the other."""
    variables = {}
    if values.backend.extra_ca_secret:
        variables["NODE_EXTRA_CA_CERTS"] = f"{EXTRA_CA_FOLDER}/{values.backend.extra_ca_key}"
    if values.backend.security_context.read_only_root_filesystem:
        variables["npm_config_cache"] = NPM_CACHE
    return variables


def _s3(values: Values) -> dict[str, str]:
    s3 = values.s3
    dialect = s3.dialect
    variables = {f"S3_STORAGE_{word}_BUCKET": bucket for word, bucket in s3.bucket_names.items()}
    if dialect.region:
        variables["AWS_REGION"] = dialect.region
    if s3.endpoint:
        variables["S3_ENDPOINT_URL"] = s3.endpoint
    if dialect.path_style:
        variables["AWS_S3_FORCE_PATH_STYLE"] = "true"
    if not dialect.sse:
        variables["AWS_S3_DISABLE_SSE"] = "true"
    if not dialect.checksums:
        variables["AWS_S3_DISABLE_CHECKSUMS"] = "true"
    return variables
