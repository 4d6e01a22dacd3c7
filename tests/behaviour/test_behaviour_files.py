"""Files go to S3 when everything for it is there, and otherwise all of them to the disk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.convex_manifests import BUCKETS, S3, backend, only_backend, secret_variable, variables

KEYS = [secret_variable("AWS_ACCESS_KEY_ID", "s3", "ID"), secret_variable("AWS_SECRET_ACCESS_KEY", "s3", "KEY")]


def test_region_and_five_buckets_make_it_s3() -> None:
    model = only_backend(backend([*variables(S3), *KEYS]))
    assert model.files.value == "s3"
    assert model.files.certain
    assert model.files_missing is None
    assert model.files_outlive.value == "everything"
    assert model.buckets is not None
    assert model.buckets.value == dict.fromkeys(("exports", "snapshot_imports", "modules", "files", "search"), "files")


@pytest.mark.parametrize("left_out", S3)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_one_of_the_six_short_it_is_the_disk(left_out: str, how: str) -> None:
    env = {key: value for key, value in S3.items() if key != left_out} | ({left_out: ""} if how == "empty" else {})
    model = only_backend(backend(env))
    assert model.files.value == "disk"
    assert model.files_missing is not None
    assert model.files_missing.value == (left_out,)
    assert model.buckets is None


def test_a_region_alone_is_no_half_s3() -> None:
    model = only_backend(backend({"AWS_REGION": "eu-central-1"}))
    assert model.files.value == "disk"
    assert model.files_missing is None


def test_an_optional_reference_makes_s3_uncertain() -> None:
    env = [*variables(BUCKETS), secret_variable("AWS_REGION", "s3", "REGION", optional=True)]
    decision = only_backend(backend(env)).files
    assert (decision.value, decision.unless) == ("s3", "Secret/s3 has no key REGION")


def test_what_is_missing_may_come_from_a_secret_out_of_sight() -> None:
    container = {"envFrom": [{"secretRef": {"name": "s3"}}], "env": variables(BUCKETS)}
    decision = only_backend(backend(container=container)).files
    assert (decision.value, decision.unless) == ("disk", "Secret/s3 sets AWS_REGION")


@pytest.mark.parametrize(
    ("env", "value", "text"),
    [
        ({}, "aws", "AWS"),
        ({"S3_ENDPOINT_URL": ""}, "", "empty"),
        ({"S3_ENDPOINT_URL": "https://minio.example.com"}, "https://minio.example.com", "https://minio.example.com"),
    ],
)
def test_endpoint(env: dict[str, str], value: str, text: str) -> None:
    decision = only_backend(backend({**S3, **env})).s3_endpoint
    assert decision is not None
    assert (decision.value, decision.text) == (value, text)


@pytest.mark.parametrize(
    ("name", "field", "value_when_true"),
    [
        ("AWS_S3_FORCE_PATH_STYLE", "s3_path_style", True),
        ("AWS_S3_DISABLE_SSE", "s3_sse", False),
        ("AWS_S3_DISABLE_CHECKSUMS", "s3_checksums", False),
    ],
)
@pytest.mark.parametrize(
    ("text", "counts"),
    [("true", True), ("false", False), ("TRUE", False), ("True", False), ("1", False), ("yes", False), ("", False)],
)
def test_only_true_is_true_in_rust(name: str, field: str, value_when_true: bool, text: str, counts: bool) -> None:
    decision = getattr(only_backend(backend({**S3, name: text})), field)
    assert decision.value is (value_when_true if counts else not value_when_true)
    assert ("as if it were not set" in decision.why) is (text not in ("true", "false", ""))


@pytest.mark.parametrize(
    ("env", "value"),
    [
        (KEYS, ("Secret/s3[ID]", "Secret/s3[KEY]")),
        (KEYS[:1], "default chain"),
        ([], "default chain"),
        (variables({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hidden"}), ("literal",)),
    ],
)
def test_credentials(env: list[dict[str, Any]], value: object) -> None:
    model = only_backend(backend([*variables(S3), *env]))
    assert model.s3_credentials is not None
    assert model.s3_credentials.value == value
    assert "hidden" not in repr(model)
