"""What looks like a secret, so that it is refused where it does not belong and never shown in a message."""

from __future__ import annotations

import itertools
import re

_SECRET_TEXT = {
    "a URL with a password in it": re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^/\s:@]*:[^/\s]+@"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a Convex admin key": re.compile(r"[^|\s]\|[0-9a-fA-F]{40,}"),
    "an instance secret": re.compile(r"[0-9a-fA-F]{64}"),
    "an AWS access key": re.compile(r"(AKIA|ASIA)[A-Z0-9]{16}"),
    "a token": re.compile(
        r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # JWT
        r"|\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}"
        r"|[rs]k_(live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}|sk-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}"
        r"|AIza[A-Za-z0-9_-]{35}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"
    ),
}
_WITHIN = (
    re.compile(r"(?<![0-9a-fA-F])(?<!sha256:)[0-9a-fA-F]{64}(?![0-9a-fA-F])"),
    re.compile(
        r"(?i)--?[\w-]{0,40}(?:secret|password|passwd|token|credentials?|api-?key|access-?key|admin-?key)(?:=|\s+)[^\s$]"
    ),
    re.compile(r"(?i)\bauthorization\b[\"']?\s{0,4}[:=]\s{0,4}\S"),
    re.compile(r"(?i)\b(?:basic|bearer|convex)\s{1,4}[A-Za-z0-9+/=._~|-]{12,}"),
)
"""What a longer text (a command line, a script, a snippet of configuration) shows a secret by."""
_ASSIGNMENT = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]{2,60})=[^\s$;]")
_OPTION = re.compile(r"(?i)--?[\w-]{0,40}(?:secret|password|passwd|token|credentials?|api-?key|access-?key|admin-?key)")
_SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|PW|TOKEN|CREDENTIALS?|ACCESS_KEY_ID|APIKEY|KEY)$"
)
_PUBLIC_KEY = re.compile(r"(^|_)(PUBLIC|PUBLISHABLE)_")
NOT_SHOWN = "(not shown: it looks like a secret)"
"""Stands in messages for a value that `secret_in` or `named_like_a_secret` takes for one."""
_LONGEST_SHOWN = 60


def secret_in(text: str) -> str | None:
    """What kind of secret `text` looks like ("a URL with a password in it"), or None."""
    for kind, pattern in _SECRET_TEXT.items():
        if pattern.fullmatch(text) if kind == "an instance secret" else pattern.search(text):
            return kind
    return None


def shows_a_secret(text: str) -> bool:
    """Whether a text that others wrote, of any length, may hold a secret: then it is shown nowhere."""
    if secret_in(text) or any(pattern.search(text) for pattern in _WITHIN):
        return True
    return any(named_like_a_secret(match[1]) for match in _ASSIGNMENT.finditer(text))


def asks_for_a_secret(option: str) -> bool:
    """Whether an option of a command line (`--instance-secret`) is followed by a secret."""
    return bool(_OPTION.fullmatch(option))


def random_looking(text: str) -> bool:
    """Whether a name looks like a credential: a long piece that changes its kind all the time and has few words."""
    return any(map(_random, re.findall(r"[A-Za-z0-9]{16,}", text)))


def _random(run: str) -> bool:
    if sum(_kind(one) != _kind(other) for one, other in itertools.pairwise(run)) < _CHANGES * len(run):
        return False
    words = sum(map(len, _WORDS.findall(run))) / len(run)
    if len(run) >= _LONG:
        return run.islower() or words < _IN_WORDS
    return words < _IN_WORDS_OF_SHORT and len({*map(_kind, run)}) == len(("digit", "upper", "lower"))


def _kind(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.isupper() else 2


_CHANGES = 0.3
"""Of a random text of letters and digits some 60 % of the characters are of another kind than the one before; of a
name in camel case at most a quarter, or a little more with short words."""
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}")
_LONG = 20
_IN_WORDS = 0.7
"""Part of the letters that are in words. 97 % of random texts of 20 characters have fewer."""
_IN_WORDS_OF_SHORT = 0.4
"""The same from 16 characters on, where names in short words come nearer to chance."""


def named_like_a_secret(variable: str) -> bool:
    """Whether an environment variable's name says that its value is a secret (`STRIPE_API_KEY`, `DB_PASSWORD`)."""
    name = variable.upper()
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_KEY.search(name)


def shown(value: object) -> str:
    """`, not 'value'` for a message; nothing if the value is long, no plain scalar or could be a secret."""
    if not isinstance(value, str | int | float):
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > _LONGEST_SHOWN or "\n" in text or secret_in(text) or re.search(r"[A-Za-z0-9+/_-]{24,}", text):
        return ""
    return f", not {value!r}" if isinstance(value, str) else f", not {text}"
