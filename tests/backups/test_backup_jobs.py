"""A Job from a CronJob: started with other values, followed line by line, and its end told as what it was."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.backups import jobs
from convexctl.errors import UserError
from convexctl.tools.kubectl import Kubectl
from tests.support.job_cluster import JobCluster, condition, container

KUBECTL = Kubectl("there", "team-a")
DONE = {"conditions": [condition("Complete")]}
LIMIT_S = 60.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> JobCluster:
    return JobCluster(monkeypatch)


def follow(cluster: JobCluster, *looks: dict[str, Any] | None) -> tuple[list[str], list[str]]:
    """What is said, and the lines that come back."""
    cluster.looks = [*looks]
    said: list[str] = []
    return said, jobs.follow(KUBECTL, "it", said.append, LIMIT_S)


def test_only_plain_variables_get_other_values(cluster: JobCluster) -> None:
    from_secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    first = {"name": "fetch", "env": [{"name": "FROM", "value": "latest"}, from_secret]}
    second = {"name": "send", "env": [{"name": "FROM", "value": "latest"}, {"name": "OTHER", "value": "stays"}]}
    pod = {"initContainers": [first], "containers": [second, {"name": "plain"}]}
    template = {"spec": {"template": {"spec": pod}}}
    cluster.cron_jobs["nightly"] = {"metadata": {"name": "nightly"}, "spec": {"jobTemplate": template}}
    jobs.start(KUBECTL, "nightly", "it", {"FROM": "a.zip", "KEY": "never", "NEW": "never"})
    (job,) = cluster.created
    made = job["spec"]["template"]["spec"]
    assert job["metadata"]["name"] == "it"
    assert made["initContainers"][0]["env"] == [{"name": "FROM", "value": "a.zip"}, from_secret]
    assert made["containers"][0]["env"] == [{"name": "FROM", "value": "a.zip"}, {"name": "OTHER", "value": "stays"}]
    assert "env" not in made["containers"][1]


def test_without_its_cron_job_nothing_is_started(cluster: JobCluster) -> None:
    with pytest.raises(UserError, match=r"no CronJob nightly \(namespace team-a, context there\): set backup.enabled"):
        jobs.start(KUBECTL, "nightly", "it")
    assert cluster.created == []


def test_each_line_is_said_once_in_the_order_of_the_containers(cluster: JobCluster) -> None:
    both = [container("fetch", terminated={}), container("send")]
    said, lines = follow(
        cluster,
        {"containers": None},
        {"containers": [container("fetch")], "logs": {"fetch": "one\n"}},
        {"containers": [container("fetch")], "logs": {"fetch": "one\ntwo\n"}},
        {"containers": both, "logs": {"fetch": "one\ntwo\n", "send": "three\n"}},
        {"containers": both, "logs": {"fetch": "one\ntwo\n", "send": "three\nfour\n"}, **DONE},
    )
    assert said == lines == ["one", "two", "three", "four"]


def test_a_log_that_is_not_there_yet_is_read_at_the_next_look(cluster: JobCluster) -> None:
    running = {"containers": [container("send")]}
    assert follow(cluster, running, {**running, "logs": {"send": "done\n"}, **DONE}) == (["done"], ["done"])


def test_what_a_container_waits_for_is_said_once_and_is_no_line_of_the_log(cluster: JobCluster) -> None:
    wrong = container("send", waiting={"reason": "ImagePullBackOff", "message": "no such image"})
    begins = container("send", waiting={"reason": "ContainerCreating"})
    said, lines = follow(cluster, {"containers": [begins]}, {"containers": [wrong]}, {"containers": [wrong]}, DONE)
    assert said == ["the-pod/send: ImagePullBackOff: no such image"]
    assert lines == []


FAILED = [
    ({"message": "Job was active too long", "reason": "DeadlineExceeded"}, "", "Job was active too long"),
    ({"reason": "DeadlineExceeded"}, "", "DeadlineExceeded"),
    ({}, "", "no reason given"),
    ({"reason": "BackoffLimitExceeded"}, "failed: once\nfailed: no bucket\nbye\n", "no bucket"),
]


@pytest.mark.parametrize(("why", "log", "told"), FAILED, ids=["message", "reason", "neither", "the script's own"])
def test_a_job_that_fails_says_why(cluster: JobCluster, why: dict[str, str], log: str, told: str) -> None:
    look = {"containers": [container("send", terminated={})], "logs": {"send": log}}
    end = {"conditions": [condition("Complete", "False"), condition("Failed", **why)]}
    with pytest.raises(UserError) as caught:
        follow(cluster, look, {**look, **end})
    assert str(caught.value) == f"the Job it failed: {told}"


def test_a_condition_that_is_not_true_is_no_end(cluster: JobCluster) -> None:
    assert follow(cluster, {"conditions": [condition("Failed", "False"), condition("Complete", "Unknown")]}, DONE)


def test_a_job_that_is_deleted_is_not_waited_for(cluster: JobCluster) -> None:
    with pytest.raises(UserError, match="the Job it was deleted"):
        follow(cluster, {}, None)


def test_a_job_that_takes_too_long_is_left_running_and_named(cluster: JobCluster) -> None:
    cluster.looks = [{}]
    with pytest.raises(UserError) as caught:
        jobs.follow(KUBECTL, "it", print, 0.01)
    assert str(caught.value) == (
        "the Job it still runs; follow it with `kubectl logs -f job/it --context=there --namespace=team-a`"
    )
