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
_SECRET = "looks like a secret, and an overlay must not hold one: set it with `npx convex env`"
OF_THE_BACKEND = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL")


def _environment(values: Values) -> Iterator[Problem]:
    for name, value in values.functions.env.items():
        path: Path = ("functions", "env", name)
        if name in OWN_VARIABLES:
            yield Problem(path, "is set by the Job itself: leave it out")
        elif name == "CONVEX_DEPLOYMENT":
            yield Problem(path, "would turn the CLI to Convex's cloud: leave it out")
        elif _secret(name, value):
            yield Problem(path, _SECRET)


def _variables(values: Values) -> Iterator[Problem]:
    for name, value in values.functions.variables.items():
        path: Path = ("functions", "variables", name)
        if name in OF_THE_BACKEND:
            yield Problem(path, "is made by the backend from its origins: leave it out")
        elif _secret(name, value):
            yield Problem(path, _SECRET)


def _secret(name: str, value: str) -> bool:
    return bool(secret_in(value) or (value and named_like_a_secret(name)))


def _command(values: Values) -> Iterator[Problem]:
    if values.functions.image and not values.functions.command:
        yield Problem(("functions", "command"), "is empty: leave it out for `npx convex deploy`, or name a program")


ERRORS = (_environment, _variables, _command)
