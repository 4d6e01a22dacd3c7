"""What a dashboard will do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.convex_manifests import dashboard, only_dashboard, secret_variable, variables

URL = variables({"NEXT_PUBLIC_DEPLOYMENT_URL": "https://api.example.com"})


def test_the_url_is_what_the_browser_gets() -> None:
    assert only_dashboard(dashboard(URL)).deployment_url.value == "https://api.example.com"
    assert only_dashboard(dashboard()).deployment_url.text == "not set"


@pytest.mark.parametrize(
    ("env", "value", "text"),
    [
        ([], None, "no"),
        (variables({"NEXT_PUBLIC_ADMIN_KEY": ""}), None, "no"),
        (variables({"NEXT_PUBLIC_ADMIN_KEY": "x|01ab"}), "literal", "yes, from the manifest"),
        ([secret_variable("NEXT_PUBLIC_ADMIN_KEY", "s", "K")], "Secret/s[K]", "yes, from Secret/s[K]"),
    ],
)
def test_a_prefilled_admin_key_is_seen_and_not_shown(env: list[dict[str, Any]], value: str | None, text: str) -> None:
    model = only_dashboard(dashboard(env))
    assert (model.admin_key.value, model.admin_key.text) == (value, text)
    assert "x|01ab" not in repr(model)


@pytest.mark.parametrize(("env", "port"), [({}, 6791), ({"PORT": "8080"}, 8080)])
def test_port(env: dict[str, str], port: int) -> None:
    assert only_dashboard(dashboard(env)).port.value == port


@pytest.mark.parametrize(
    ("pod", "container", "obstacles"),
    [
        ({}, {}, []),
        ({"runAsNonRoot": True, "runAsUser": 1001}, {}, []),
        ({"runAsNonRoot": True}, {"runAsUser": 1001}, []),
        ({"runAsUser": 0}, {}, []),
        ({"runAsNonRoot": True}, {}, ["runAsNonRoot needs runAsUser: 1001 beside it"]),
        ({}, {"runAsNonRoot": True}, ["runAsNonRoot needs runAsUser: 1001 beside it"]),
        ({"runAsNonRoot": True, "runAsUser": 0}, {}, ["runAsNonRoot refuses runAsUser 0"]),
    ],
)
def test_the_images_user_is_a_name(pod: dict[str, Any], container: dict[str, Any], obstacles: list[str]) -> None:
    manifest = dashboard(pod={"securityContext": pod}, container={"securityContext": container})
    assert [obstacle.text for obstacle in only_dashboard(manifest).obstacles] == obstacles


def test_several_pods_are_fine() -> None:
    assert only_dashboard(dashboard(spec={"replicas": 3})).replicas.value == 3
