"""What the tests in this folder share: a control plane, started once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, control_plane, missing_programs
from tests.support.edge import Edge, missing_for_an_edge
from tests.support.edge import edge as start_edge

HERE = Path(__file__).parent
CUSTOM_GROUPS = (
    *("bitnami.com", "external-secrets.io", "gateway.networking.k8s.io"),
    *("monitoring.coreos.com", "postgresql.cnpg.io"),
)
"""The API groups of the manifests that are not Kubernetes' own. Each kind costs the API server 0.2 s of CPU."""


class Shared:
    """What runs until this process has no more tests of this folder: at rest it takes some percent of a core."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._clusters: list[ControlPlane] = []
        self._edges: list[Edge] = []
        self.with_crds = False

    def cluster(self) -> ControlPlane:
        """The control plane, started if it does not run."""
        if not self._clusters:
            self._clusters.append(self._stack.enter_context(control_plane()))
        return self._clusters[0]

    def edge(self) -> Edge:
        """The edge, started if it does not run."""
        if not self._edges:
            self._edges.append(self._stack.enter_context(start_edge()))
        return self._edges[0]

    def stop(self) -> None:
        """Stop what runs."""
        self._stack.close()
        self._clusters.clear()
        self._edges.clear()
        self.with_crds = False


SHARED = Shared()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop what runs behind the last test of this folder."""
    try:
        yield
    finally:
        if nextitem is None or HERE not in nextitem.path.parents:
            SHARED.stop()


@pytest.fixture(scope="module")
def cluster() -> ControlPlane:
    """A real API server with the controllers of Kubernetes. Each worker of pytest-xdist that needs one has its own."""
    if reason := missing_programs():
        pytest.skip(reason)
    return SHARED.cluster()


@pytest.fixture(scope="module")
def edge() -> Edge:
    """A real Ingress controller, with a cluster of its own: `edge.cluster`."""
    if reason := missing_for_an_edge():
        pytest.skip(reason)
    return SHARED.edge()


@pytest.fixture(scope="module")
def crds(cluster: ControlPlane) -> list[Path]:
    """The CustomResourceDefinitions of `CUSTOM_GROUPS` in the folder that `CRD_DIR` names; the cluster serves them."""
    if not (folder := os.environ.get("CRD_DIR")):
        pytest.skip("CRD_DIR is not set: it names a folder with the CustomResourceDefinitions of the kinds used")
    ours = re.compile(rf"^  group: ({'|'.join(map(re.escape, CUSTOM_GROUPS))})$", re.MULTILINE)
    chosen = [path for path in sorted(Path(folder).glob("*.yaml")) if ours.search(path.read_text())]
    if not SHARED.with_crds:
        cluster.install_crds(*chosen)
        SHARED.with_crds = True
    return chosen


@pytest.fixture
def namespace(cluster: ControlPlane) -> str:
    """A namespace of the test's own, which enforces Pod Security `baseline`."""
    return cluster.namespace()
