"""Checks that ask the cluster, one after the other, where each may rest on others before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from convexctl.errors import UserError
from convexctl.preflight.check import Check, Status, failed, skipped
from convexctl.tools.kubectl import KubectlError


@dataclass(frozen=True)
class Question:
    """A check to be made. `answer` may raise `KubectlError`, where the cluster does not say, or another `UserError`.

    Where one of the checks that it `rests_on` failed, it is not made.
    """

    name: str
    answer: Callable[[], Check]
    rests_on: tuple[str, ...] = ()


def answers(questions: Iterable[Question]) -> list[Check]:
    """Make the checks in order. What the cluster does not say (no right to ask, say) is skipped, with its words.

    Another error is a failed check, so that the others are made and shown.
    """
    made: dict[str, Check] = {}
    for question in questions:
        before = [made[name] for name in question.rests_on if name in made]
        failure = next((check for check in before if check.status is Status.FAILED), None)
        if failure:
            made[question.name] = skipped(question.name, f"rests on `{failure.name}`")
            continue
        try:
            made[question.name] = question.answer()
        except KubectlError as error:
            made[question.name] = skipped(question.name, f"unknown: {error}")
        except UserError as error:
            made[question.name] = failed(question.name, str(error), "see the other checks, then run it again")
    return list(made.values())
