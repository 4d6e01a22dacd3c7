"""What is wrong with the value of a variable or with the content of a file."""

from __future__ import annotations

import json

from cryptography import x509

from convexctl.secrets.database_url import database_url_problems
from convexctl.secrets.needed import FILES, PULL_CONFIG
from convexctl.secrets.url_parts import url_part_problems
from convexctl.secrets.value_rules import (
    Engine,
    instance_name_problems,
    instance_secret_problems,
    s3_access_key_id_problems,
    s3_endpoint_problems,
    s3_region_problems,
    s3_secret_access_key_problems,
)


def value_problems(variable: str, value: bytes, engine: Engine | None) -> list[str]:
    """What is wrong with the value of a variable, or with the content of a file; nothing of it is shown."""
    if variable == PULL_CONFIG:
        return _pull_config_problems(value)
    if variable in FILES:
        return _certificate_problems(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ["it is not text"]
    match variable:
        case "POSTGRES_URL":
            return database_url_problems(text, "postgres")
        case "MYSQL_URL":
            return database_url_problems(text, "mysql")
        case "CONVEX_DB_HOST" | "CONVEX_DB_PORT" | "CONVEX_DB_USERNAME" | "CONVEX_DB_PASSWORD":
            return url_part_problems(variable, text)
        case "INSTANCE_NAME":
            return instance_name_problems(text, engine)
        case "INSTANCE_SECRET":
            return instance_secret_problems(text)
        case "AWS_ACCESS_KEY_ID" | "BACKUP_AWS_ACCESS_KEY_ID":
            return s3_access_key_id_problems(text)
        case "AWS_SECRET_ACCESS_KEY" | "BACKUP_AWS_SECRET_ACCESS_KEY":
            return s3_secret_access_key_problems(text)
        case "AWS_REGION":
            return s3_region_problems(text)
        case "S3_ENDPOINT_URL":
            return s3_endpoint_problems(text)
        case _:
            return [] if text else ["it is empty"]


def _certificate_problems(value: bytes) -> list[str]:
    if b"PRIVATE KEY-----" in value:
        return ["the file holds a private key: only the certificate of the CA belongs there"]
    try:
        x509.load_pem_x509_certificates(value)
    except ValueError:
        return ["the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"]
    return []


def _pull_config_problems(value: bytes) -> list[str]:
    try:
        registries = json.loads(value)["auths"]
        complete = registries and all("auth" in item or "username" in item for item in registries.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["the file is not one that `docker login` writes: JSON with a map `auths`"]
    if not complete:
        return [
            "the file holds no credentials (a credential helper keeps them): make the Secret with "
            "`kubectl create secret docker-registry`"
        ]
    return []
