"""Secrets in plain text in a manifest, for everybody to read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, rule
from convexctl.behaviour import Component, Source
from convexctl.behaviour.variables import START_SCRIPT


@rule(
    "literal-secret",
    Severity.ERROR,
    "A secret in plain text in a manifest",
    reason="Everybody who may read the object, the repository or the release's history reads what `env` or a "
    "ConfigMap contains.",
    basis="Kubernetes: ConfigMaps and pod specs are not protected as Secrets are",
    parameter="postgres.existingSecret, instance.existingSecret, s3.existingSecret",
    change="put the value into a Secret, refer to it with secretKeyRef, and replace the secret: it is known",
)
def literal_secret(view: View) -> Iterator[Hit]:
    """Values of secrets in plain text."""
    for component in view.behaviour.components:
        for variable in component.environment:
            in_script = variable.reference == START_SCRIPT and _is_secret("", _plain(variable.literal))
            if not variable.from_secret and not in_script and _is_secret(variable.name, _plain(variable.literal)):
                where = f" of {variable.reference.partition('[')[0]}" if variable.reference else ""
                yield Hit(component, variable.source, f"{variable.name}{where} holds a secret in plain text")
        for source, what in _secret_arguments(component):
            yield Hit(component, source, f"{what} holds a secret in plain text")


def _secret_arguments(component: Component) -> Iterator[tuple[Source, str]]:
    """Arguments of the pod that are secrets; `$(NAME)` in one comes from elsewhere."""
    previous = ""
    for source, argument in component.arguments:
        literal = _plain(argument)
        option, _, value = literal.partition("=")
        if previous == "--instance-secret" or option == "--instance-secret":
            if literal if previous == "--instance-secret" else value:
                yield source, "--instance-secret"
        elif _is_secret("", literal):
            yield source, "an argument"
        previous = argument


_REFERENCES = re.compile(r"\$\{[^}]{0,4096}\}|\$\([^)]{0,4096}\)|\$\w+|`[^`]{0,4096}`")

_VARIABLE = re.compile(r"\$\w+")


def _plain(text: str) -> str:
    """A text without what a shell or the kubelet puts in from elsewhere."""
    end = max(text.rfind(closing) for closing in ")}`") + 1
    return _REFERENCES.sub("", text[:end]) + _VARIABLE.sub("", text[end:])


_SECRET_NAMES = re.compile(
    r"(CONVEX_)?INSTANCE_SECRET|AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)|\w*ADMIN_KEY|\w*(PASSWORD|PASSWD|SECRET_KEY|TOKEN)|PGPASSWORD"
)


_NOT_SECRETS = re.compile(r"AWS_WEB_IDENTITY_TOKEN_FILE|\w*_FILE")


_URL_WITH_PASSWORD = re.compile(
    r"(?<![a-z0-9+.-])(?!https?://[^/?#@\s]{0,512}:[0-9]{1,5}[/?#])[a-z][a-z0-9+.-]{0,30}://[^:@/?#\s]{0,512}:"
    r"(?!@[a-z0-9_.-]{1,512}(:[0-9]+)?[/?])(?P<password>\S{0,2048})@",
    re.IGNORECASE,
)
"""The password goes up to the last `@`: it may hold any character that was not escaped."""


_PASSWORD_IN_QUERY = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://\S{0,2048}[?&](password|pwd)=[^&\s]", re.IGNORECASE
)


_ADMIN_KEY = re.compile(r"[\w-]\|01[0-9a-f]{40}")


def _is_secret(name: str, literal: str) -> bool:
    if not literal:
        return False
    # The expressions look far behind each scheme: not without the character that they end with.
    url = _URL_WITH_PASSWORD.search(literal) if "@" in literal else None
    if url:
        return bool(url["password"])
    if "=" in literal and _PASSWORD_IN_QUERY.search(literal):
        return True
    if _ADMIN_KEY.search(literal):
        return True
    return bool(_SECRET_NAMES.fullmatch(name)) and not _NOT_SECRETS.fullmatch(name)
