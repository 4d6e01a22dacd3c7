"""The Secrets that an environment's manifests refer to: planned from the manifests, then filled with values.

A value is given by the user, kept as it is in the cluster (or sealed), generated, or asked for. An instance secret that
exists anywhere in sight is never replaced unless that is what the user wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from convex_k8s.values import Values
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl import regular_files
from convexctl.errors import UserError
from convexctl.secrets.accepted import (
    generate_instance_secret,
    instance_secret_problems,
)
from convexctl.secrets.admin_key import AdminKeyError, make_admin_key, open_admin_key
from convexctl.secrets.instance import NAME, SECRET, Instance
from convexctl.secrets.needed import (
    FILES,
    PULL_CONFIG,
    VARIABLES,
)
from convexctl.secrets.plan import Entry, Plan, variable_names
from convexctl.secrets.value_problems import value_problems
from convexctl.tools.kubectl import ClusterSecret

Ask = Callable[[Entry, list[str]], str]
"""Asks the user for the value of an entry; the texts are what was wrong with the answer before."""


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
    """The first one that has a name counts."""
    cluster: Mapping[str, ClusterSecret] = field(default_factory=dict)
    sealed: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """Keys that are sealed already, by Secret: their values are out of reach, and stay unless they are given anew."""
    instance: Callable[[], Instance] = no_instance
    """The instance, with its secret found elsewhere: in the running pod, or in a Secret that is not in the plan. Raises
    `UserError`, with the reason, where none is found."""


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


def fill(plan: Plan, known: Known, *, ask: Ask | None = None, rotate: bool = False) -> Filled:
    """Give every entry of the plan its value: what was given, else what is there, else what is generated or asked for.

    Without `ask`, what would have to be asked for is missing. Raises `UserError`, with all that is missing or wrong and
    without a value, when something is.
    """
    return _Filler(plan, known, rotate=rotate).run(ask)


class _Filler:
    """One run of `fill`."""

    def __init__(self, plan: Plan, known: Known, *, rotate: bool) -> None:
        self._plan = plan
        self._known = known
        self._rotate = rotate
        self._filled = Filled(types={name: secret.type for name, secret in known.cluster.items()})
        self._faults: list[str] = []

    def run(self, ask: Ask | None) -> Filled:
        secret = self._entry_of(SECRET)
        admin_keys = [entry for entry in self._plan.entries if entry.variable == ADMIN_KEY]
        if self._rotate and secret is None:
            raise UserError(_no_rotation(self._plan.values))
        unknown = [
            entry for entry in self._plan.entries if entry not in (secret, *admin_keys) and not self._is_known(entry)
        ]
        if ask is None:
            for entry in unknown:
                self._miss(entry)
        if secret:
            self._instance_secret(secret)
        if self._faults:
            raise UserError(_failure(self._faults))
        if ask is not None:
            for entry in unknown:
                self._take_answer(entry, ask)
        for admin_key in admin_keys:
            self._admin_key(admin_key)
        self._others()
        return self._in_order()

    def _in_order(self) -> Filled:
        filled = self._filled
        order = [*self._plan.entries, *(entry for entry in filled.origins if not entry.variable)]
        filled.origins = {entry: filled.origins[entry] for entry in order}
        filled.values = {entry: filled.values[entry] for entry in order if entry in filled.values}
        return filled

    def _is_known(self, entry: Entry) -> bool:
        given, current = self._given(entry), self._current(entry)
        if entry.variable == NAME and self._plan.values.instance_name:
            self._set(entry, self._plan.values.instance_name.encode(), "as the overlay says")
        elif given:
            name, source = given
            self._take_given(entry, source.values[name], f"{name}, from {source.origin}", current)
        elif self._is_sealed(entry):
            self._keep_sealed(entry)
        elif current is not None:
            problems = value_problems(entry.variable, current, self._plan.values.engine)
            self._fault(f"{entry} in the cluster", problems, f"give {entry.variable}")
            self._set(entry, current, _KEPT)
        else:
            return False
        return True

    def _miss(self, entry: Entry) -> None:
        if entry.optional:
            self._leave_out(entry, f"left out: {entry.variable} is not given{_without(entry.variable)}")
        else:
            meaning = VARIABLES[entry.variable].question if entry.variable in VARIABLES else "a value"
            self._faults.append(f"{entry.variable} is missing ({meaning}), for {entry}")

    def _take_given(self, entry: Entry, text: str, origin: str, current: bytes | None) -> None:
        value, problems = _read(entry.variable, text)
        if not problems:
            problems = value_problems(entry.variable, value, self._plan.values.engine)
        if not problems and entry.variable == NAME and current not in (None, value):
            problems = [
                f"it would rename the instance, which is named {_text(current)} in the cluster: the renamed one would "
                "start with another, empty database, and every admin key would die"
            ]
        self._fault(origin, problems)
        self._set(entry, value, origin)

    def _take_answer(self, entry: Entry, ask: Ask) -> None:
        problems: list[str] = []
        while True:
            answer = ask(entry, problems)
            if not answer and entry.optional:
                return self._leave_out(entry, f"left out{_without(entry.variable)}")
            value, problems = _read(entry.variable, answer)
            problems = problems or value_problems(entry.variable, value, self._plan.values.engine)
            if not problems:
                return self._set(entry, value, "asked for")

    def _instance_secret(self, entry: Entry) -> None:
        given, current = self._given(entry), self._current(entry)
        text = given[1].values[given[0]] if given else ""
        origin = f"{given[0]}, from {given[1].origin}" if given else ""
        warnings = self._filled.warnings
        if given:
            self._fault(origin, instance_secret_problems(text))
        if self._rotate:
            if given and _bytes(text) == current:
                self._fault(origin, ["it is the instance secret that is there: leave it out to get a new one"])
            self._set(entry, _bytes(text or generate_instance_secret()), origin or "new")
            warnings.append(_ROTATED)
        elif current is not None:
            self._fault(
                f"{entry} in the cluster",
                value_problems(SECRET, current, None),
                "the backend would not start with it; --rotate makes a new one",
            )
            if given and _bytes(text) != current:
                warnings.append(f"{origin}, is another one than the cluster's, which stays: --rotate replaces it")
            if self._is_sealed(entry):
                self._keep_sealed(entry)
            else:
                self._set(entry, current, _KEPT)
        elif given:
            self._set(entry, _bytes(text), origin)
        elif self._is_sealed(entry):
            self._keep_sealed(entry)
        else:
            self._found_or_generated(entry)

    def _found_or_generated(self, entry: Entry) -> None:
        try:
            instance = self._known.instance()
        except UserError as error:
            self._set(entry, generate_instance_secret().encode(), "NEW, generated")
            self._filled.warnings.append(
                f"{entry} is a NEW instance secret: {error}. Every admin key hangs on it: if this environment has an "
                f"instance secret already, do not apply this, and give that one as {SECRET}"
            )
        else:
            self._set(entry, instance.secret.encode(), f"as {instance.origin} has it")

    def _admin_key(self, entry: Entry) -> None:
        try:
            name, secret = self._instance()
        except UserError as error:
            if self._is_sealed(entry):
                self._keep_sealed(entry)
            else:
                self._leave_out(entry, f"left out: {error}")
            return
        current = self._current(entry)
        belongs = current is not None and _belongs(_text(current), name, secret)
        changed = any(self._entry_of(variable) in self._filled.values for variable in (NAME, SECRET))
        if self._is_sealed(entry) and (belongs or not changed):
            self._keep_sealed(entry)
        elif belongs and current is not None:
            self._set(entry, current, _KEPT)
        else:
            self._set(entry, make_admin_key(name, secret).encode(), "new, made from the instance secret")

    def _instance(self) -> tuple[str, str]:
        """Name and secret of the instance. Raises `UserError`, with the reason, where they are out of reach."""
        secret_entry, name_entry = self._entry_of(SECRET), self._entry_of(NAME)
        if secret_entry is None:
            instance = self._known.instance()
            return instance.name, instance.secret
        secret = self._filled.values.get(secret_entry) or self._current(secret_entry)
        name = self._plan.values.instance_name.encode() or None
        if name is None and name_entry:
            name = self._filled.values.get(name_entry) or self._current(name_entry)
        if not secret or not name:
            raise UserError("the instance's name or secret is sealed, and the cluster does not have it yet")
        return _text(name), _text(secret)

    def _others(self) -> None:
        """Keep the other keys of a Secret that is there: whoever put them there needs them."""
        known = {(entry.secret, entry.key) for entry in self._plan.entries}
        for name in self._filled.secrets():
            if name not in self._known.cluster:
                continue
            for key, value in self._known.cluster[name].data.items():
                entry = Entry(name, key, "", optional=True)
                if (name, key) in known:
                    continue
                if self._is_sealed(entry):
                    self._keep_sealed(entry)
                else:
                    self._set(entry, value, "kept: the cluster's Secret has it, and this environment does not use it")

    def _entry_of(self, variable: str) -> Entry | None:
        return next((entry for entry in self._plan.entries if entry.variable == variable), None)

    def _given(self, entry: Entry) -> tuple[str, Source] | None:
        for source in self._known.sources:
            for name in variable_names(self._plan, entry):
                if name in source.values:
                    return name, source
        return None

    def _current(self, entry: Entry) -> bytes | None:
        secret = self._known.cluster.get(entry.secret)
        return secret.data.get(entry.key) if secret else None

    def _is_sealed(self, entry: Entry) -> bool:
        return entry.key in self._known.sealed.get(entry.secret, ())

    def _set(self, entry: Entry, value: bytes, origin: str) -> None:
        self._filled.values[entry] = value
        self._filled.origins[entry] = origin

    def _keep_sealed(self, entry: Entry) -> None:
        self._filled.sealed.add(entry)
        self._filled.origins[entry] = "stays sealed as it is"

    def _leave_out(self, entry: Entry, origin: str) -> None:
        self._filled.origins[entry] = origin

    def _fault(self, origin: str, problems: Iterable[str], cure: str = "") -> None:
        self._faults += [f"{origin}: {problem}{f'; {cure}' if cure else ''}" for problem in problems]


def _failure(faults: list[str]) -> str:
    count = f"{len(faults)} {'value is' if len(faults) == 1 else 'values are'} missing or wrong; nothing was written"
    cure = "Values come from the environment, from --from-env-file FILE or, on a terminal, from prompts"
    return "\n".join([*faults, f"{count}. {cure}"])


_KEPT = "kept as it is in the cluster"


_ROTATED = (
    "ROTATED: with the new instance secret every admin key and deploy key, upload URL and session that was made with "
    "the old one stops working. The data stays. A backend that runs goes on with the old one until it is restarted"
)


def _no_rotation(values: Values) -> str:
    if values.secrets.provider in ("bootstrap", "external-secrets") and values.instance_secret_name:
        return (
            f"the instance secret is not made here (secrets.provider is {values.secrets.provider}): rotate it where it "
            "is made, or ask for it with --all"
        )
    return "the instance secret is on the backend's volume, not in a Secret: set instance.existingSecret to rotate it"


def _without(variable: str) -> str:
    return {
        "S3_ENDPOINT_URL": ", so files go to Amazon S3",
        PULL_CONFIG: "; a private registry needs it",
    }.get(variable, "")


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _bytes(text: str) -> bytes:
    """The bytes of a value; of one from the environment that is no text, those that stand there."""
    return text.encode(errors="surrogateescape")


def _belongs(key: str, name: str, secret: str) -> bool:
    try:
        open_admin_key(key, name, secret)
    except AdminKeyError:
        return False
    return True


def _read(variable: str, text: str) -> tuple[bytes, list[str]]:
    if variable not in FILES:
        return _bytes(text), []
    try:
        return regular_files.read_bytes(Path(text).expanduser()), []
    except (OSError, ValueError, RuntimeError) as error:
        return b"", [f"the file cannot be read: {getattr(error, 'strerror', None) or 'no such path'}"]
