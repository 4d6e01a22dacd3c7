"""What an environment needs from outside the cluster: role and database, buckets and their policy, DNS names.

Everything here is text for administrators to read and run. No password is in it: each database is left without one and
says how to set it.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from convex_k8s.origins import Origins
from convex_k8s.values import Values
from convex_k8s.values.database import DEFAULT_MAX_CONNECTIONS

from convexctl.errors import UserError
from convexctl.secrets.value_rules import Engine, database_name, instance_name_problems

SectionName = Literal["sql", "policy", "buckets", "dns"]

SPARE_CONNECTIONS = 5
"""Connections of the role on top of the pool: for the connection that upstream keeps besides, preflight, and a look."""

SECTIONS: tuple[SectionName, ...] = ("sql", "policy", "buckets", "dns")
"""What an environment may need, by administrator."""

_BUCKET_ACTIONS = ("s3:ListBucket",)
_OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
_LONGEST_MYSQL_USER = 32
_UUID = "-".join("?" * length for length in (8, 4, 4, 4, 12))


@dataclass(frozen=True)
class Section:
    """What one administrator needs. Without a text it is nothing, and the title says why."""

    name: SectionName
    title: str
    text: str = ""


def needs_instance_name(values: Values, names: Iterable[SectionName]) -> bool:
    """Whether any of these sections has the instance's name in it."""
    wanted = set(names)
    made = values.postgres.cloud_native_pg.create.wanted
    return (values.external_database and not made and "sql" in wanted) or (values.s3.enabled and "policy" in wanted)


def section(name: SectionName, values: Values, instance_name: str, environment: Mapping[str, str]) -> Section:
    """Write one section for an environment.

    Region and endpoint that only the Secret says come from `AWS_REGION` and `S3_ENDPOINT_URL` of `environment`, else
    stand as words to be replaced. Raises `UserError` if the instance name makes no database name.
    """
    match name:
        case "sql":
            return _sql(values, instance_name)
        case "policy":
            return _policy(values, instance_name, environment)
        case "buckets":
            return _buckets(values, environment)
        case "dns":
            return _dns(values)


def _sql(values: Values, instance_name: str) -> Section:
    if values.postgres.cloud_native_pg.create.wanted:
        cluster = values.postgres.cloud_native_pg.cluster
        return Section("sql", f"nothing: the Cluster {cluster} makes role and database {values.database_name}")
    if values.postgres.enabled:
        text = postgres_sql(instance_name, max_connections=values.postgres.max_connections)
        return Section("sql", "role and database, for psql as an administrator of the Postgres server", text)
    if values.mysql.enabled:
        text = mysql_sql(
            instance_name,
            max_connections=values.mysql.max_connections,
            require_ssl=values.convex_config.require_ssl,
        )
        return Section("sql", "user and database, for mysql as an administrator of the MySQL server", text)
    return Section("sql", "none: the database is SQLite, on the backend's volume")


_NO_S3 = "none: files lie on the backend's volume"


def _policy(values: Values, instance_name: str, environment: Mapping[str, str]) -> Section:
    if not values.s3.enabled:
        return Section("policy", _NO_S3)
    policy = s3_policy(
        instance_name,
        values.s3.bucket_names.values(),
        region=values.s3.dialect.region or environment.get("AWS_REGION", ""),
    )
    whose = (
        f"the role of the ServiceAccount {values.backend_account or 'default'}"
        if values.s3.credentials == "ambient"
        else "the access key"
    )
    title = (
        f"what {whose} may do (IAM, and MinIO's); a service without policies: list, read, write and delete in these "
        "buckets"
    )
    return Section("policy", title, json.dumps(policy, indent=2) + "\n")


def _buckets(values: Values, environment: Mapping[str, str]) -> Section:
    s3 = values.s3
    if not s3.enabled:
        return Section("buckets", _NO_S3)
    region = s3.dialect.region or environment.get("AWS_REGION", "")
    endpoint = s3.endpoint or environment.get("S3_ENDPOINT_URL", "") if s3.dialect.own_endpoint else ""
    notes = []
    if not endpoint and s3.dialect.own_endpoint and (s3.keys.endpoint and s3.credentials == "secret"):
        endpoint = "ENDPOINT"
        amazon = ", without --endpoint-url where it says none" if s3.provider == "generic" else ""
        notes.append(f"# ENDPOINT: as the Secret {s3.existing_secret} says it ({s3.keys.endpoint}){amazon}")
    if s3.provider == "minio":
        lines = mc_commands(s3.bucket_names.values(), endpoint=endpoint, region=region)
    else:
        if not region:
            notes.append(f"# REGION: as the Secret {s3.existing_secret} says it ({s3.keys.region})")
        lines = aws_commands(s3.bucket_names.values(), region=region or "REGION", endpoint=endpoint)
    return Section("buckets", "made with the keys of an administrator", "\n".join([*notes, *lines]) + "\n")


def _dns(values: Values) -> Section:
    origins, hosts = Origins.of(values), values.public_hosts
    dashboard = [f"https://{hosts.dashboard}"] if hosts and hosts.dashboard else []
    names = dns_names([*dashboard, origins.cloud, origins.site, origins.deployment])
    if not names:
        return Section("dns", "none: every origin is local")
    edges = {"ingress": "the Ingress controller", "gateway": "the Gateway"}
    where = edges[hosts.edge] if hosts else "what forwards to the Services"
    return Section("dns", f"names that must resolve to {where}, for the pods too", "\n".join(names) + "\n")


