"""The part of an environment's README about its backups, and about the admin keys that only Jobs read."""

from __future__ import annotations

import json
from typing import Any

from convexctl.project import PROGRAM
from convexctl.synth.readme_objects import Objects, name_of


def backups(name: str, objects: Objects) -> str:
    """When backups are made and where they go, and how to make and restore one; empty if there are none."""
    job = next((each for each in _cron_jobs(objects) if name_of(each).endswith("-backup")), None)
    if job is None:
        return ""
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return (
        f"## Backups\n\nThe CronJob `{name_of(job)}` makes one at `{job['spec']['schedule']}` (UTC), {_place(pod)}. "
        "Backups do not contain deployed functions, environment variables or Secrets.\n\n"
        f"```sh\n{PROGRAM} backup {name} --now             # one more, followed to its end\n"
        f"{PROGRAM} backup {name}                   # when the last one was made\n"
        f"{PROGRAM} restore {name} --from latest    # asks before it replaces anything\n```"
    )


def jobs_that_read(secret: str, objects: Objects) -> list[str]:
    """The Jobs and CronJobs that read a Secret which the backend does not read, as a README names them."""
    wanted = f'"secretKeyRef": {{"key": "CONVEX_SELF_HOSTED_ADMIN_KEY", "name": "{secret}"'
    if wanted in _text(objects.backend):
        return []
    jobs = [each for each in objects.all if each["kind"] in ("Job", "CronJob") and wanted in _text(each)]
    return [f"the {each['kind']} `{name_of(each)}`" for each in jobs]


def _text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, sort_keys=True)


def _cron_jobs(objects: Objects) -> list[dict[str, Any]]:
    return [each for each in objects.all if each["kind"] == "CronJob"]


def _place(pod: dict[str, Any]) -> str:
    for volume in pod["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            return f"onto the claim `{claim['claimName']}`, which you make"
    variables = [entry for container in pod["initContainers"] for entry in container["env"]]
    known = {entry["name"]: entry.get("value", "") for entry in variables}
    prefix = f", below `{known['PREFIX']}`" if known.get("PREFIX") else ""
    return f"into the bucket `{known['BUCKET']}`{prefix}"
