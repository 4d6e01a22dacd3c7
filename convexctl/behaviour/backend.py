"""The decisions on a backend."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from convexctl.behaviour import files as files_model
from convexctl.behaviour import lifecycle
from convexctl.behaviour.context import Context, decision
from convexctl.behaviour.database import database
from convexctl.behaviour.manifests import number
from convexctl.behaviour.model import Backend, Decision
from convexctl.behaviour.pods import faults, security, shared
from convexctl.behaviour.start_script import start_of
from convexctl.behaviour.volume_reach import volume_reach
from convexctl.behaviour.volumes import OUTLIVES_TEXT, Claim, Disk, claims, unused_claims
from convexctl.wording import listed

DEFAULT_NAME = "convex-self-hosted"
DATA = "/convex/data"
DEFAULT_RETENTION = 14 * 24 * 3600
CONCURRENCY = {"MUTATIONS": 16, "NODE_ACTIONS": 64, "QUERIES": 16, "V8_ACTIONS": 64}
"""Upstream's defaults of `APPLICATION_MAX_CONCURRENT_...`, by the end of the variable's name."""


def backend(context: Context) -> Backend:
    """What a backend will do."""
    common = shared(context)
    instance_name, obstacles = _instance_name(context)
    decisions, database_obstacles = database(context, instance_name)
    data = context.directory("DATA_DIR", DATA)
    disk = context.disk(data)
    user, user_obstacles = _user(context)
    origins = {name: _origin(context, name) for name in ("CONVEX_CLOUD_ORIGIN", "CONVEX_SITE_ORIGIN")}
    obstacles += database_obstacles + user_obstacles + faults(context)
    obstacles += [obstacle for _, found in origins.values() for obstacle in found]
    obstacles += _disk_obstacles(disk, data) + _beacon_obstacles(context) + _secret_obstacles(context)
    made: dict[str, Any] = {
        **common,
        **decisions,
        **files_model.files(context),
        **_disk(context, disk, data),
        **_switches(context),
    }
    made |= {
        "instance_name": instance_name,
        "instance_secret": _instance_secret(context),
        "secret_stable": _secret_stable(context, data),
    }
    entry_point = _entry_point(context)
    for name in _said_by_arguments(context, entry_point):
        if isinstance(made.get(name), Decision) and not made[name].unless:
            made[name] = replace(made[name], unless="the pod's arguments decide otherwise")
    return Backend(
        **made,
        user=user,
        cloud_origin=origins["CONVEX_CLOUD_ORIGIN"][0],
        site_origin=origins["CONVEX_SITE_ORIGIN"][0],
        stop=lifecycle.stop(context),
        grace=lifecycle.grace(context),
        writers=lifecycle.writers(context, common["replicas"]),
        entry_point=entry_point,
        obstacles=tuple(obstacles),
    )


def _said_by_arguments(context: Context, entry_point: Decision) -> tuple[str, ...]:
    """The decisions that the pod's own arguments may change. They are not read: one may be a secret."""
    names: tuple[str, ...] = ()
    if re.search(r"--instance-name\b", context.command):
        names += ("instance_name", "database_name")
    if re.search(r"--instance-secret\b", context.command):
        names += ("instance_secret", "secret_stable")
    if entry_point.value == "convex-local-backend" or re.search(r"\b(postgres(ql)?|mysql)://", _arguments(context)):
        names += ("engine", "database_url", "database_name", "database_outlives")
    return names


def _arguments(context: Context) -> str:
    """The words of the command that the server may be given: not those before its name, such as a script's."""
    own = "run_backend.sh" not in context.command and "convex-local-backend" not in context.command
    return context.command if own else re.split(r"run_backend\.sh|convex-local-backend", context.command)[-1]


def _instance_name(context: Context) -> tuple[Decision, list[Decision]]:
    reading = context.read("INSTANCE_NAME")
    if not reading.filled:
        why = "INSTANCE_NAME has no value: the name left on the volume by an earlier start, else upstream's default"
        return decision(DEFAULT_NAME, DEFAULT_NAME, why, reading), []
    name = decision(reading.shown, reading.shown, "INSTANCE_NAME", reading)
    if reading.text and re.search(r"[:|]", reading.text):
        why = "an admin key reads <instance name>|<hex>, and a name with : or | is refused"
        return name, [decision("instance name", "INSTANCE_NAME has : or | in it", why, reading)]
    return name, []


