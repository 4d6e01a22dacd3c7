"""The rules by which an IngressRoute of Traefik's matches requests: ``Host(`a`) && PathPrefix(`/x`)``."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

LONGEST = 4096
DEEPEST = 16
MOST = 64
"""Letters, nested brackets and alternatives of a rule that are read."""
_TOKEN = re.compile(
    r"\s*(?:(?P<operator>&&|\|\||!|\(|\))|(?P<name>[A-Za-z]+)\s*\((?P<arguments>[^()]*(?:\([^()]*\)[^()]*)*)\))"
)
_ARGUMENT = re.compile(r"`([^`]*)`|\"([^\"]*)\"")


class Matcher(NamedTuple):
    """One matcher of a rule: its name, its arguments, and whether `!` is before it."""

    name: str
    arguments: tuple[str, ...]
    negated: bool


def alternatives(rule: str) -> list[tuple[Matcher, ...]] | None:
    """A rule as alternatives, each a list of matchers that all hold; None if the rule cannot be read."""
    if len(rule) > LONGEST:
        return None
    tokens: list[Matcher | str] = []
    at = 0
    while at < len(rule.rstrip()):
        match = _TOKEN.match(rule, at)
        if match is None:
            return None
        at = match.end()
        if match["operator"]:
            tokens.append(match["operator"])
        else:
            found = tuple(one or other for one, other in _ARGUMENT.findall(match["arguments"]))
            tokens.append(Matcher(match["name"].lower(), found, False))
    parser = _Parser(tokens)
    try:
        result = parser.either(0, negated=False)
    except (ValueError, IndexError):
        return None
    return result if parser.at == len(tokens) and result else None


class _Parser:
    def __init__(self, tokens: list[Matcher | str]) -> None:
        self.tokens = tokens
        self.at = 0

    def either(self, depth: int, *, negated: bool) -> list[tuple[Matcher, ...]]:
        parts = [self.both(depth, negated=negated)]
        while self._next("||"):
            parts.append(self.both(depth, negated=negated))
        return _product(parts) if negated else _bounded(list(itertools.chain(*parts)))

    def both(self, depth: int, *, negated: bool) -> list[tuple[Matcher, ...]]:
        parts = [self.one(depth, negated=negated)]
        while self._next("&&"):
            parts.append(self.one(depth, negated=negated))
        return _bounded(list(itertools.chain(*parts))) if negated else _product(parts)

    def one(self, depth: int, *, negated: bool) -> list[tuple[Matcher, ...]]:
        if depth > DEEPEST:
            raise ValueError
        if self._next("!"):
            return self.one(depth + 1, negated=not negated)
        if self._next("("):
            inner = self.either(depth + 1, negated=negated)
            if not self._next(")"):
                raise ValueError
            return inner
        token = self.tokens[self.at]
        if isinstance(token, str):
            raise ValueError(token)
        self.at += 1
        return [(token._replace(negated=negated),)]

    def _next(self, operator: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == operator:
            self.at += 1
            return True
        return False


def _product(parts: list[list[tuple[Matcher, ...]]]) -> list[tuple[Matcher, ...]]:
    result: list[tuple[Matcher, ...]] = [()]
    for part in parts:
        result = _bounded([(*left, *right) for left in result for right in part])
    return result


def _bounded(found: list[tuple[Matcher, ...]]) -> list[tuple[Matcher, ...]]:
    if len(found) > MOST:
        raise ValueError
    return found
