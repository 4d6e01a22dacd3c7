"""The search for secret values sees what containers print, and what they print by design it leaves out."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.pods.conftest import IMAGES
from tests.support import secret_watch
from tests.support.node import Node
from tests.support.pods import wait_until
from tests.support.secret_search import Search
from tests.support.secrets_in_clusters import see_namespace

NAME = {"metadata": {"name": "it"}}
LOUD = "echo begun; echo it is $INSTANCE_SECRET; sleep 600"


@pytest.fixture(autouse=True)
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Search:
    """A search of the test's own until its namespace has gone, so that what is planted does not fail the run."""
    mine = Search(tmp_path / "notes")
    monkeypatch.setattr(secret_watch, "current", mine)
    return mine


def test_a_value_is_found_in_the_log_of_the_container_that_prints_it(
    search: Search, stand_in: Node, namespace: str
) -> None:
    node = stand_in
    container = {"image": IMAGES[0], "envFrom": [{"secretRef": {"name": "it"}}]}
    containers = [
        {"name": "as-it-is", **container},
        {"name": "loud", "command": ["bash", "-c", LOUD], **container},
    ]
    node.create("v1", "Secret", {**NAME, "stringData": {"INSTANCE_SECRET": secrets.token_hex(32)}}, namespace)
    node.create(
        "v1", "Pod", {**NAME, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}}, namespace
    )

    def log(container: str) -> str:
        return node.read(f"/api/v1/namespaces/{namespace}/pods/it/log?container={container}")

    wait_until(lambda: "it is" in log("loud") and '{"standin"' in log("as-it-is"), "the logs")
    see_namespace(node.api, namespace, node.logs)
    (place,) = search.settle()
    assert place.startswith(f"the log {namespace}_it_")
    assert "/loud/" in place
    node.api.delete("secret", namespace, "it")