def connection_limit(max_connections: int | None = None) -> int:
    """Connections that the role needs for a pool of `max_connections` (default: 128)."""
    return (max_connections or DEFAULT_MAX_CONNECTIONS) + SPARE_CONNECTIONS


def postgres_sql(instance_name: str, *, max_connections: int | None = None) -> str:
    """The psql script that makes role and database, to be run by an administrator.

    The role is named as the database. Running it again changes nothing but the connection limit, and asks for a new
    password. Raises UserError if the instance name makes no database name.
    """
    name = _database(instance_name, "postgres")
    return f"""\
-- Role and database of the Convex instance {instance_name}. Run it as an administrator of the server:
--   psql --dbname "postgresql://ADMINISTRATOR@HOST/postgres" --file THIS_FILE
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') AS no_role,
       NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') AS no_database \\gset
\\if :no_role
  CREATE ROLE "{name}" LOGIN;
\\endif
ALTER ROLE "{name}" CONNECTION LIMIT {connection_limit(max_connections)};
\\if :no_database
  -- Administrators who are no superusers (managed servers) must be a member of the owner for as long as this takes.
  GRANT "{name}" TO CURRENT_USER;
  CREATE DATABASE "{name}" OWNER "{name}";
  REVOKE "{name}" FROM CURRENT_USER;
\\endif

-- Asks for the password, which also goes, percent-encoded, into the database URL of the Secret.
\\password "{name}"
"""  # noqa: S608  (the name has only letters, digits and `_`)


def mysql_sql(instance_name: str, *, max_connections: int | None = None, require_ssl: bool = True) -> str:
    """The SQL that makes user and database on MySQL, to be run by an administrator.

    The user has the database's name (its first 32 characters) and may log in from any host. `require_ssl` is what the
    backend does by default. Running it again changes nothing but that and the limit. Raises UserError where the
    instance name makes no database name.
    """
    name = _database(instance_name, "mysql")
    user = name[:_LONGEST_MYSQL_USER]
    # In GRANT the name is a pattern, in which `_` means any character.
    pattern = name.replace("_", "\\_")
    return f"""\
-- User and database of the Convex instance {instance_name}. Run it as an administrator of the server:
--   mysql --host HOST --user ADMINISTRATOR --password < THIS_FILE
CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '{user}'@'%' ACCOUNT LOCK;
ALTER USER '{user}'@'%' REQUIRE {"SSL" if require_ssl else "NONE"}
  WITH MAX_USER_CONNECTIONS {connection_limit(max_connections)};
GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{user}'@'%';

-- Then set the password in a session of `mysql`; until then nobody can log in. It also goes, percent-encoded, into the
-- database URL of the Secret.
--   ALTER USER '{user}'@'%' IDENTIFIED BY '<password>' ACCOUNT UNLOCK;
"""


def s3_policy(instance_name: str, buckets: Iterable[str], *, region: str = "") -> dict[str, Any]:
    """The IAM policy (also MinIO's) that lets the backend do what it does, on these buckets and under its own prefix.

    Upstream gets, heads, puts (also in parts), deletes and lists, and keeps everything of an instance under
    `<instance name>-<uuid>/`: instances that share a bucket cannot read one another's files. `region` decides the
    partition (China and GovCloud have their own).
    """
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    arns = [f"arn:{partition}:s3:::{bucket}" for bucket in _unique(buckets)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ConvexBuckets", "Effect": "Allow", "Action": list(_BUCKET_ACTIONS), "Resource": arns},
            {
                "Sid": "ConvexObjects",
                "Effect": "Allow",
                "Action": list(_OBJECT_ACTIONS),
                "Resource": [f"{arn}/{instance_name}-{_UUID}/*" for arn in arns],
            },
        ],
    }


def aws_commands(buckets: Iterable[str], *, region: str = "", endpoint: str = "") -> list[str]:
    """Commands of the AWS command line that make the buckets. `endpoint` is empty for Amazon itself."""
    options = [*(["--region", region] if region else []), *(["--endpoint-url", endpoint] if endpoint else [])]
    return [shlex.join(["aws", *options, "s3", "mb", f"s3://{bucket}"]) for bucket in _unique(buckets)]


def mc_commands(buckets: Iterable[str], *, endpoint: str, alias: str = "convex", region: str = "") -> list[str]:
    """Commands of MinIO's `mc` that ask for an administrator's keys and make the buckets."""
    options = [*(["--region", region] if region else []), "--ignore-existing"]
    return [
        shlex.join(["mc", "alias", "set", alias, endpoint]),
        *(shlex.join(["mc", "mb", *options, f"{alias}/{bucket}"]) for bucket in _unique(buckets)),
    ]


def dns_names(origins: Iterable[str]) -> list[str]:
    """Host names that need a DNS record, from public origins; addresses and localhost need none."""
    hosts = _unique(urlsplit(origin).hostname or "" for origin in origins)
    return [host for host in hosts if host and not _needs_no_record(host)]


def _database(instance_name: str, engine: Engine) -> str:
    if problems := instance_name_problems(instance_name, engine):
        raise UserError(f"the instance name makes no database: {'; '.join(problems)}")
    return database_name(instance_name)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _needs_no_record(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return True
