"""Variables that do not mean what they seem to say."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator

from convex_k8s.knobs import DEAD, knobs

from convexctl.audit.model import Hit, Severity, View, hit_variable, rule
from convexctl.behaviour import Component
from convexctl.behaviour.quantities import integer

_HARM = {
    "DO_NOT_REQUIRE_SSL": None,
    "REDACT_LOGS_TO_CLIENT": Severity.WARNING,
    "DISABLE_BEACON": Severity.INFORMATION,
}
PRESENCE = ("DO_NOT_REQUIRE_SSL", "DISABLE_BEACON", "REDACT_LOGS_TO_CLIENT")
_NEGATIONS = ("false", "0", "no", "off", "n", "f", "never", "disabled", "null", "none")
_BOOLEANS = (
    "AWS_S3_FORCE_PATH_STYLE",
    "AWS_S3_DISABLE_SSE",
    "AWS_S3_DISABLE_CHECKSUMS",
    "AWS_S3_DISABLE_RANGE_PREFETCH",
)

READ_BY_BACKEND = frozenset(_BOOLEANS) | frozenset(
    """
    AWS_ACCESS_KEY_ID AWS_REGION AWS_SECRET_ACCESS_KEY CONVEX_CLOUD_ORIGIN CONVEX_SITE_ORIGIN CREDENTIALS_DIR
    DATABASE_URL DATA_DIR DISABLE_BEACON DO_NOT_REQUIRE_SSL INSTANCE_NAME INSTANCE_SECRET MYSQL_CA_FILE MYSQL_URL
    PG_CA_FILE POSTGRES_URL REDACT_LOGS_TO_CLIENT S3_ENDPOINT_URL S3_STORAGE_EXPORTS_BUCKET S3_STORAGE_FILES_BUCKET
    S3_STORAGE_MODULES_BUCKET S3_STORAGE_SEARCH_BUCKET S3_STORAGE_SNAPSHOT_IMPORTS_BUCKET SQLITE_DB STORAGE_DIR
    """.split()  # noqa: SIM905
)
"""What entry point and server read, beside the knobs."""
READ_BESIDES = re.compile(
    r"RUST_(LOG|BACKTRACE|LIB_BACKTRACE)|LOG_FORMAT|NO_COLOR|TZ|HOME|PATH|HOSTNAME|LANG|LC_\w+|TMPDIR|"
    r"(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|NODE_\w+|npm_\w+|NPM_\w+|AWS_(?!S3_)\w+|MALLOC_\w+|"
    r"OTEL_\w+|CONVEX_SELF_HOSTED_(ADMIN_KEY|URL)|CONVEX_RELEASE_VERSION_DEV"
)
"""What the system, Node.js, the AWS client and the `convex` command line read in the same container."""
READ_BY_DASHBOARD = re.compile(
    r"NEXT_PUBLIC_(DEPLOYMENT_URL|ADMIN_KEY)|PORT|HOSTNAME|TZ|HOME|PATH|LANG|LC_\w+|NODE_\w+|NEXT_TELEMETRY_DISABLED|"
    r"(HTTPS?|NO)_PROXY|(https?|no)_proxy"
)
MISTAKEN = {
    "CONVEX_INSTANCE_SECRET": "INSTANCE_SECRET",
    "CONVEX_INSTANCE_NAME": "INSTANCE_NAME",
    "CONVEX_ADMIN_KEY": "no variable: the backend needs no admin key",
    "ADMIN_KEY": "no variable: the backend needs no admin key",
    "CONVEX_SITE_URL": "CONVEX_SITE_ORIGIN",
    "CONVEX_CLOUD_URL": "CONVEX_CLOUD_ORIGIN",
    "CONVEX_ORIGIN": "CONVEX_CLOUD_ORIGIN",
    "CONVEX_SITE": "CONVEX_SITE_ORIGIN",
    "CONVEX_URL": "CONVEX_CLOUD_ORIGIN",
    "AWS_ENDPOINT": "S3_ENDPOINT_URL",
    "AWS_S3_ENDPOINT": "S3_ENDPOINT_URL",
    "AWS_S3_REGION": "AWS_REGION",
    "AWS_DEFAULT_REGION": "AWS_REGION",
    "S3_ENDPOINT": "S3_ENDPOINT_URL",
    "S3_REGION": "AWS_REGION",
    "S3_BUCKET": "the five S3_STORAGE_..._BUCKET",
    "S3_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
    "NEXT_PUBLIC_CONVEX_URL": "NEXT_PUBLIC_DEPLOYMENT_URL, in the dashboard",
}
"""Names that look right, and what was meant."""
MOST_COMPARED = 300
"""Unread names of one input that are compared with those that are read: each takes a millisecond or two."""
_OWN_PREFIXES = (
    "CONVEX_",
    "S3_",
    "INSTANCE_",
    "POSTGRES_",
    "PG_",
    "MYSQL_",
    "NEXT_PUBLIC_",
    "DISABLE_",
    "APPLICATION_",
)


@rule(
    "presence-false",
    Severity.ERROR,
    'A switch that is on with any value is set to "false"',
    reason="The entry point only asks whether DO_NOT_REQUIRE_SSL, DISABLE_BEACON and REDACT_LOGS_TO_CLIENT are "
    'non-empty: "false" switches them on as "true" does. DO_NOT_REQUIRE_SSL: "false" no longer requires TLS to the '
    "database server, which is an error; SQLite has no server, and there it does nothing. The other two only do the "
    "opposite of what they say.",
    least=Severity.INFORMATION,
    basis="entry point of the backend's image (`run_backend.sh`)",
    parameter="convexConfig.requireSsl: true; backend.env for the others: a variable that is `false` is left out",
    change="remove the variable",
)
def presence_false(view: View) -> Iterator[Hit]:
    """Presence variables that say no."""
    for backend in view.behaviour.backends:
        for name in PRESENCE:
            reading = backend.environment.read(name)
            if reading.filled and (reading.text or "").strip().lower() in _NEGATIONS:
                said, harm = f"{name} {reading.said}, and that switches it on", _HARM[name]
                if name == "DO_NOT_REQUIRE_SSL" and backend.engine.value == "sqlite" and backend.engine.certain:
                    said, harm = f"{said}: without effect while the database is SQLite", Severity.INFORMATION
                yield hit_variable(backend, reading, said, harm)


@rule(
    "beacon-empty",
    Severity.WARNING,
    "DISABLE_BEACON is set to nothing",
    reason="The entry point treats an empty value as not set, but the server itself reads DISABLE_BEACON too. To the "
    "server an empty value is not a boolean, which probably stops the start. Other switches may be empty.",
    basis="entry point of the backend's image; the server's command line",
    parameter="backend.env: leave the name out",
    change="remove the variable",
)
def beacon_empty(view: View) -> Iterator[Hit]:
    """The one switch that the server parses too."""
    for backend in view.behaviour.backends:
        reading = backend.environment.read("DISABLE_BEACON")
        if reading.empty:
            yield hit_variable(backend, reading, "DISABLE_BEACON is set to nothing")


@rule(
    "boolean-unparsed",
    Severity.ERROR,
    "A boolean that the backend does not understand",
    reason="Booleans are parsed in Rust: exactly `true` or `false`. `True`, `1`, `yes` and everything else count as "
    "not set, without an error.",
    basis="the server's parsing of its tuning variables and of AWS_S3_FORCE_PATH_STYLE and its neighbours",
    parameter="backend.env (booleans are written as the backend reads them), s3.provider",
    change='write "true" or "false", in lower case',
)
def rust_boolean(view: View) -> Iterator[Hit]:
    """Booleans that count as unset."""
    for backend in view.behaviour.backends:
        for variable in backend.environment:
            knob = knobs().get(variable.name)
            is_boolean = variable.name in _BOOLEANS or (knob is not None and knob.type == "boolean")
            if is_boolean and variable.text not in (None, "", "true", "false"):
                reading = backend.environment.read(variable.name)
                message = f"{variable.name} {reading.said}, and only true and false count: it is as if not set"
                yield hit_variable(backend, reading, message)


@rule(
    "number-unparsed",
    Severity.WARNING,
    "A number that the backend does not understand",
    reason="A tuning variable that does not parse is ignored: the backend uses the default and writes a line to "
    "its log.",
    basis="the server's parsing of its tuning variables",
    parameter="backend.env (numbers are checked)",
    change="write a plain number in the variable's unit",
)
def number(view: View) -> Iterator[Hit]:
    """Numbers that count as unset."""
    for backend in view.behaviour.backends:
        for variable in backend.environment:
            knob = knobs().get(variable.name)
            if knob is None or knob.type not in ("integer", "number") or not variable.text:
                continue
            if knob.type == "integer":
                least = None if knob.minimum is None else int(knob.minimum)
                taken = integer(variable.text, least) is not None
                what = "no whole number of 64 bits" if least is None else f"no whole number of 64 bits from {least} on"
            else:
                taken = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", variable.text) is not None
                what = "no number"
            if not taken:
                reading = backend.environment.read(variable.name)
                unit = f" {knob.unit}" if knob.unit else ""
                message = f"{variable.name} {reading.said}, which is {what}: {knob.default}{unit} counts"
                yield hit_variable(backend, reading, message)


@rule(
    "dead-variable",
    Severity.WARNING,
    "A variable that the backend no longer reads",
    reason="Other variables replaced it: the value has no effect any more.",
    basis="the server's list of tuning variables",
    parameter="backend.env with the new name",
    change="set the variables that replaced it",
)
def dead_variable(view: View) -> Iterator[Hit]:
    """Variables of earlier versions."""
    for backend in view.behaviour.backends:
        for name, replacement in DEAD.items():
            reading = backend.environment.read(name)
            if reading.filled:
                yield hit_variable(backend, reading, f"{name} is not read any more: set {replacement}")


@rule(
    "unread-variable",
    Severity.WARNING,
    "A variable that nobody reads",
    reason="Neither entry point nor server reads a variable of this name, so it has no effect. Functions do not see "
    "the pod's variables either: theirs are set with `npx convex env set`.",
    basis="entry point and server of the backend's image; the dashboard's image",
    parameter="the parameter of what was meant: instance.existingSecret, s3.*, convexConfig.*, backend.env",
    change="use the name that is read, or remove the variable",
    least=Severity.INFORMATION,
)
def unread_variable(view: View) -> Iterator[Hit]:
    """Names that are near a known one, that look like Convex's, or that nobody knows."""
    compared: set[str] = set()
    for component in view.behaviour.components:
        for variable in component.environment:
            if variable.name in component.environment.used or component.environment.reads_all:
                continue
            compare = variable.name in compared or len(compared) < MOST_COMPARED
            said = unread(component, variable.name, compare=compare)
            if said:
                compared.update([variable.name] if compare else [])
                text, severity = said
                yield Hit(component, variable.source, f"{variable.name} {text}", severity, variable.unless)


