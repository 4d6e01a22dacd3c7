"""Checks of the Job that pushes functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convex_k8s.problems import Path, Problem
from convex_k8s.secrecy import named_like_a_secret, secret_in
from convex_k8s.values.secrets import ADMIN_KEY

if TYPE_CHECKING:
    from convex_k8s.values import Values

OWN_VARIABLES = ("CONVEX_SELF_HOSTED_URL", ADMIN_KEY)


def _environment(values: Values) -> Iterator[Problem]:
    for name, value in values.functions.env.items():
        path: Path = ("functions", "env", name)
        if name in OWN_VARIABLES:
            yield Problem(path, "is set by the Job itself: leave it out")
        elif name == "CONVEX_DEPLOYMENT":
            yield Problem(path, "would turn the CLI to Convex's cloud: leave it out")
        elif secret_in(value) or (value and named_like_a_secret(name)):
            yield Problem(path, "looks like a secret, and an overlay must not hold one: set it with `npx convex env`")


def _command(values: Values) -> Iterator[Problem]:
    if values.functions.image and not values.functions.command:
        yield Problem(("functions", "command"), "is empty: leave it out for `npx convex deploy`, or name a program")


ERRORS = (_environment, _command)
