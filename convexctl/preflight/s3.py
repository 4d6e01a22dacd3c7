"""Checks of S3 buckets, with the calls that the backend makes."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from convexctl.preflight.check import Check, client, failed, ok, skipped, skipped_all, unreachable
from convexctl.secrets.value_rules import (
    s3_access_key_id_problems,
    s3_endpoint_problems,
    s3_region_problems,
    s3_secret_access_key_problems,
)

SETTINGS = "s3 settings"
"""The check of region, endpoint and keys."""

_CONTENT = b"written by convex preflight; may be deleted"
_UNKNOWN_TO_THE_SERVICE = "set what the service does not understand: s3.provider, or s3.disableSse, s3.disableChecksums"
_REMEDIES = {
    "NoSuchBucket": "make the bucket (`provision` prints the command), or correct its name",
    "InvalidAccessKeyId": "correct the access key id in the Secret",
    "SignatureDoesNotMatch": "correct the secret access key in the Secret; with other services, the region too",
    "AccessDenied": "give the key the rights that `provision` prints as a policy",
    "PermanentRedirect": "set the region of the bucket",
    "AuthorizationHeaderMalformed": "set the region of the bucket",
    "IllegalLocationConstraintException": "set the region of the bucket",
    "RequestTimeTooSkewed": "set the clock of this machine right",
    "NotImplemented": _UNKNOWN_TO_THE_SERVICE,
    "InvalidArgument": _UNKNOWN_TO_THE_SERVICE,
    "InvalidRequest": _UNKNOWN_TO_THE_SERVICE,
    "InvalidEncryptionAlgorithmError": _UNKNOWN_TO_THE_SERVICE,
    "XAmzContentSHA256Mismatch": _UNKNOWN_TO_THE_SERVICE,
    "BadDigest": _UNKNOWN_TO_THE_SERVICE,
}
_BY_STATUS = {"301": "PermanentRedirect", "403": "AccessDenied", "404": "NoSuchBucket", "501": "NotImplemented"}
_OTHER_REMEDY = "see what the service says about this code"


@dataclass(frozen=True)
class S3Settings:
    """How the backend reaches its buckets."""

    region: str
    endpoint: str | None = None
    """None: Amazon's own."""
    access_key_id: str | None = field(default=None, repr=False)
    """None, as the secret key: from this machine's own surroundings (its AWS configuration), not from the pod's."""
    secret_access_key: str | None = field(default=None, repr=False)
    path_style: bool = False
    """Name the bucket in the path instead of the host name."""
    checksums: bool = True
    """Send CRC32 checksums along."""
    sse: bool = True
    """Ask for server-side encryption (AES256)."""


def bucket_check(bucket: str) -> str:
    """The name of the check of a bucket."""
    return f"s3 bucket {bucket}"


def check_s3(settings: S3Settings, buckets: Iterable[str], instance_name: str, *, timeout_s: int = 10) -> list[Check]:
    """Write, read and delete a probe object in each bucket, once a bucket, as the backend does.

    The object lies under `<instance name>-<uuid>/`, where the policy that `provision` prints allows it.
    """
    names = list(dict.fromkeys(buckets))
    if problems := _problems(settings):
        return [
            failed(SETTINGS, "; ".join(problems), "write the values again in the Secret of the S3 credentials"),
            *skipped_all(map(bucket_check, names), f"rests on `{SETTINGS}`"),
        ]
    where = settings.endpoint or "Amazon S3"
    style = "path style" if settings.path_style else "virtual-host style"
    try:
        s3 = _client(settings, timeout_s)
    except client("botocore.exceptions").BotoCoreError as error:
        reason = f"the AWS configuration of this machine does not work: {type(error).__name__}"
        return skipped_all([SETTINGS, *map(bucket_check, names)], reason)
    except ValueError:
        host = urlsplit(where).hostname
        return [
            failed(
                SETTINGS,
                f"endpoint: {host} is not a host name for an S3 client: it may have letters, digits, `-` and `.`",
                "use such a name of the service, or its address",
            ),
            *skipped_all(map(bucket_check, names), f"rests on `{SETTINGS}`"),
        ]
    return [
        ok(SETTINGS, f"{where}, region {settings.region}, {style}"),
        *(_check_bucket(s3, settings, name, instance_name) for name in names),
    ]


