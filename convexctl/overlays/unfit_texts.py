"""Texts of an overlay that must not be there, or that would not reach the cluster as they are."""

from __future__ import annotations

from collections.abc import Iterable

from convex_k8s.problems import Problem
from convex_k8s.secrecy import secret_in

from convexctl.located_yaml import Located, misread

_MISREAD = (
    "is a text that kubectl would read differently (a number like 0o17, odd control characters, "
    "or lines of nothing but spaces): change it"
)


def unfit_texts(node: Located, path: tuple[str | int, ...]) -> Iterable[Problem]:
    """Texts that look like a secret, or that would not reach the cluster as they are."""
    if isinstance(node.value, dict):
        for key, item in node.value.items():
            if misread(key):
                yield Problem((*path, key), _MISREAD)
            yield from unfit_texts(item, (*path, key))
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from unfit_texts(item, (*path, index))
    elif isinstance(node.value, str):
        if kind := secret_in(node.value):
            yield Problem(path, f"looks like {kind}, and an overlay must not hold one: put it into a Secret")
        elif misread(node.value):
            yield Problem(path, _MISREAD)
    elif node.written and path[-2:-1] == ("env",):
        read = str(node.value).lower() if isinstance(node.value, bool) else node.value
        yield Problem(path, f"{node.written} is read as {read}: write {read}, or put {node.written} in quotes")
