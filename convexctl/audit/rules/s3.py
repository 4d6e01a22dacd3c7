"""Files in S3: what is missing, and where they go instead."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult

from convexctl.audit.model import Hit, Severity, View, hit, hit_variable, rule
from convexctl.audit.rules.origins import is_cluster_only, is_local, split_origin


@rule(
    "s3-partial",
    Severity.ERROR,
    "S3 is set in part, so it is not used",
    reason="S3 is used only if AWS_REGION and all five S3_STORAGE_..._BUCKET have a value. If one is missing, the "
    "backend logs a warning and uses the disk. The first start writes the kind of storage into the database. After "
    "that, the backend refuses to start with the other kind.",
    basis="entry point of the backend's image; the server's storage initialisation",
    parameter="s3.bucket (or s3.buckets.*) and s3.region",
    change="give all six a value; if the backend has started before, export and import",
)
def s3_partial(view: View) -> Iterator[Hit]:
    """Some of the six variables."""
    for backend in view.behaviour.backends:
        if backend.files_missing:
            yield hit(backend, backend.files_missing, f"without a value: {backend.files_missing.text}")


@rule(
    "s3-optional",
    Severity.WARNING,
    "S3 depends on an optional reference",
    reason="If an optional key is missing, its variable is not set, S3 is not used, and the first start pins the "
    "database to local files for good. A pod that cannot start is better.",
    basis="Kubernetes: optional references; the server's storage initialisation",
    parameter="none: what S3 needs is always required there",
    change="remove `optional: true`",
)
def s3_optional(view: View) -> Iterator[Hit]:
    """Optional references among the six."""
    for backend in view.behaviour.backends:
        if backend.files.value == "s3" and backend.files.unless:
            yield Hit(backend, backend.files.source, f"files go to the disk when {backend.files.unless}")


@rule(
    "s3-endpoint-malformed",
    Severity.ERROR,
    "An S3 endpoint that is not a URL",
    reason="S3_ENDPOINT_URL must be a URL with its scheme. Without the variable the backend uses AWS. An empty value "
    "does not mean the same: the backend takes the empty text for an endpoint.",
    basis="the server's S3 client",
    parameter="s3.endpoint, or s3.keys.endpoint if the Secret holds it",
    change="give the URL with https://, or remove the variable",
)
def s3_endpoint(view: View) -> Iterator[Hit]:
    """Endpoints that are empty or have no scheme."""
    for backend in view.behaviour.backends:
        reading = backend.environment.read("S3_ENDPOINT_URL")
        if backend.s3_endpoint and reading.variable and reading.text is not None:
            if reading.empty:
                yield hit_variable(backend, reading, "S3_ENDPOINT_URL is set to nothing")
            elif not re.match(r"https?://", reading.text):
                yield hit_variable(backend, reading, f"S3_ENDPOINT_URL {reading.said}, without a scheme")


@rule(
    "s3-path-style-missing",
    Severity.WARNING,
    "An S3 server by address or cluster name, without path style",
    reason="Unless AWS_S3_FORCE_PATH_STYLE is `true`, the bucket becomes part of the host name: "
    "bucket.minio.default.svc resolves to nothing.",
    basis="the server's S3 client",
    parameter="s3.provider: minio (the switch is then set for you)",
    change='set AWS_S3_FORCE_PATH_STYLE: "true"',
)
def s3_path_style_missing(view: View) -> Iterator[Hit]:
    """Endpoints whose names have no names below them."""
    for backend in view.behaviour.backends:
        endpoint, style = backend.s3_endpoint, backend.s3_path_style
        parts = split_origin(endpoint) if endpoint else None
        if endpoint and parts and style and style.value is False:
            unless = "the S3 client takes an address for path style by itself" if _is_address(parts) else style.unless
            if _is_address(parts) or is_cluster_only(parts) or is_local(parts):
                message = f"the endpoint is {endpoint.text}, and the bucket goes into the host name"
                yield Hit(backend, endpoint.source, message, unless=unless)


def _is_address(parts: SplitResult) -> bool:
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return False
    return True


@rule(
    "s3-half-keys",
    Severity.WARNING,
    "One of the two S3 keys",
    reason="Static keys are used if both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have a value. With only one"
    " of them the backend uses the AWS default chain instead.",
    basis="entry point of the backend's image",
    parameter="s3.existingSecret with s3.keys.accessKeyId and s3.keys.secretAccessKey",
    change="set both or neither",
)
def s3_half_keys(view: View) -> Iterator[Hit]:
    """A key id without a key, or the other way round."""
    for backend in view.behaviour.backends:
        readings = [backend.environment.read(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        there = [reading for reading in readings if reading.filled]
        if backend.files.value == "s3" and len(there) == 1:
            missing = next(reading for reading in readings if not reading.filled)
            yield hit_variable(backend, missing, f"{there[0].name} has a value, and {missing.name} has none")
