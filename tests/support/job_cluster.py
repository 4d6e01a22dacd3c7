"""A cluster that runs Jobs of backups, behind `convexctl.tools.run` in the place of kubectl, told look by look."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from convexctl.errors import UserError
from convexctl.synth.environment import Environment
from convexctl.tools import run

Object = dict[str, Any]
POD = "the-pod"


def container(name: str, **state: Any) -> Object:
    """The status of a container; without a state it runs."""
    return {"name": name, "state": state or {"running": {}}}


def condition(kind: str, status: str = "True", **more: str) -> Object:
    """A condition of a Job."""
    return {"type": kind, "status": status, **more}


class JobCluster:
    """Answers kubectl's words. Each look at the Job is the next of `looks`; the last one lasts.

    A look has `conditions` of the Job, `containers` of its pod, and their `logs`; None is a Job that is gone.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, environment: Environment | None = None) -> None:
        monkeypatch.setattr(run, "run", self._run)
        monkeypatch.setattr("convexctl.backups.jobs.time.sleep", lambda _: None)
        self.cron_jobs: dict[str, Object] = {}
        if environment:
            self.apply(environment)
        self.secrets: dict[str, Object] = {}
        self.looks: list[Object | None] = []
        self.created: list[Object] = []
        self.on_create: Callable[[Object], None] = lambda _: None
        self._look: Object | None = {}

    def apply(self, environment: Environment) -> None:
        """Take up an environment's CronJobs."""
        found = [one for one in environment.manifests if one["kind"] == "CronJob"]
        self.cron_jobs |= {one["metadata"]["name"]: copy.deepcopy(one) for one in found}

    def variables(self) -> dict[str, str]:
        """The plain variables of the Job that was made."""
        (job,) = self.created
        pod = job["spec"]["template"]["spec"]
        whole = [*pod.get("initContainers", []), *pod["containers"]]
        return {one["name"]: one["value"] for each in whole for one in each.get("env", []) if "value" in one}

    def _run(self, name: str, arguments: Sequence[str], *, stdin: str = "", error: type[UserError], **_: Any) -> str:
        assert name == "kubectl"
        places = {at + 1 for at, word in enumerate(arguments) if word in ("--context", "--namespace")}
        words = [word for at, word in enumerate(arguments) if at not in places and not word.startswith("--")]
        text = self._answer(words, arguments, stdin, error)
        return text if isinstance(text, str) else json.dumps(text)

    def _answer(self, words: list[str], arguments: Sequence[str], stdin: str, error: type[UserError]) -> Any:
        match words:
            case ["get", "cronjob", name, *_]:
                return self.cron_jobs.get(name, "")
            case ["get", "secret", *names]:
                return _list(self.secrets[name] for name in names if name in self.secrets)
            case ["create", "job", name, *_]:
                (source,) = [word.partition("/")[2] for word in arguments if word.startswith("--from=cronjob/")]
                return {"metadata": {"name": name}, **self.cron_jobs[source]["spec"]["jobTemplate"]}
            case ["create", *_]:
                job = json.loads(stdin.removeprefix("---\n"))
                self.created.append(job)
                self.on_create(job)
                return job
            case ["get", "job", name, *_]:
                self._look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
                status = {"conditions": (self._look or {}).get("conditions")}
                return {"metadata": {"name": name}, "status": status} if self._look is not None else ""
            case ["get", "pods", *_]:
                return _list([{"metadata": {"name": POD}, "status": self._pod_status()}])
            case ["logs", pod, *_]:
                (of,) = [word.partition("=")[2] for word in arguments if word.startswith("--container=")]
                text = (self._look or {}).get("logs", {}).get(of)
                if pod != POD or text is None:
                    raise error(f"container {of} is waiting to start")
                return str(text)
            case _:
                return ""

    def _pod_status(self) -> Object:
        return {"containerStatuses": (self._look or {}).get("containers")}


def _list(items: Iterable[Mapping[str, Any]]) -> Object | str:
    found = list(items)
    return {"kind": "List", "items": found} if found else ""
