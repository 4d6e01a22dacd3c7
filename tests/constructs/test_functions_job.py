"""The Job that pushes functions: what it sets on the backend, and when another Job is made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.support.convex_standin import ADMIN_KEY, standin
from tests.support.overlay_cases import environment_of

VARIABLES = {"APP_STAGE": 'it\'s "größer" $HOME `id`', "EMPTY": ""}


def job(**functions: Any) -> Any:
    """The Job of an environment with these values of `functions`."""
    values = {
        "s3": {"enabled": False},
        "backend": {"persistence": {"enabled": True}},
        "functions": {"image": "reg.example.com/app:1", **functions},
    }
    manifests = environment_of(yaml.safe_dump(values)).manifests
    (found,) = [each for each in manifests if each["kind"] == "Job"]
    return found


def wait_of(found: Any) -> Any:
    return found["spec"]["template"]["spec"]["initContainers"][0]


def expanded(value: str, variables: Mapping[str, str]) -> str:
    """What a kubelet makes of a value: `$(NAME)` is a variable that stands before it, `$$(` is `$(`."""
    return re.sub(
        r"\$\$|\$\((\w+)\)",
        lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]),
        value,
    )


def run_wait(found: Any, url: str, key: str) -> subprocess.CompletedProcess[str]:
    """Run the first container's command as the pod does, against a backend."""
    wait = wait_of(found)
    given = {"CONVEX_SELF_HOSTED_URL": url, "CONVEX_SELF_HOSTED_ADMIN_KEY": key}
    env = {each["name"]: given.get(each["name"]) or expanded(each["value"], given) for each in wait["env"]}
    command = ["bash", *wait["command"][1:]]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_variables_of_the_deployment_are_set_as_they_are() -> None:
    with standin() as backend:
        done = run_wait(job(variables=VARIABLES), backend.url, ADMIN_KEY)
        assert done.returncode == 0, done.stderr
        assert backend.state()["variables"] == VARIABLES
    assert ADMIN_KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["wrong key", "refused"])
def test_a_refusal_ends_the_job_before_the_push(fault: str) -> None:
    with standin() as backend:
        if fault == "refused":
            backend.fault("POST /api/update_environment_variables", status=400, code="EnvVarNameInvalid")
        key = "convex-self-hosted|00" if fault == "wrong key" else ADMIN_KEY
        done = run_wait(job(variables=VARIABLES), backend.url, key)
        assert done.returncode != 0
        assert {"wrong key": "BadDeployKey", "refused": "EnvVarNameInvalid"}[fault] in done.stdout
        assert backend.state()["variables"] == {}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_shell_is_clean() -> None:
    script = wait_of(job(variables=VARIABLES))["command"][-1]
    command = ["shellcheck", "--shell=bash", "-"]
    assert subprocess.run(command, input=script, capture_output=True, text=True, check=False).stdout == ""


def test_without_variables_the_first_container_has_no_key() -> None:
    assert [each["name"] for each in wait_of(job())["env"]] == ["CONVEX_SELF_HOSTED_URL"]


def test_each_change_makes_another_job() -> None:
    names = [
        job()["metadata"]["name"],
        job(image="reg.example.com/app@sha256:" + "0" * 64)["metadata"]["name"],
        job(image="reg.example.com/app@sha256:" + "1" * 64)["metadata"]["name"],
        job(variables={"APP_STAGE": "one"})["metadata"]["name"],
        job(variables={"APP_STAGE": "two"})["metadata"]["name"],
    ]
    assert len(set(names)) == len(names)
    assert names[0] == job()["metadata"]["name"]
