"""Two sets of decisions, side by side, and as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from convexctl.behaviour import as_dict, compare, predict
from tests.support.convex_manifests import (
    BUCKETS,
    POSTGRES,
    S3,
    backend,
    claim_template,
    config_map,
    dashboard,
    ingress,
    mounted,
    secret_variable,
    service,
    variables,
)


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, object, object]]:
    return [
        (change.name, change.before and change.before.value, change.after and change.after.value)
        for change in compare(predict([before]), predict([after]))
    ]


def test_the_same_manifests_have_no_difference() -> None:
    assert changed(backend(S3), backend(S3)) == []


def test_a_decision_that_only_moved_is_the_same() -> None:
    config = config_map("c", {"INSTANCE_NAME": "shop"})
    moved = backend(container={"envFrom": [{"configMapRef": {"name": "c"}}]})
    assert compare(predict([backend({"INSTANCE_NAME": "shop"})]), predict([moved, config])) == []


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param(
            backend([POSTGRES, *variables({"INSTANCE_NAME": "a"})]),
            backend([POSTGRES, *variables({"INSTANCE_NAME": "b"})]),
            [("database_name", "a", "b"), ("instance_name", "a", "b")],
            id="instance renamed",
        ),
        pytest.param(
            backend([POSTGRES]),
            backend([secret_variable("POSTGRES_URL", "db", "OTHER")]),
            [("database_url", "Secret/db[URL]", "Secret/db[OTHER]")],
            id="another key of the Secret",
        ),
        pytest.param(
            backend({"INSTANCE_SECRET": "0" * 64}),
            backend({"INSTANCE_SECRET": "1" * 64}),
            [],
            id="a literal secret is not compared",
        ),
        pytest.param(
            backend(container=mounted(), spec={"volumeClaimTemplates": [claim_template("data", size="5Gi")]}),
            backend(container=mounted(), spec={"volumeClaimTemplates": [claim_template("data", size="9Gi")]}),
            [("claim_size", "5Gi", "9Gi")],
            id="another size",
        ),
        pytest.param(
            backend({"DOCUMENT_RETENTION_DELAY": "172800"}),
            backend(),
            [("retention", 172800, 1209600)],
            id="retention",
        ),
        pytest.param(
            backend(S3),
            backend({**S3, "S3_STORAGE_FILES_BUCKET": "other"}),
            [
                (
                    "buckets",
                    dict.fromkeys(("exports", "snapshot_imports", "modules", "files", "search"), "files"),
                    {**dict.fromkeys(("exports", "snapshot_imports", "modules", "search"), "files"), "files": "other"},
                )
            ],
            id="another bucket",
        ),
        pytest.param(
            backend(name="one"),
            backend(name="two"),
            [
                ("", ("StatefulSet", "", "one", "backend"), ("StatefulSet", "", "two", "backend")),
                ("selector", {"app": "one"}, {"app": "two"}),
            ],
            id="renamed",
        ),
        pytest.param(
            backend(namespace="one"),
            backend(namespace="two"),
            [("", ("StatefulSet", "one", "convex", "backend"), ("StatefulSet", "two", "convex", "backend"))],
            id="another namespace",
        ),
    ],
)
def test_what_differs(before: dict[str, Any], after: dict[str, Any], changes: list[Any]) -> None:
    assert changed(before, after) == changes


def test_files_that_move_from_s3_to_disk() -> None:
    changes = changed(backend(S3), backend(BUCKETS))
    assert ("files", "s3", "disk") in changes
    assert ("s3_endpoint", "aws", None) in changes


def test_components_come_and_go() -> None:
    (change,) = compare(predict([backend()]), predict([backend(), dashboard()]))
    assert (change.component.TITLE, change.before) == ("dashboard", None)
    (change,) = compare(predict([backend(), dashboard()]), predict([backend()]))
    assert (change.component.TITLE, change.after) == ("dashboard", None)


def test_of_several_each_is_compared_with_its_own() -> None:
    before = predict([backend({"INSTANCE_NAME": "a"}, name="one"), backend({"INSTANCE_NAME": "b"}, name="two")])
    after = predict([backend({"INSTANCE_NAME": "b"}, name="two"), backend({"INSTANCE_NAME": "c"}, name="one")])
    assert [(str(change.component), change.name) for change in compare(before, after)] == [
        ("StatefulSet/one", "instance_name")
    ]


def test_as_dict_is_plain_json_without_secrets() -> None:
    secret = "5ec2e7" * 10
    manifests = [
        backend([*variables({**S3, "INSTANCE_SECRET": secret, "AWS_ACCESS_KEY_ID": secret}), POSTGRES]),
        dashboard({"NEXT_PUBLIC_ADMIN_KEY": f"x|{secret}"}),
        service("s", "convex", {"p": (80, 3210)}),
        ingress({"x.example.com": [("/", "s", "p")]}),
    ]
    data = as_dict(predict(manifests))
    assert json.loads(json.dumps(data)) == data
    assert secret not in json.dumps(data)
    assert data["backends"][0]["decisions"]["engine"] == {
        "title": "Database",
        "value": "postgres",
        "text": "Postgres",
        "why": "POSTGRES_URL is the first of POSTGRES_URL, MYSQL_URL and DATABASE_URL that has a value",
        "unless": "",
        "source": {
            "kind": "StatefulSet",
            "namespace": "",
            "name": "convex",
            "field": "spec.template.spec.containers[0].env[POSTGRES_URL]",
        },
    }
    assert data["routes"][0]["target"]["role"] == "api"