def unread(component: Component, name: str, *, compare: bool = False) -> tuple[str, Severity | None] | None:
    """What is wrong with a name, and how bad it is; None for one that is read.

    With `compare` it is also said which name is read and is near.
    """
    if component.TITLE == "dashboard":
        if READ_BY_DASHBOARD.fullmatch(name):
            return None
        if name == "NEXT_PUBLIC_LOAD_MONACO_INTERNALLY":
            return "has no effect: it is baked in when the image is built", Severity.INFORMATION
        if name in READ_BY_BACKEND or name in knobs():
            return "is read by the backend only", Severity.INFORMATION
        own = name.startswith(("NEXT_PUBLIC_", "CONVEX_"))
        near = _near(name, ("NEXT_PUBLIC_DEPLOYMENT_URL", "NEXT_PUBLIC_ADMIN_KEY"), 0.85) if compare else ""
        meant = "NEXT_PUBLIC_DEPLOYMENT_URL" if name == "NEXT_PUBLIC_CONVEX_URL" else near
    else:
        if name in MISTAKEN:
            return f"is not read: what is meant is {MISTAKEN[name]}", None
        if name in READ_BY_BACKEND or name in knobs() or name in DEAD or READ_BESIDES.fullmatch(name):
            return None
        if READ_BY_DASHBOARD.fullmatch(name):
            return "is read by the dashboard only", Severity.INFORMATION
        own = name.startswith(_OWN_PREFIXES)
        meant = _near(name.upper(), (*knobs(), *READ_BY_BACKEND), 0.88) if compare else ""
    if meant:
        return f"is not read: {meant} is", None
    said = "is not read" if compare else f"is not read (only {MOST_COMPARED} such names are compared with what is read)"
    return said, None if own else Severity.INFORMATION


@functools.lru_cache(maxsize=1024)
def _near(name: str, known: tuple[str, ...], cutoff: float) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return close[0] if close else ""


@rule(
    "endpoint-nonsense",
    Severity.ERROR,
    "An endpoint of the AWS client that is not a URL",
    reason="The AWS client in the backend reads AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 as addresses. A value such "
    'as "true" is not an address.',
    basis="the AWS client in the server",
    parameter="s3.endpoint",
    change="remove the variable, and give the endpoint in S3_ENDPOINT_URL",
)
def endpoint_nonsense(view: View) -> Iterator[Hit]:
    """Endpoints of the AWS client without a scheme."""
    for backend in view.behaviour.backends:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            reading = backend.environment.read(name)
            if reading.text and not re.match(r"https?://", reading.text):
                yield hit_variable(backend, reading, f"{name} {reading.said}, which is not a URL")