def _problems(settings: S3Settings) -> list[str]:
    found = {"region": s3_region_problems(settings.region)}
    if settings.endpoint is not None:
        found["endpoint"] = s3_endpoint_problems(settings.endpoint)
    if settings.access_key_id is not None:
        found["access key id"] = s3_access_key_id_problems(settings.access_key_id)
    if settings.secret_access_key is not None:
        found["secret access key"] = s3_secret_access_key_problems(settings.secret_access_key)
    return [f"{name}: {problem}" for name, problems in found.items() for problem in problems]


def _client(settings: S3Settings, timeout_s: int) -> Any:
    checksums = "when_supported" if settings.checksums else "when_required"
    config = client("botocore.config").Config(
        region_name=settings.region,
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if settings.path_style else "virtual"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        ignore_configured_endpoint_urls=True,
    )
    return client("boto3").client(
        "s3",
        config=config,
        endpoint_url=settings.endpoint,
        verify=client("certifi").where(),
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
    )


def _check_bucket(s3: Any, settings: S3Settings, bucket: str, instance_name: str) -> Check:
    """Go through the calls of an upload, a download and a deletion."""
    exceptions = client("botocore.exceptions")
    name = bucket_check(bucket)
    where = {"Bucket": bucket, "Key": f"{instance_name}-{uuid.uuid4()}/preflight"}
    upload, step = None, "beginning an upload"
    try:
        encryption = {"ServerSideEncryption": "AES256"} if settings.sse else {}
        checksum = {"ChecksumAlgorithm": "CRC32"} if settings.checksums else {}
        upload = s3.create_multipart_upload(**where, **encryption, **checksum)["UploadId"]
        step = "writing a part"
        part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=_CONTENT, **checksum)
        parts = [{"PartNumber": 1, **{key: part[key] for key in ("ETag", "ChecksumCRC32") if key in part}}]
        step = "ending the upload"
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        step = "looking the object up"
        s3.head_object(**where)
        step = "reading the object"
        read = s3.get_object(**where)["Body"].read()
        step = "deleting the object"
        s3.delete_object(**where)
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        if upload:
            _clean_up(s3, where, upload)
        return _refusal(name, settings, bucket, step, error)
    if read != _CONTENT:
        return failed(
            name, "what was read is not what was written", "ask the service: it, or what is before it, is broken"
        )
    return ok(name, "wrote, read and deleted an object")


def _clean_up(s3: Any, where: dict[str, str], upload: str) -> None:
    """Take back what was written before something failed, as far as that goes."""
    exceptions = client("botocore.exceptions")
    with suppress(exceptions.BotoCoreError, exceptions.ClientError):
        s3.abort_multipart_upload(**where, UploadId=upload)
    with suppress(exceptions.BotoCoreError, exceptions.ClientError):
        s3.delete_object(**where)


def _refusal(name: str, settings: S3Settings, bucket: str, step: str, error: Any) -> Check:
    exceptions = client("botocore.exceptions")
    if isinstance(error, exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        code = _BY_STATUS.get(code, code)
        remedy = _REMEDIES.get(code, _OTHER_REMEDY)
        return failed(name, f"{step} failed: {code or 'no reason given'}", remedy)
    if isinstance(error, exceptions.NoCredentialsError):
        return skipped(name, "there are no keys here: the pod has its own (a cloud role), and this machine has none")
    if isinstance(error, exceptions.SSLError):
        return failed(
            name,
            "the certificate of the endpoint is not accepted",
            "use a certificate of a well-known authority: the backend has no setting for a CA of S3",
        )
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return _unreachable(name, settings, bucket)
    return failed(name, f"{step} failed: {type(error).__name__}", "check the endpoint")


def _unreachable(name: str, settings: S3Settings, bucket: str) -> Check:
    """Say why an endpoint does not answer: boto3 does not tell a name that is unknown from a closed port."""
    parts = urlsplit(settings.endpoint or f"https://s3.{settings.region}.amazonaws.com")
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    try:
        with socket.create_connection((host, port), timeout=5):
            pass
    except OSError as error:
        return unreachable(name, host, port, error)
    return failed(
        name,
        f"the host name {bucket}.{host} leads nowhere, and {host} answers",
        "set s3.forcePathStyle, or the s3.provider that does",
    )
