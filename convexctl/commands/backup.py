"""`backup`: show the backups' state, or make one now."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from convex_k8s.values.backup import seconds

from convexctl.commands import arguments as common
from convexctl.errors import UserError
from convexctl.terminal import printable

if TYPE_CHECKING:
    from convexctl.tools.kubectl import Kubectl

_MORE_THAN_THE_JOB_S = 120


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlay(parser)
    common.add_cluster(parser)
    parser.add_argument("--now", action="store_true", help="start a backup, and follow it to its end")


def run(arguments: argparse.Namespace) -> int:
    """Print when backups were made, or follow a new one. A backup that fails is a `UserError`."""
    from convexctl.backups import jobs

    overlay = common.the_overlay(arguments)
    backup = overlay.values.backup
    if not backup.enabled:
        raise UserError(f"the overlay {overlay.name} makes no backups: set backup.enabled (docs/backup.md)")
    kubectl = common.kubectl_for(arguments, overlay)
    cron_job = f"{overlay.values.release_name}-backup"
    if not arguments.now:
        print(f"backups of {overlay.name} ({kubectl.place()})", file=sys.stderr)
        common.warn_of_other_overlay(kubectl, overlay)
        return _show(kubectl, cron_job)
    common.refuse_other_overlay(kubectl, overlay)
    name = f"{cron_job}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    print(f"backup of {overlay.name} ({kubectl.place()}): Job {name}", file=sys.stderr)
    jobs.start(kubectl, cron_job, name)
    try:
        jobs.follow(kubectl, name, lambda line: print(printable(line), flush=True), _patience(backup.timeout))
    except KeyboardInterrupt:
        print(f"the Job {name} is still running: kubectl logs -f job/{name}{kubectl.options()}", file=sys.stderr)
        raise
    return 0


def _patience(timeout: str) -> int:
    return seconds(timeout) + _MORE_THAN_THE_JOB_S


def _show(kubectl: Kubectl, cron_job: str) -> int:
    found = kubectl.find("cronjob", cron_job)
    if found is None:
        raise UserError(f"there is no CronJob {cron_job} ({kubectl.place()}): synth and apply the environment")
    status, spec = found.get("status") or {}, found["spec"]
    print(f"schedule      {spec['schedule']} (UTC){', suspended' if spec.get('suspend') else ''}")
    print(f"last started  {status.get('lastScheduleTime', 'never')}")
    print(f"last success  {status.get('lastSuccessfulTime', 'never')}")
    print(f"running       {', '.join(job['name'] for job in status.get('active') or []) or 'none'}")
    return 0
