"""Preflight against a real S3 server, moto's."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from convexctl.errors import UserError
from convexctl.preflight import s3 as checks
from convexctl.preflight.check import Check, Status
from convexctl.preflight.provision import s3_policy
from convexctl.preflight.s3 import S3Settings, check_s3
from tests.support.servers import S3Server, s3_server

SSE_AND_CHECKSUM = ("x-amz-server-side-encryption", "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm")
SECRET_KEY = "wJalr/XUt+nFEMIx7MDENGxbPxRfiCYx"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(shared_server: S3Server) -> S3Server:
    shared_server.reset()
    return shared_server


@pytest.fixture
def settings(server: S3Server) -> S3Settings:
    return S3Settings("us-east-1", server.endpoint, "AKIAQQQQQQQQQQQQQQQQ", SECRET_KEY, path_style=True)


def administrator(server: S3Server, service: str = "s3") -> Any:
    boto3: Any = importlib.import_module("boto3")
    keys = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
    return boto3.client(service, endpoint_url=server.endpoint, region_name="us-east-1", **keys)


def check(settings: S3Settings, *buckets: str) -> list[Check]:
    results = check_s3(settings, buckets, "convex-prod", timeout_s=5)
    assert SECRET_KEY not in repr(results)
    for result in results:
        assert bool(result.remedy) == (result.status is Status.FAILED), result
    return results


def test_each_bucket_is_written_read_and_left_as_it_was(server: S3Server, settings: S3Settings) -> None:
    admin = administrator(server)
    for bucket in ("files", "modules"):
        admin.create_bucket(Bucket=bucket)
    settings_check, *buckets = check(settings, "files", "modules", "files")
    assert settings_check == Check(checks.SETTINGS, Status.OK, f"{server.endpoint}, region us-east-1, path style")
    assert buckets == [
        Check("s3 bucket files", Status.OK, "wrote, read and deleted an object"),
        Check("s3 bucket modules", Status.OK, "wrote, read and deleted an object"),
    ]
    for bucket in ("files", "modules"):
        assert "Contents" not in admin.list_objects_v2(Bucket=bucket)
        assert "Uploads" not in admin.list_multipart_uploads(Bucket=bucket)


def test_a_bucket_that_is_not_there(settings: S3Settings) -> None:
    _, bucket = check(settings, "nowhere")
    assert bucket.status is Status.FAILED
    assert bucket.detail == "beginning an upload failed: NoSuchBucket"
    assert "provision" in bucket.remedy


def user_with(server: S3Server, settings: S3Settings, policy: dict[str, Any]) -> S3Settings:
    iam = administrator(server, "iam")
    iam.create_user(UserName="convex")
    iam.put_user_policy(UserName="convex", PolicyName="convex", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="convex")["AccessKey"]
    return replace(settings, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])


def test_the_policy_that_provision_prints_is_enough(server: S3Server, settings: S3Settings) -> None:
    administrator(server).create_bucket(Bucket="files")
    user = user_with(server, settings, s3_policy("convex-prod", ["files"]))
    with server.enforce_policies():
        assert [result.status for result in check(user, "files")] == [Status.OK, Status.OK]


@pytest.mark.parametrize(
    ("missing", "step"),
    [
        ("s3:PutObject", "beginning an upload"),
        ("s3:GetObject", "looking the object up"),
        ("s3:DeleteObject", "deleting the object"),
    ],
)
def test_a_missing_right_is_named_by_the_step_that_needs_it(
    server: S3Server, settings: S3Settings, missing: str, step: str
) -> None:
    admin = administrator(server)
    admin.create_bucket(Bucket="files")
    policy = s3_policy("convex-prod", ["files"])
    policy["Statement"][1]["Action"].remove(missing)
    user = user_with(server, settings, policy)
    with server.enforce_policies():
        _, bucket = check(user, "files")
    assert (bucket.status, bucket.detail) == (Status.FAILED, f"{step} failed: AccessDenied")
    assert "policy" in bucket.remedy
    left_behind = "Contents" in admin.list_objects_v2(Bucket="files")
    assert left_behind == (missing == "s3:DeleteObject")


def test_wrong_keys(server: S3Server, settings: S3Settings) -> None:
    administrator(server).create_bucket(Bucket="files")
    user = user_with(server, settings, s3_policy("convex-prod", ["files"]))
    with server.enforce_policies():
        unknown = check(replace(user, access_key_id="AKIAZZZZZZZZZZZZZZZZ"), "files")[1]
        mistyped = check(replace(user, secret_access_key=SECRET_KEY), "files")[1]
    assert unknown.detail == "beginning an upload failed: InvalidAccessKeyId"
    assert mistyped.detail == "beginning an upload failed: SignatureDoesNotMatch"


class Service(ThreadingHTTPServer):
    """Notes what is asked for and refuses it, with a code that S3 services answer with."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(("127.0.0.1", 0), Refusing)
        self.status, self.code = status, code
        self.seen: list[dict[str, str]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class Refusing(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append({"path": self.path, **headers})
        body = f"<Error><Code>{self.server.code}</Code><Message>no</Message></Error>".encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        pytest.param({}, {"x-amz-server-side-encryption": "AES256", "x-amz-checksum-algorithm": "CRC32"}, id="all"),
        pytest.param({"sse": False}, {"x-amz-checksum-algorithm": "CRC32"}, id="no encryption"),
        pytest.param({"checksums": False}, {"x-amz-server-side-encryption": "AES256"}, id="no checksums"),
        pytest.param({"sse": False, "checksums": False}, {}, id="neither"),
    ],
)
def test_an_upload_begins_with_the_headers_that_the_backend_sends(
    settings: S3Settings, changes: dict[str, Any], headers: dict[str, str]
) -> None:
    service = Service(501, "NotImplemented")
    endpoint = f"http://127.0.0.1:{service.server_port}"
    _, bucket = check(replace(settings, endpoint=endpoint, **changes), "files")
    service.shutdown()
    service.server_close()
    (seen,) = service.seen
    sent = {name: value for name, value in seen.items() if name in SSE_AND_CHECKSUM}
    assert sent == headers
    assert seen["path"].startswith("/files/convex-prod-")
    assert bucket.detail == "beginning an upload failed: NotImplemented"
    assert "s3.disableSse" in bucket.remedy


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (301, "PermanentRedirect", "set the region of the bucket"),
        (403, "RequestTimeTooSkewed", "set the clock"),
        (400, "SomethingOfItsOwn", "see what the service says"),
    ],
)
def test_what_a_service_refuses_has_its_remedy(settings: S3Settings, status: int, code: str, remedy: str) -> None:
    service = Service(status, code)
    _, bucket = check(replace(settings, endpoint=f"http://127.0.0.1:{service.server_port}"), "files")
    service.shutdown()
    service.server_close()
    assert bucket.detail == f"beginning an upload failed: {code}"
    assert bucket.remedy.startswith(remedy)


