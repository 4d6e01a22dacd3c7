"""Name and secret of the instance."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, obstacles, rule
from convexctl.behaviour import Backend
from convexctl.behaviour.placeholders import PLACEHOLDER
from convexctl.project import PROGRAM


@rule(
    "instance-secret-unstable",
    Severity.ERROR,
    "An instance secret that does not stay",
    reason="Without INSTANCE_SECRET the entry point makes a secret and keeps it on /convex/data. If that does not "
    "last, every restart makes a new secret. The data stays, and all admin keys, upload tokens and cursors become "
    "void.",
    basis="entry point of the backend's image (`read_credentials.sh`)",
    parameter="instance.existingSecret (or the key INSTANCE_SECRET of postgres.existingSecret)",
    change="set INSTANCE_SECRET from a Secret, 64 hex digits from `openssl rand -hex 32`",
)
def instance_secret_unstable(view: View) -> Iterator[Hit]:
    """Backends whose next start may make another instance secret."""
    for backend in view.behaviour.backends:
        if backend.secret_stable.value is False:
            yield hit(backend, backend.secret_stable, backend.secret_stable.text.removeprefix("no: "))


@rule(
    "instance-secret-malformed",
    Severity.ERROR,
    "An instance secret of the wrong form",
    reason="The backend takes 64 hex digits (32 bytes) and nothing else: base64 and passwords stop the start.",
    basis="the server's instance secret",
    parameter=f"instance.existingSecret (`{PROGRAM} secrets` makes and checks it)",
    change="use `openssl rand -hex 32`",
)
def instance_secret_form(view: View) -> Iterator[Hit]:
    """Secrets in sight that are not 64 hex digits."""
    yield from obstacles(view, "instance secret")


@rule(
    "shared-instance-secret",
    Severity.ERROR,
    "Two backends with one instance secret",
    reason="An admin key is made from the instance secret. The instance name in front of it is only compared. If two "
    "backends have one secret, an admin key of staging opens production once somebody changes that name.",
    basis="the server's admin keys",
    parameter="instance.existingSecret: another Secret for each environment",
    change="give each backend a secret of its own, from `openssl rand -hex 32`",
)
def shared_instance_secret(view: View) -> Iterator[Hit]:
    """One Secret and key, or one value, for two backends."""
    owners: dict[tuple[str, ...], Backend] = {}
    for backend in view.behaviour.backends:
        reading = backend.environment.read("INSTANCE_SECRET")
        place = _PLACE_IN_A_STORE.fullmatch(reading.reference)
        if not reading.filled or (reading.text is None and not reading.reference.startswith("Secret/") and not place):
            continue
        namespace = "" if place else backend.namespace
        key = ("value", reading.text.lower()) if reading.text else ("key", namespace, reading.reference)
        other = owners.setdefault(key, backend)
        if (other.kind, other.namespace, other.name) != (backend.kind, backend.namespace, backend.name):
            shown = backend.instance_secret.text if reading.reference else "the same value"
            yield hit(backend, backend.instance_secret, f"{other} has the same instance secret ({shown})")


_PLACE_IN_A_STORE = re.compile(rf"{PLACEHOLDER}[^$]*[:#/][^$]*")
"""A placeholder that names one secret, wherever it is used."""


@rule(
    "instance-name-refused",
    Severity.ERROR,
    "An instance name that no admin key can carry",
    reason="An admin key reads <instance name>|<hex>: a name with : or | in it is refused.",
    basis="the server's admin keys",
    parameter="instance.name",
    change="use letters, digits, - and _ only",
)
def instance_name(view: View) -> Iterator[Hit]:
    """Names with a separator in them."""
    yield from obstacles(view, "instance name")
