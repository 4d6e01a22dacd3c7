"""Where the value of a key may come from: for each kind of key, its sources in the order in which they are tried."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from convexctl import regular_files
from convexctl.errors import UserError
from convexctl.secrets.instance import NAME, SECRET, Instance
from convexctl.secrets.needed import FILES
from convexctl.secrets.plan import Entry, Plan, variable_names
from convexctl.secrets.value_problems import value_problems
from convexctl.secrets.value_rules import generate_instance_secret, instance_secret_problems
from convexctl.tools.kubectl import ClusterSecret


@dataclass(frozen=True)
class Source:
    """Values that the user gave, by name, and where."""

    origin: str
    values: Mapping[str, str] = field(repr=False)


def no_instance() -> Instance:
    """The instance where nobody can be asked for one. Raises `UserError` always."""
    raise UserError("nobody was asked")


@dataclass(frozen=True)
class Known:
    """What is there before anything is asked for."""

    sources: Sequence[Source] = ()
    """The first source that has a name counts."""
    cluster: Mapping[str, ClusterSecret] = field(default_factory=dict)
    sealed: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """Keys that are sealed already, by Secret. Their values cannot be read, and stay unless they are given again."""
    instance: Callable[[], Instance] = no_instance
    """The instance, with its secret found elsewhere: in the running pod, or in a Secret that is not in the plan. Raises
    `UserError`, with the reason, where none is found."""
    out_of_reach: Callable[[], str] = str
    """Why the cluster may have an instance secret that cannot be read; empty if nothing points to one."""

    def current(self, entry: Entry) -> bytes | None:
        """The value that an entry has in the cluster."""
        secret = self.cluster.get(entry.secret)
        return secret.data.get(entry.key) if secret else None

    def is_sealed(self, entry: Entry) -> bool:
        """Whether an entry is sealed already."""
        return entry.key in self.sealed.get(entry.secret, ())


@dataclass(frozen=True)
class Question:
    """One entry that needs a value, and everything that is known."""

    entry: Entry
    plan: Plan
    known: Known
    rotate: bool = False

    @property
    def current(self) -> bytes | None:
        """The value in the cluster."""
        return self.known.current(self.entry)

    @property
    def given(self) -> tuple[str, str] | None:
        """The value that the user gave, as text, and its origin in words."""
        for source in self.known.sources:
            for name in variable_names(self.plan, self.entry):
                if name in source.values:
                    return source.values[name], f"{name}, from {source.origin}"
        return None

    def problems(self, value: bytes) -> list[str]:
        """What is wrong with a value of this entry."""
        return value_problems(self.entry.variable, value, self.plan.values.engine)


@dataclass(frozen=True)
class Answer:
    """A source's answer for an entry. Without a value the entry stays sealed, or is left out."""

    origin: str
    value: bytes | None = field(default=None, repr=False)
    sealed: bool = False
    faults: Sequence[str] = ()
    warning: str = ""


SEALED = Answer("stays sealed as it is", sealed=True)
KEPT = "kept as it is in the cluster"


def first(sources: Sequence[Callable[[Question], Answer | None]], question: Question) -> Answer | None:
    """The answer of the first source that has one."""
    return next((answer for source in sources if (answer := source(question))), None)


def _overlay(question: Question) -> Answer | None:
    name = question.plan.values.instance_name
    return Answer("as the overlay says", name.encode()) if question.entry.variable == NAME and name else None


def _given(question: Question) -> Answer | None:
    if question.given is None:
        return None
    text, origin = question.given
    value, problems = read(question.entry.variable, text)
    problems = problems or question.problems(value)
    if not problems and question.entry.variable == NAME and question.current not in (None, value):
        problems = [
            f"it would rename the instance, which is named {as_text(question.current)} in the cluster: the renamed one "
            "would start with another, empty database, and every admin key would die"
        ]
    return Answer(origin, value, faults=_faults(origin, problems))


def _sealed(question: Question) -> Answer | None:
    return SEALED if question.known.is_sealed(question.entry) else None


def _cluster(question: Question) -> Answer | None:
    entry, current = question.entry, question.current
    if current is None:
        return None
    faults = _faults(f"{entry} in the cluster", question.problems(current), f"give {entry.variable}")
    return Answer(KEPT, current, faults=faults)