def test_a_bucket_in_the_host_name_that_no_dns_knows(
    monkeypatch: pytest.MonkeyPatch, server: S3Server, settings: S3Settings
) -> None:
    known = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "files.s3.example.com":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return known("127.0.0.1" if host == "s3.example.com" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    endpoint = server.endpoint.replace("127.0.0.1", "s3.example.com")
    _, bucket = check(replace(settings, endpoint=endpoint, path_style=False), "files")
    assert bucket.detail == "the host name files.s3.example.com leads nowhere, and s3.example.com answers"
    assert "s3.forcePathStyle" in bucket.remedy


@pytest.mark.parametrize(
    ("endpoint", "status", "detail"),
    [
        ("http://127.0.0.1:9", Status.FAILED, "127.0.0.1:9 cannot be reached from here"),
        ("http://minio.minio.svc:9000", Status.SKIPPED, "minio.minio.svc is a name inside the cluster"),
    ],
)
def test_an_endpoint_that_does_not_answer(settings: S3Settings, endpoint: str, status: Status, detail: str) -> None:
    _, bucket = check(replace(settings, endpoint=endpoint), "files")
    assert (bucket.status, detail in bucket.detail) == (status, True), bucket


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"region": ""}, "region: it is empty"),
        ({"endpoint": ""}, "endpoint: it is empty"),
        ({"endpoint": "s3.example.com"}, "endpoint: it has no scheme"),
        ({"access_key_id": "AKIA\n"}, "access key id: it has a line break"),
        ({"secret_access_key": f"'{SECRET_KEY}'"}, "secret access key: it has quotes"),
    ],
)
def test_values_with_a_problem_are_not_tried(settings: S3Settings, changes: dict[str, Any], problem: str) -> None:
    first, bucket = check(replace(settings, **changes), "files")
    assert first.detail.startswith(problem)
    assert bucket == Check("s3 bucket files", Status.SKIPPED, "rests on `s3 settings`")


def test_a_host_that_no_client_takes(settings: S3Settings) -> None:
    first, second = check(replace(settings, endpoint="http://minio_svc:9000"), "files")
    assert (first.name, first.status) == (checks.SETTINGS, Status.FAILED)
    assert first.detail == (
        "endpoint: minio_svc is not a host name for an S3 client: it may have letters, digits, `-` and `.`"
    )
    assert second == Check("s3 bucket files", Status.SKIPPED, f"rests on `{checks.SETTINGS}`")


def test_without_keys_and_without_any_on_this_machine_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, settings: S3Settings
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    _, bucket = check(replace(settings, access_key_id=None, secret_access_key=None), "files")
    assert bucket.status is Status.SKIPPED
    assert "cloud role" in bucket.detail


def test_an_aws_profile_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch, settings: S3Settings) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    first, _ = check(replace(settings, access_key_id=None, secret_access_key=None), "files")
    assert (first.status, first.detail) == (
        Status.SKIPPED,
        "the AWS configuration of this machine does not work: ProfileNotFound",
    )


def test_a_missing_client_is_one_line_of_advice(monkeypatch: pytest.MonkeyPatch, settings: S3Settings) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"^preflight needs the package boto3: `make preflight` installs it$"):
        check_s3(settings, ["files"], "convex-prod")
