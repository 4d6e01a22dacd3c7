"""`restore`: replace everything in an environment with a backup."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convex_k8s.values.backup import seconds

from convexctl.commands import arguments as common
from convexctl.commands.prompts import confirm
from convexctl.errors import WRONG_USAGE, UserError
from convexctl.project import PROGRAM
from convexctl.terminal import printable

if TYPE_CHECKING:
    from convexctl.overlays.load import Overlay
    from convexctl.tools.convex_api import ConvexApi
    from convexctl.tools.kubectl import Kubectl

LATEST = "latest"
_OBJECT = r"([A-Za-z][-\w]*/)?\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z\.zip"
_PLACE = ("BUCKET", "PREFIX", "AWS_REGION", "S3_ENDPOINT_URL")
"""Variables that say where the backups of an environment are."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    common.add_overlay(parser)
    common.add_cluster(parser)
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="FILE|OBJECT|latest",
        help="a ZIP of this machine, the name of a backup (2026-01-31T03-00-00Z.zip), or the newest one",
    )
    parser.add_argument(
        "--into",
        metavar="OVERLAY",
        help="restore into this environment instead: a rehearsal. -f, --set and --name then apply to it",
    )
    parser.add_argument("--url", default="", help="where the API is (default: a port-forward through kubectl)")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Upload the backup, show what the server says it will replace, ask, and follow the import."""
    from convexctl.backups import restore
    from convexctl.backups.reach import opened

    file = Path(arguments.source)
    if not (file.is_file() or arguments.source == LATEST or re.fullmatch(_OBJECT, arguments.source)):
        raise UserError(f"--from {arguments.source}: is neither a file nor a backup's name nor latest", WRONG_USAGE)
    if not arguments.yes and not sys.stdin.isatty():
        raise UserError("restore asks before it replaces anything, and there is no terminal: add --yes", WRONG_USAGE)
    source, target = _source_and_target(arguments)
    kubectl = common.kubectl_for(arguments, target)
    if file.is_file():
        restore.check_file(file)
    common.refuse_other_overlay(kubectl, target)
    with opened(target.values, kubectl, os.environ, arguments.url) as (api, instance):
        found = api.instance_name()
        if found != instance.name:
            raise UserError(f"{api.url} is the instance {found}, and the overlay {target.name} means {instance.name}")
        print(
            f"restore of {arguments.source} into {target.name}, instance {found} ({kubectl.place()})", file=sys.stderr
        )
        if file.is_file():
            import_id = restore.upload(api, file, _say)
        else:
            import_id = _by_job(arguments.source, source, target, kubectl)
        _ask_and_replace(api, import_id, target.name, ask=not arguments.yes)
    print(f"Functions and variables are not in a backup. Next: {PROGRAM} verify {target.name}", file=sys.stderr)
    return 0


def _ask_and_replace(api: ConvexApi, import_id: str, target: str, *, ask: bool) -> None:
    from convexctl.backups import restore

    try:
        message = restore.until_it_asks(api, import_id)
        print(printable(message))
        if ask:
            confirm(f"Replace everything in {target} by this backup?", "nothing was replaced")
    except (UserError, KeyboardInterrupt):
        _give_up(api, import_id)
        raise
    rows = restore.carry_out(api, import_id, _say)
    print(f"restored: {rows} documents")


def _give_up(api: ConvexApi, import_id: str) -> None:
    try:
        api.cancel_import(import_id)
    except UserError as error:
        print(f"note: the import {import_id} waits on the server and was not cancelled: {error}", file=sys.stderr)


def _source_and_target(arguments: argparse.Namespace) -> tuple[Overlay, Overlay]:
    from convexctl.overlays.load import load_overlays

    if not arguments.into:
        overlay = common.the_overlay(arguments)
        return overlay, overlay
    folder = common.overlays_folder(arguments)
    (source,) = load_overlays(folder, [arguments.overlay], [])
    (target,) = load_overlays(folder, [arguments.into], arguments.values)
    return source, target


def _by_job(wanted: str, source: Overlay, target: Overlay, kubectl: Kubectl) -> str:
    """Let a Job of the target fetch the backup and upload it; returns the import's id."""
    from convexctl.backups import jobs

    if not target.values.backup.enabled:
        raise UserError(
            f"the overlay {target.name} has no backup.enabled, and its Job is what fetches a backup: set it, or "
            "give --from a file of this machine"
        )
    if source is not target and target.values.backup.destination == "claim":
        raise UserError("a claim cannot be read from another environment: copy the ZIP here and give --from that file")
    cron_job = f"{target.values.release_name}-restore"
    name = f"{cron_job}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    jobs.start(kubectl, cron_job, name, {"RESTORE_FROM": wanted, **_place_of(source, kubectl)})
    print(f"Job {name}", file=sys.stderr)
    lines = jobs.follow(kubectl, name, _say, seconds(target.values.backup.timeout))
    try:
        found: dict[str, Any] = json.loads(lines[-1])
        return str(found["importId"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise UserError(f"the Job {name} ended without saying which import it made") from None


def _place_of(source: Overlay, kubectl: Kubectl) -> Mapping[str, str]:
    """Where the backups of an environment are, as its own restore Job has it."""
    from convexctl.secrets.instance import find_name
    from convexctl.synth.environment import synthesise

    name, _ = find_name(source.values, kubectl, os.environ)
    cron_job = next(
        manifest
        for manifest in synthesise(source).manifests
        if manifest["kind"] == "CronJob" and manifest["metadata"]["name"].endswith("-restore")
    )
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    variables = [entry for container in pod.get("initContainers") or [] for entry in container["env"]]
    place = {entry["name"]: entry["value"] for entry in variables if entry["name"] in _PLACE and "value" in entry}
    return {**place, "SOURCE_INSTANCE": name}


def _say(line: str) -> None:
    print(printable(line), flush=True)
