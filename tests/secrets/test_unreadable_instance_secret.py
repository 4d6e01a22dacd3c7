"""When a new instance secret may take the place of one that nobody can read, and when surely not."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.secrets.unreadable_instance_secret import out_of_reach
from convexctl.tools.kubectl import Kubectl, KubectlError
from tests.support.overlay_cases import overlay_of

OVERLAY = "{s3: {enabled: false}, backend: {persistence: {enabled: true, existingClaim: mine}}}"
MADE = "2026-01-31T03:00:00+00:00"
WAITING = {"restartCount": 0, "state": {"waiting": {"reason": "CreateContainerConfigError"}}}


def claim(created: object = MADE, phase: str = "Bound") -> dict[str, Any]:
    return {"metadata": {"name": "mine", "creationTimestamp": created}, "status": {"phase": phase}}


def pod(created: object = MADE, statuses: object = None) -> dict[str, Any]:
    return {"metadata": {"name": "p", "creationTimestamp": created}, "status": {"containerStatuses": statuses}}


class Cluster:
    """What the cluster has, by kind and name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.running: list[str] = []
        monkeypatch.setattr(Kubectl, "find", lambda _, kind, name: self.objects.get((kind, name)))
        monkeypatch.setattr(Kubectl, "runs", lambda _, name: name in self.running)

    def reason(self, overlay: str = OVERLAY) -> str:
        return out_of_reach(overlay_of(overlay).values, Kubectl())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def test_without_a_cluster_nothing_points_to_one() -> None:
    assert out_of_reach(overlay_of(OVERLAY).values, None) == ""


def test_a_cluster_that_does_not_answer_points_to_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise KubectlError("no answer")

    monkeypatch.setattr(Kubectl, "runs", fail)
    assert out_of_reach(overlay_of(OVERLAY).values, Kubectl()) == ""


def test_a_pod_that_runs_has_one(cluster: Cluster) -> None:
    cluster.running.append("convex-backend-0")
    assert cluster.reason() == "the pod convex-backend-0 runs with one that cannot be read"


@pytest.mark.parametrize("name", ["mine", "data-convex-backend-0"])
def test_a_claim_may_hold_one_whoever_made_it(cluster: Cluster, name: str) -> None:
    cluster.objects["persistentvolumeclaim", name] = claim()
    assert cluster.reason() == f"one may be on the volume of the claim {name}, and no pod runs that could read it"


def test_a_claim_that_waits_for_its_volume_holds_none(cluster: Cluster) -> None:
    cluster.objects["persistentvolumeclaim", "mine"] = claim(phase="Pending")
    assert cluster.reason() == ""


PODS = [
    pytest.param(pod(), False, id="no status yet"),
    pytest.param(pod(statuses=[WAITING]), False, id="waits"),
    pytest.param(pod("2026-01-31T03:01:00+00:00", [WAITING]), False, id="a minute later"),
    pytest.param(pod("2026-01-31T03:01:01+00:00", [WAITING]), True, id="more than a minute later"),
    pytest.param(pod(statuses=[WAITING, {**WAITING, "restartCount": 1}]), True, id="restarted"),
    pytest.param(pod(statuses=[{**WAITING, "lastState": {"terminated": {}}}]), True, id="ended before"),
    pytest.param(pod(statuses=[{"state": {"terminated": {}}}]), True, id="ended"),
    pytest.param(pod(statuses=["odd"]), True, id="a status that is none"),
    pytest.param(pod(statuses="odd"), True, id="statuses that are none"),
    pytest.param(pod("soon", [WAITING]), True, id="no time"),
    pytest.param(pod(7, [WAITING]), True, id="a number for a time"),
]


@pytest.mark.parametrize(("its", "may_hold_one"), PODS)
def test_a_pod_that_never_started_wrote_none(cluster: Cluster, its: dict[str, Any], may_hold_one: bool) -> None:
    cluster.objects["persistentvolumeclaim", "mine"] = claim()
    cluster.objects["pod", "convex-backend-0"] = its
    assert bool(cluster.reason()) is may_hold_one


def test_a_claim_without_a_time_may_hold_one(cluster: Cluster) -> None:
    cluster.objects["persistentvolumeclaim", "mine"] = claim(None)
    cluster.objects["pod", "convex-backend-0"] = pod(statuses=[WAITING])
    assert cluster.reason() != ""
