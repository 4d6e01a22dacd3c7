"""The parts of a database URL that the kubelet puts together: it encodes nothing, so not every value fits."""

from __future__ import annotations

import re
from collections.abc import Callable

from convex_k8s.values import Values
from convex_k8s.values.database import URL_PARTS
from convex_k8s.values.secret_references import composed_url

_SAFE = r"[A-Za-z0-9._~!$&'()*+,;=-]"
_ENCODED = (
    "it has a character in it that a URL takes only percent-encoded, and the kubelet, which puts the URL together, "
    "encodes nothing: {remedy}"
)
_REMEDIES = {
    "CONVEX_DB_USERNAME": "take a user name of letters, digits, `-`, `.`, `_` and `~`",
    "CONVEX_DB_PASSWORD": "give the user a password of letters, digits, `-`, `.`, `_` and `~`",
}


def url_part_problems(variable: str, text: str) -> list[str]:
    """What is wrong with one part of a composed URL; nothing of it is shown."""
    if not text:
        return ["it is empty"]
    if text != text.strip():
        return ["it has white space around it, which would be part of the URL"]
    match variable:
        case "CONVEX_DB_HOST":
            if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]+\]", text):
                return [
                    "it must be a host name or an address alone: no scheme, no port, and an IPv6 address in brackets"
                ]
        case "CONVEX_DB_PORT":
            if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
                return ["it must be a number from 1 to 65535"]
        case "CONVEX_DB_USERNAME":
            if not re.fullmatch(f"{_SAFE}+", text):
                return [_ENCODED.format(remedy=_REMEDIES[variable])]
        case _:
            if not re.fullmatch(f"({_SAFE}|:)+", text):
                return [_ENCODED.format(remedy=_REMEDIES["CONVEX_DB_PASSWORD"])]
    return []


def variables_of(values: Values, variable: str) -> list[str]:
    """The variables that come from Secrets and make this one: itself, or the parts of a composed URL."""
    url = composed_url(values)
    if url is None or url[0] != variable:
        return [variable]
    return [name for name in URL_PARTS.values() if f"$({name})" in url[1]]


def put_together(values: Values, variable: str, given: Callable[[str], str | None]) -> str | None:
    """The value of a variable, which may be a composed URL; None if it, or a part of it, is not given."""
    url = composed_url(values)
    if url is None or url[0] != variable:
        return given(variable)
    parts = {name: given(name) for name in variables_of(values, variable)}
    if None in parts.values():
        return None
    return re.sub(r"\$\((\w+)\)", lambda match: str(parts[match[1]]), url[1])
