"""Texts that stand for a value: another tool fills them in before the manifests are applied, or at the pod's start."""

from __future__ import annotations

import re

from convexctl.behaviour.variables import UNSEEN

PLACEHOLDER = "the placeholder "
"""How the reference of a variable begins that is a placeholder as a whole."""
_WITHIN = re.compile(
    r"\$\{[A-Za-z_][^{}]{0,256}\}|<[A-Za-z][^<>]{0,256}>|\{\{[^{}]{0,256}\}\}|ENC\[AES256_GCM,[^\]]{0,65536}\]"
)
"""Flux and envsubst; Argo CD's Vault plugin and forms; templates; SOPS."""
_WHOLE = re.compile(
    r"\$[A-Z_][A-Z0-9_]{0,256}|(>>)?vault:\S{1,1024}|ref\+\w{1,64}://\S{1,1024}|(op|sm|berglas|awssm|gcpsm)://\S{1,1024}|"
    r"[\w.-]{1,256}@azurekeyvault|arn:aws[\w-]{0,32}:(secretsmanager|ssm):\S{1,1024}"
)
"""A shell's variable; Bank-Vaults; vals; 1Password, Google and AWS; akv2k8s; ARNs."""
_COMPARED = re.compile(r"CONVEX_(CLOUD|SITE)_ORIGIN|NEXT_PUBLIC_DEPLOYMENT_URL|INSTANCE_NAME|S3_STORAGE_\w+_BUCKET")
"""Compared with other texts of the manifests, where the same placeholder means the same."""
_LONGEST_SHOWN = 60


def placeholders(text: str) -> tuple[str, ...]:
    """The placeholders in a text, shortened to what may be shown."""
    if _WHOLE.fullmatch(text):
        return (_shown(text),)
    return tuple(dict.fromkeys(_shown(match[0]) for match in _WITHIN.finditer(text)))


def without(name: str, text: str) -> str:
    """The text of a variable with `UNSEEN` for its placeholders, where their text is not worth comparing."""
    if _WHOLE.fullmatch(text):
        return UNSEEN
    if _COMPARED.fullmatch(name) and not _WITHIN.match(text):
        return text
    return _WITHIN.sub(UNSEEN, text)


def _shown(text: str) -> str:
    if text.startswith("ENC["):
        return "ENC[…]"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
