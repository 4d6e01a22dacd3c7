"""Jobs made from a CronJob, started by hand and followed to their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from convexctl.errors import UserError
from convexctl.tools.kubectl import Kubectl, KubectlError

Say = Callable[[str], None]
"""Takes a line of a Job's log."""

_LOOK_S = 2.0


def start(kubectl: Kubectl, cron_job: str, name: str, variables: Mapping[str, str] | None = None) -> None:
    """Start a Job from a CronJob, with other values of plain variables that its containers have.

    Raises `UserError` if there is no such CronJob.
    """
    if kubectl.find("cronjob", cron_job) is None:
        raise UserError(f"there is no CronJob {cron_job} ({kubectl.place()}): set backup.enabled, then synth and apply")
    (job,) = kubectl.objects("create", "job", name, f"--from=cronjob/{cron_job}", "--dry-run=client")
    pod = job["spec"]["template"]["spec"]
    for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
        for variable in container.get("env") or []:
            if variable["name"] in (variables or {}) and "valueFrom" not in variable:
                variable["value"] = (variables or {})[variable["name"]]
    kubectl.objects("create", manifests=[job])


def follow(kubectl: Kubectl, name: str, say: Say, timeout_s: float) -> list[str]:
    """Hand on the log of a Job's containers until the Job ends, and return all lines.

    Raises `UserError` if the Job fails, disappears or takes longer than `timeout_s` seconds.
    """
    logs = _Logs(kubectl, say)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        job = kubectl.find("job", name)
        if job is None:
            raise UserError(f"the Job {name} was deleted")
        logs.read(name)
        for condition in (job.get("status") or {}).get("conditions") or []:
            if condition.get("status") != "True":
                continue
            if condition.get("type") == "Complete":
                return logs.lines
            if condition.get("type") == "Failed":
                reason = condition.get("message") or condition.get("reason") or "no reason given"
                raise UserError(f"the Job {name} failed: {logs.last_failure() or reason}")
        time.sleep(_LOOK_S)
    raise UserError(f"the Job {name} still runs; follow it with `kubectl logs -f job/{name}{kubectl.options()}`")


class _Logs:
    """The logs of a Job's pods, each line handed on once."""

    def __init__(self, kubectl: Kubectl, say: Say) -> None:
        self._kubectl, self._say = kubectl, say
        self._seen: dict[tuple[str, str], int] = {}
        self._waits: set[str] = set()
        self.lines: list[str] = []

    def read(self, job: str) -> None:
        """Hand on what is new."""
        for pod in self._kubectl.objects("get", "pods", f"--selector=job-name={job}"):
            status = pod.get("status") or {}
            for state in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
                self._container(pod["metadata"]["name"], state)

    def last_failure(self) -> str:
        """The last line by which a script says why it failed; empty if none does."""
        failures = [line.removeprefix("failed: ") for line in self.lines if line.startswith("failed: ")]
        return failures[-1] if failures else ""

    def _container(self, pod: str, state: Mapping[str, Any]) -> None:
        name = state["name"]
        waits = (state.get("state") or {}).get("waiting") or {}
        if waits.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            line = f"{pod}/{name}: {waits['reason']}: {waits.get('message', '')}"
            if line not in self._waits:
                self._waits.add(line)
                self._say(line)
        if waits:
            return
        try:
            text = self._kubectl.run(
                "logs",
                pod,
                f"--container={name}",
                *([f"--namespace={self._kubectl.namespace}"] if self._kubectl.namespace else []),
            )
        except KubectlError:
            return  # it starts or goes; the next look finds it
        new = text.splitlines()[self._seen.get((pod, name), 0) :]
        self._seen[pod, name] = self._seen.get((pod, name), 0) + len(new)
        self.lines += new
        for line in new:
            self._say(line)