def _rotated(question: Question) -> Answer | None:
    if not question.rotate:
        return None
    text, origin = question.given or (generate_instance_secret(), "new")
    faults = list(_given_faults(question))
    if question.given and as_bytes(text) == question.current:
        faults += _faults(origin, ["it is the instance secret that is there: leave it out to get a new one"])
    return Answer(origin, as_bytes(text), faults=faults, warning=_ROTATED)


def _secret_in_cluster(question: Question) -> Answer | None:
    """The instance secret in the cluster, which no other value replaces unasked."""
    entry, current = question.entry, question.current
    if current is None:
        return None
    problems = value_problems(SECRET, current, None)
    remedy = "the backend would not start with it; --rotate makes a new one"
    faults = [*_given_faults(question), *_faults(f"{entry} in the cluster", problems, remedy)]
    warning = ""
    if question.given and as_bytes(question.given[0]) != current:
        warning = f"{question.given[1]}, is another one than the cluster's, which stays: --rotate replaces it"
    if question.known.is_sealed(entry):
        return Answer(SEALED.origin, sealed=True, faults=faults, warning=warning)
    return Answer(KEPT, current, faults=faults, warning=warning)


def _secret_given(question: Question) -> Answer | None:
    if question.given is None:
        return None
    text, origin = question.given
    faults = _given_faults(question)
    with contextlib.suppress(UserError):
        instance = question.known.instance()
        if not faults and instance.secret != text:
            warning = f"{origin}, is another one than that of {instance.origin}, which stays: --rotate replaces it"
            return Answer(f"as {instance.origin} has it", instance.secret.encode(), warning=warning)
    return Answer(origin, as_bytes(text), faults=faults)


VALUE = (_overlay, _given, _sealed, _cluster)
"""The sources of a value, before somebody is asked for it."""
INSTANCE_SECRET = (_rotated, _secret_in_cluster, _secret_given, _sealed)
"""The sources of the instance secret, before it is looked for elsewhere: see `found_or_new`."""


def found_or_new(question: Question) -> Answer:
    """The instance secret as the running pod has it, or a new one with a warning.

    It is a fault if the cluster may have one that cannot be read.
    """
    try:
        instance = question.known.instance()
    except UserError as error:
        if reason := question.known.out_of_reach():
            return Answer("out of reach", faults=[f"{question.entry}: {reason}. {_OUT_OF_REACH}"])
        warning = (
            f"{question.entry} is a NEW instance secret: {error}. Every admin key hangs on it: if this environment has "
            f"an instance secret already, do not apply this, and give that one as {SECRET}"
        )
        return Answer("NEW, generated", generate_instance_secret().encode(), warning=warning)
    return Answer(f"as {instance.origin} has it", instance.secret.encode())


def _given_faults(question: Question) -> list[str]:
    """What is wrong with a given instance secret."""
    return _faults(question.given[1], instance_secret_problems(question.given[0])) if question.given else []


def _faults(origin: str, problems: Sequence[str], remedy: str = "") -> list[str]:
    return [f"{origin}: {problem}{f'; {remedy}' if remedy else ''}" for problem in problems]


_OUT_OF_REACH = (
    f"With another one every admin key dies: give that one as {SECRET}, or let the backend start and run this again. "
    "If the volume is new, or the old secret is lost, --rotate makes one"
)
_ROTATED = (
    "ROTATED: with the new instance secret every admin key and deploy key, upload URL and session that was made with "
    "the old one stops working. The data stays. A backend that runs goes on with the old one until it is restarted"
)


def read(variable: str, text: str) -> tuple[bytes, list[str]]:
    """The value that a text gives, which for some variables is the name of a file; and what is wrong with it."""
    if variable not in FILES:
        return as_bytes(text), []
    try:
        return regular_files.read_bytes(Path(text).expanduser()), []
    except (OSError, ValueError, RuntimeError) as error:
        return b"", [f"the file cannot be read: {getattr(error, 'strerror', None) or 'no such path'}"]


def as_text(value: bytes | None) -> str:
    """A value as text."""
    return (value or b"").decode(errors="replace")


def as_bytes(text: str) -> bytes:
    """The bytes of a value; of one from the environment that is not text, its own bytes."""
    return text.encode(errors="surrogateescape")