def _instance_secret(context: Context) -> Decision:
    reading = context.read("INSTANCE_SECRET")
    if not reading.filled:
        return decision("generated", "made at the first start", "INSTANCE_SECRET has no value", reading)
    if not reading.reference:
        return decision("literal", "in the manifest", "INSTANCE_SECRET", reading)
    return decision(reading.reference, reading.reference, "INSTANCE_SECRET", reading)


def _secret_obstacles(context: Context) -> list[Decision]:
    reading = context.read("INSTANCE_SECRET")
    if not reading.text or re.fullmatch(r"[0-9a-fA-F]{64}", reading.text):
        return []
    why = "an instance secret is 64 hex digits (32 bytes); the backend refuses anything else, base64 too"
    return [decision("instance secret", "INSTANCE_SECRET is not 64 hex digits", why, reading)]


def _secret_stable(context: Context, data: str) -> Decision:
    reading = context.read("INSTANCE_SECRET")
    if reading.filled:
        return decision(True, "yes", "INSTANCE_SECRET has a value", reading)
    disk = context.disk(context.directory("CREDENTIALS_DIR", f"{data}/credentials"))
    made = "without INSTANCE_SECRET the secret is made once and kept on the volume"
    if disk.outlives in ("pod", "delete"):
        return Decision(True, f"yes, as long as {disk.text} exists", f"{made}: {disk.why}", disk.source, reading.unless)
    when = {"nothing": "each restart", "container": "each new pod", "node": "each change of the node"}[disk.outlives]
    why = f"{made}, and {disk.why}: with a new secret all admin keys are void"
    return Decision(False, f"no: {when} makes a new one", why, disk.source, reading.unless)


def _origin(context: Context, name: str) -> tuple[Decision, list[Decision]]:
    reading = context.read(name)
    if not reading.filled:
        why = f"{name} has no value: storage URLs, callbacks and the URLs inside functions have no host"
        return decision("", "not set", why, reading), []
    origin = decision(reading.shown, reading.shown, name, reading)
    if reading.text and not re.match(r"https?://", reading.text):
        why = "the backend refuses an origin that does not begin with http:// or https://"
        return origin, [decision("origin", f"{name} has no scheme", why, reading)]
    return origin, []


def _switches(context: Context) -> dict[str, Decision]:
    metrics = context.boolean("DISABLE_METRICS_ENDPOINT")
    beacon = context.present("DISABLE_BEACON", "--disable-beacon", "telemetry off")
    redaction = context.present("REDACT_LOGS_TO_CLIENT", "--redact-logs-to-client", "redaction on")
    retention = context.whole("DOCUMENT_RETENTION_DELAY", DEFAULT_RETENTION)
    days = f" ({retention.value / 86400:g} days)" if isinstance(retention.value, int) else ""
    return {
        "metrics": metrics.decides(
            not metrics.value,
            "none" if metrics.value else "at /metrics on 3210 and 3211, for everybody who reaches them",
        ),
        "telemetry": beacon.decides(not beacon.value, "off" if beacon.value else "on"),
        "log_redaction": redaction.decides(redaction.value, "redacted" if redaction.value else "in full"),
        "concurrency": _concurrency(context),
        "retention": retention.decides(retention.value, f"{retention.value} s{days}"),
    }


def concurrency_variable(kind: str) -> str:
    """The variable that limits how many functions of a kind run at a time."""
    return f"APPLICATION_MAX_CONCURRENT_{kind}"


def _concurrency(context: Context) -> Decision:
    """One decision on four variables. Its place is the place of the first variable that is set."""
    found = {kind: context.whole(concurrency_variable(kind), default) for kind, default in CONCURRENCY.items()}
    told = ", ".join(f"{kind.lower().replace('_', ' ')} {outcome.value}" for kind, outcome in found.items())
    there = {kind: context.read(concurrency_variable(kind)).variable is not None for kind in found}
    first = next((kind for kind in found if there[kind]), "MUTATIONS")
    names = listed([concurrency_variable(kind) for kind in found if there[kind]], "and")
    why = f"set by {names}" if names else "upstream's defaults"
    unless = next((outcome.unless for outcome in found.values() if outcome.unless), "")
    return Decision({kind: outcome.value for kind, outcome in found.items()}, told, why, found[first].source, unless)


