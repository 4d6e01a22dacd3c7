"""What the tests in this folder share: a control plane, started once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, control_plane, missing_programs
from tests.support.edge import Edge, missing_for_an_edge
from tests.support.edge import edge as start_edge


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """A real API server with the controllers of Kubernetes. Each worker of pytest-xdist that needs one has its own."""
    if reason := missing_programs():
        pytest.skip(reason)
    with control_plane() as running:
        yield running


@pytest.fixture(scope="session")
def edge() -> Iterator[Edge]:
    """A real Ingress controller, with a cluster of its own: `edge.cluster`."""
    if reason := missing_for_an_edge():
        pytest.skip(reason)
    with start_edge() as running:
        yield running


@pytest.fixture(scope="session")
def crds(cluster: ControlPlane) -> Path:
    """The folder of CustomResourceDefinitions that `CRD_DIR` names; the cluster serves their kinds."""
    if not (folder := os.environ.get("CRD_DIR")):
        pytest.skip("CRD_DIR is not set: it names a folder with the CustomResourceDefinitions of the kinds used")
    cluster.install_crds(Path(folder))
    return Path(folder)


@pytest.fixture
def namespace(cluster: ControlPlane) -> str:
    """A namespace of the test's own, which enforces Pod Security `baseline`."""
    return cluster.namespace()
