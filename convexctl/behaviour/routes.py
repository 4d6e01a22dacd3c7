"""Routes: which request ends at which container port."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from convexctl.behaviour.source import Source


@dataclass(frozen=True)
class Target:
    """The container port that a route ends at."""

    kind: str
    namespace: str
    name: str
    container: str
    port: int
    role: str
    """`api`, `http actions`, `dashboard`, or empty for a port where nothing of Convex listens."""
    convex: bool = True
    """Whether the container runs Convex. What another one does with a request cannot be known."""


@dataclass(frozen=True)
class Rewrite:
    """What the edge makes of the path of a request before it hands it on."""

    how: Literal["prefix", "whole", "expression", "replace", "strip", "unknown"]
    """What the edge does. Where it is `unknown`, the path that arrives cannot be known.

    `prefix`: the rule's own path becomes `value`; `whole`: the path becomes `value`; `expression`: the same, with the
    groups of the rule's path; `replace`: what the one pattern matches becomes `value`; `strip`: what the first of
    `patterns` that fits matches at the beginning goes.
    """
    value: str = ""
    patterns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.value or " ".join((self.how, *self.patterns))

    def of(self, rule: str, path: str) -> str | None:
        """What becomes of `path` under a rule for the path `rule`; None if that cannot be known."""
        try:
            changed = self._changed(rule, path)
        except (re.error, OverflowError, IndexError, RecursionError):
            return None
        return changed if changed is None else f"/{changed.lstrip('/')}"

    def _changed(self, rule: str, path: str) -> str | None:
        if self.how == "whole":
            return self.value
        if self.how == "prefix":
            rest = path[len(rule.rstrip("/")) :].lstrip("/")
            return f"{self.value.rstrip('/')}/{rest}" if rest else self.value
        if any(risky(pattern) for pattern in self.patterns) or (self.how == "expression" and risky(rule)):
            return None
        if self.how == "expression":
            match = re.match(rule, path)
            return None if match is None else _with_groups(self.value, match)
        if self.how == "replace":
            match = re.search(self.patterns[0], path)
            return (
                path if match is None else path[: match.start()] + _with_groups(self.value, match) + path[match.end() :]
            )
        if self.how == "strip":
            found = next((match for pattern in self.patterns if (match := re.match(pattern, path))), None)
            return path[found.end() :] if found else path
        return None


_LONGEST_EXPRESSION = 512
_MOST_REPEATS = 4
_REPEATS = re.compile(r"[*+{]")
_NESTED = re.compile(r"[*+}?]\)*[*+{]|\|[^()]*\)[*+{]|\(\?[=!<]|\\[0-9]")


def risky(expression: str) -> bool:
    """Whether an expression may take for ever, or is too long: then it counts as one that cannot be known."""
    return (
        len(expression) > _LONGEST_EXPRESSION
        or len(_REPEATS.findall(expression)) > _MOST_REPEATS
        or _NESTED.search(expression) is not None
    )


def _with_groups(template: str, match: re.Match[str]) -> str:
    """A template with `$1` for the first group of a match; a group that is not there is empty."""
    groups = (match[0], *(group or "" for group in match.groups()))
    return re.sub(r"\$\{?([0-9])\}?", lambda found: (*groups, *[""] * 10)[int(found[1])], template)


@dataclass(frozen=True)
class Route:
    """A rule of the edge: requests for `host` and `path` go to a Service's port, and end at `target`.

    `host` is empty if the rule takes every host. `rewrite` is None if the path stays as it is. `target` is None
    with the reason in `problem` where no pod in sight is reached.
    """

    host: str
    path: str
    path_type: str
    """`Exact`, `Prefix`, `ImplementationSpecific` or `RegularExpression`."""
    service: str
    service_port: str
    target: Target | None
    problem: str
    tls: bool
    """Whether the rule's own object or Gateway ends TLS for the host."""
    rewrite: Rewrite | None
    source: Source
    tls_known: bool = True
    """Whether `tls` tells it all: not so where the edge may have a certificate of its own for the host."""
    ports: tuple[int, ...] | None = (80, 443)
    """The ports that a client asks; None if that cannot be known."""
    tailnet: bool = False
    """Whether only a tailnet is let in."""
    by_label: bool = False
    """Whether `host` is a label before the name of a tailnet."""
    priority: int | None = None
    """The order among rules of Traefik's; None for other edges."""
    excludes: tuple[str, ...] = ()
    """Prefixes of paths that the rule leaves out."""
    filters: tuple[str, ...] = ()
    """What is put in front of the Service: a login, an allow-list, a CORS filter."""

    @property
    def role(self) -> str:
        """What answers in the end; empty if nothing of Convex does."""
        return self.target.role if self.target else ""

    def serves(self, host: str) -> bool:
        """Whether the rule takes requests for a host. A wildcard matches one label."""
        if self.by_label and self.host:
            label, _, rest = host.lower().partition(".")
            return label == self.host.lower() and (not rest or rest.endswith("ts.net"))
        if self.host in ("", "*"):
            return True
        if self.host.startswith("*."):
            return host.partition(".")[2].lower() == self.host[2:].lower() and "." in host
        return self.host.lower() == host.lower()

    def arrives(self, path: str) -> str | None:
        """The path that the target is asked for, for a request for `path`; None if that cannot be known."""
        return path if self.rewrite is None else self.rewrite.of(self.path, path)

    def takes(self, path: str) -> bool:
        """Whether the rule's path matches a request's path."""
        if any(path.startswith(prefix) for prefix in self.excludes):
            return False
        if self.path_type == "Exact":
            return path == self.path
        if self.path_type == "RegularExpression" or re.search(r"[(*?\\^$]", self.path):
            if risky(self.path):
                return False
            try:
                return re.match(self.path, path) is not None
            except (re.error, OverflowError, RecursionError):
                return False
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")


@dataclass(frozen=True)
class UnreadEdge:
    """What may lead requests to Convex and is not read: the object or field, and what of it is not read."""

    source: Source
    what: str


def precedence(route: Route) -> tuple[int, bool, int]:
    """The order of rules that take one request: an exact host first, then an exact path, then the longest."""
    host = 0 if route.host in ("", "*") else 1 if route.host.startswith("*.") else 2
    return host, route.path_type == "Exact", len(route.path)