def _beacon_obstacles(context: Context) -> list[Decision]:
    reading = context.read("DISABLE_BEACON")
    if not reading.empty or "--disable-beacon" in context.command.split():
        return []
    why = "the server reads it too and takes nothing for no boolean: leave it out to have telemetry on"
    return [decision("beacon", "DISABLE_BEACON is set to nothing, which probably stops the start", why, reading)]


def _disk(context: Context, disk: Disk, data: str) -> dict[str, Decision]:
    decisions = {
        "data_volume": Decision(
            f"claim {disk.claim.name}" if disk.claim else disk.kind, disk.text, disk.why, disk.source
        ),
        "data_outlives": Decision(disk.outlives, OUTLIVES_TEXT[disk.outlives], disk.why, disk.source),
    }
    if disk.claim:
        decisions |= _claim(disk.claim)
    if reach := volume_reach(context.manifests, disk, disk.volume):
        decisions["volume_reach"] = reach
    astray = _claims_astray(context, disk)
    if astray:
        why = f"a claim is mounted, and {data} is not on it"
        decisions["claims_astray"] = Decision(
            tuple(claim.name for claim in astray),
            listed([claim.name for claim in astray], "and"),
            why,
            astray[0].source,
        )
    return decisions


def _claims_astray(context: Context, disk: Disk) -> list[Claim]:
    if disk.claim:
        return []
    mine = [claim for _, claim in claims(context.manifests, context.pod)]
    return [*mine, *unused_claims(context.manifests, context.owner().namespace)]


def _claim(claim: Claim) -> dict[str, Decision]:
    made = {"template": "made from a template", "object": "an object of the manifests", "elsewhere": "made elsewhere"}
    source = claim.source if claim.made_by == "elsewhere" else claim.source.at("spec")
    decisions = {"claim": Decision(claim.name, claim.name, made[claim.made_by], source)}
    if not claim.spec:
        return decisions
    class_name = claim.spec.get("storageClassName")
    shown = "the cluster's default" if class_name is None else str(class_name) or "none"
    decisions["claim_class"] = Decision(
        None if class_name is None else str(class_name), shown, "storageClassName", source.at("storageClassName")
    )
    decisions["claim_size"] = Decision(
        claim.size, claim.size or "none", "resources.requests.storage", source.at("resources", "requests", "storage")
    )
    modes = claim.access_modes
    decisions["access_modes"] = Decision(modes, ", ".join(modes), "accessModes", source.at("accessModes"))
    return decisions


def _disk_obstacles(disk: Disk, data: str) -> list[Decision]:
    if not disk.read_only:
        return []
    why = f"the entry point makes folders in {data} before anything else"
    return [Decision("read-only", f"{data} is read-only", why, disk.source)]


def _user(context: Context) -> tuple[Decision, list[Decision]]:
    uid_value, uid_source = security(context, "runAsUser")
    uid = number(uid_value)
    non_root, non_root_source = security(context, "runAsNonRoot")
    if uid:
        why = "the image's programs are root's, with mode 744: another user cannot run them"
        return Decision(uid, f"uid {uid}", why, uid_source), [
            Decision("user", f"runs as uid {uid}, which cannot run the entry point", why, uid_source)
        ]
    if non_root is True:
        why = "the image runs as root, and runAsNonRoot makes the kubelet refuse that"
        return Decision(0, "root", why, non_root_source), [
            Decision("user", "runAsNonRoot refuses the image's user, root", why, non_root_source)
        ]
    return Decision(0, "root", "the image's user, and the only one that can run its programs", uid_source), []


def _entry_point(context: Context) -> Decision:
    start = start_of(context.container, context.file)
    if start.script:
        sets = [each.name for each in start.assignments if not each.plain]
        what = f"sets {listed(sets, 'and')}" if sets else f"{start.unseen} may set any variable"
        why = "what the script sets counts, and what it reads from elsewhere cannot be seen"
        return Decision("script", f"a command of its own: {what}", why, context.source.at("command"))
    if "run_backend.sh" in context.command or not context.container.get("command"):
        return Decision("run_backend.sh", "run_backend.sh", "the image's entry point", context.source.at("command"))
    if "convex-local-backend" in context.command:
        why = "the server itself is called, so not all of the entry point's rules on variables hold"
        return Decision("convex-local-backend", "the server itself", why, context.source.at("command"))
    return Decision("other", "another command", "it is not known what it runs", context.source.at("command"))
