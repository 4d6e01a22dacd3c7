"""The Secrets that an environment's manifests refer to: planned from the manifests, then filled with values.

A value is given by the user, kept as it is in the cluster (or sealed), generated, or asked for. An instance secret that
exists anywhere in sight is never replaced unless that is what the user wants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from convex_k8s.values import Values
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.errors import UserError
from convexctl.secrets.admin_key import AdminKeyError, make_admin_key, open_admin_key
from convexctl.secrets.instance import NAME, SECRET
from convexctl.secrets.needed import PULL_CONFIG, VARIABLES
from convexctl.secrets.plan import Entry, Plan
from convexctl.secrets.sources import (
    INSTANCE_SECRET,
    KEPT,
    SEALED,
    VALUE,
    Answer,
    Known,
    Question,
    as_text,
    first,
    found_or_new,
    read,
)

Ask = Callable[[Entry, list[str]], str]
"""Asks the user for the value of an entry; the texts are what was wrong with the answer before."""


@dataclass
class Filled:
    """A plan with its values."""

    values: dict[Entry, bytes] = field(default_factory=dict, repr=False)
    sealed: set[Entry] = field(default_factory=set)
    """Entries that stay sealed as they are."""
    origins: dict[Entry, str] = field(default_factory=dict)
    """What became of each entry, in words."""
    types: dict[str, str] = field(default_factory=dict)
    """The types that Secrets have in the cluster: a type cannot be changed."""
    warnings: list[str] = field(default_factory=list)

    def secrets(self) -> list[str]:
        """The names of the Secrets that there is something to write for."""
        return list(dict.fromkeys(entry.secret for entry in [*self.values, *self.sealed]))

    def take(self, entry: Entry, answer: Answer) -> None:
        """Put an answer in."""
        self.origins[entry] = answer.origin
        if answer.value is not None:
            self.values[entry] = answer.value
        if answer.sealed:
            self.sealed.add(entry)
        if answer.warning:
            self.warnings.append(answer.warning)


def fill(plan: Plan, known: Known, *, ask: Ask | None = None, rotate: bool = False) -> Filled:
    """Give every entry of the plan its value: the given value, else the current one, else a generated or asked one.

    Without `ask`, what would have to be asked for is missing. Raises `UserError`, with all that is missing or wrong and
    without a value, when something is.
    """
    secret = _entry_of(plan, SECRET)
    admin_keys = [entry for entry in plan.entries if entry.variable == ADMIN_KEY]
    if rotate and secret is None:
        raise UserError(_no_rotation(plan.values))
    filled = Filled(types={name: secret.type for name, secret in known.cluster.items()})
    ordinary = [entry for entry in plan.entries if entry not in (secret, *admin_keys)]
    found = {entry: first(VALUE, Question(entry, plan, known)) for entry in ordinary}
    unknown = [entry for entry, answer in found.items() if answer is None]
    answers = {entry: answer for entry, answer in found.items() if answer}
    if ask is None:
        answers |= {entry: _missing(entry) for entry in unknown}
    if secret:
        question = Question(secret, plan, known, rotate)
        answers[secret] = first(INSTANCE_SECRET, question) or found_or_new(question)
    for entry, answer in answers.items():
        filled.take(entry, answer)
    if faults := [fault for answer in answers.values() for fault in answer.faults]:
        raise UserError(_failure(faults))
    if ask is not None:
        for entry in unknown:
            filled.take(entry, _asked(Question(entry, plan, known), ask))
    for entry in admin_keys:
        filled.take(entry, _admin_key(Question(entry, plan, known), filled))
    for entry, answer in _others(plan, known, filled).items():
        filled.take(entry, answer)
    return _in_order(plan, filled)


def _in_order(plan: Plan, filled: Filled) -> Filled:
    order = [*plan.entries, *(entry for entry in filled.origins if not entry.variable)]
    filled.origins = {entry: filled.origins[entry] for entry in order}
    filled.values = {entry: filled.values[entry] for entry in order if entry in filled.values}
    return filled


def _missing(entry: Entry) -> Answer:
    if entry.optional:
        return Answer(f"left out: {entry.variable} is not given{_without(entry.variable)}")
    meaning = VARIABLES[entry.variable].question if entry.variable in VARIABLES else "a value"
    return Answer("missing", faults=[f"{entry.variable} is missing ({meaning}), for {entry}"])


def _asked(question: Question, ask: Ask) -> Answer:
    entry = question.entry
    problems: list[str] = []
    while True:
        text = ask(entry, problems)
        if not text and entry.optional:
            return Answer(f"left out{_without(entry.variable)}")
        value, problems = read(entry.variable, text)
        problems = problems or question.problems(value)
        if not problems:
            return Answer("asked for", value)


def _admin_key(question: Question, filled: Filled) -> Answer:
    """The admin key: it stays while it opens the instance, and is recreated otherwise."""
    current, is_sealed = question.current, question.known.is_sealed(question.entry)
    try:
        name, secret = _instance(question, filled)
    except UserError as error:
        return SEALED if is_sealed else Answer(f"left out: {error}")
    belongs = current is not None and _belongs(as_text(current), name, secret)
    changed = any(_entry_of(question.plan, variable) in filled.values for variable in (NAME, SECRET))
    if is_sealed and (belongs or not changed):
        return SEALED
    if belongs and current is not None:
        return Answer(KEPT, current)
    return Answer("new, made from the instance secret", make_admin_key(name, secret).encode())


def _instance(question: Question, filled: Filled) -> tuple[str, str]:
    """Name and secret of the instance. Raises `UserError`, with the reason, where they are out of reach."""
    plan, known = question.plan, question.known
    secret_entry, name_entry = _entry_of(plan, SECRET), _entry_of(plan, NAME)
    if secret_entry is None:
        instance = known.instance()
        return instance.name, instance.secret
    secret = filled.values.get(secret_entry) or known.current(secret_entry)
    name = plan.values.instance_name.encode() or None
    if name is None and name_entry:
        name = filled.values.get(name_entry) or known.current(name_entry)
    if not secret or not name:
        raise UserError("the instance's name or secret is sealed, and the cluster does not have it yet")
    return as_text(name), as_text(secret)


def _others(plan: Plan, known: Known, filled: Filled) -> dict[Entry, Answer]:
    """Keep the other keys of a Secret that is there: whoever put them there needs them."""
    planned = {(entry.secret, entry.key) for entry in plan.entries}
    kept = "kept: the cluster's Secret has it, and this environment does not use it"
    others = [
        (Entry(name, key, "", optional=True), value)
        for name in filled.secrets()
        if name in known.cluster
        for key, value in known.cluster[name].data.items()
        if (name, key) not in planned
    ]
    return {entry: SEALED if known.is_sealed(entry) else Answer(kept, value) for entry, value in others}


def _entry_of(plan: Plan, variable: str) -> Entry | None:
    return next((entry for entry in plan.entries if entry.variable == variable), None)


def _failure(faults: list[str]) -> str:
    count = f"{len(faults)} {'value is' if len(faults) == 1 else 'values are'} missing or wrong; nothing was written"
    cure = "Values come from the environment, from --from-env-file FILE or, on a terminal, from prompts"
    return "\n".join([*faults, f"{count}. {cure}"])


def _no_rotation(values: Values) -> str:
    if values.secrets.provider in ("bootstrap", "external-secrets") and values.instance_secret_name:
        return (
            f"the instance secret is not made here (secrets.provider is {values.secrets.provider}): rotate it where it "
            "is made, or ask for it with --include-made"
        )
    return "the instance secret is on the backend's volume, not in a Secret: set instance.existingSecret to rotate it"


def _without(variable: str) -> str:
    return {
        "S3_ENDPOINT_URL": ", so files go to Amazon S3",
        PULL_CONFIG: "; a private registry needs it",
    }.get(variable, "")


def _belongs(key: str, name: str, secret: str) -> bool:
    try:
        open_admin_key(key, name, secret)
    except AdminKeyError:
        return False
    return True
