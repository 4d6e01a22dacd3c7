"""Tests on pods that really run. They share one node.

`node` is the cluster (`tests.support.node.Node`: kubectl, namespaces, `tool`, `operators`, `exposed`), and `namespace`
a namespace of the test's own, which is deleted without waiting. `tests.support.pods` applies environments
(`light` lowers their requests) and reads what a pod got: `start_line(node, namespace, "convex-backend-0")["env"]`.
A test that needs the stand-in images or operators takes the fixture `stand_in` or `operators`, which skip without them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.convex_manifests import TAG
from tests.support.node import CONTEXT, OPERATORS, Node, missing_for_a_node, running_node

IMAGES = [f"ghcr.io/get-convex/convex-{name}:{tag}" for name in ("backend", "dashboard") for tag in (TAG, "latest")]


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A cluster whose pods run."""
    if reason := missing_for_a_node():
        pytest.skip(reason)
    with running_node(IMAGES) as running:
        yield running


@pytest.fixture(scope="session")
def stand_in(node: Node) -> Node:
    """The node, where its pods run the stand-in images."""
    if not node.stands_in:
        pytest.skip(f"needs the stand-in images, and the pods of {os.environ[CONTEXT]} run the real ones")
    return node


@pytest.fixture(scope="session")
def operators(stand_in: Node) -> Callable[..., Node]:
    """A function that starts operators by name, once, and gives the node."""
    if OPERATORS not in os.environ:
        pytest.skip(f"{OPERATORS} is not set: it names a program that starts operators on the node")

    def up(*names: str) -> Node:
        stand_in.operators("up", *names)
        return stand_in

    return up


@pytest.fixture
def namespace(node: Node) -> Iterator[str]:
    """A namespace of the test's own, which enforces Pod Security `baseline`."""
    name = node.namespace()
    yield name
    node.forget(name)
