"""The variables of a container, as far as they can be seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from convexctl.behaviour.source import Source
from convexctl.wording import listed

UNSEEN = "\ufdd0"
"""Stands in an outline for a piece that cannot be seen: a character that no text has."""
_USER_INFO = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://).*@|^[^\s@:]*:.*@", re.DOTALL)
"""User and password of a URL, up to the last `@`: an unescaped `/` in a password hides where they end."""


_CREDENTIALS = re.compile(
    r"INSTANCE_SECRET|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|NEXT_PUBLIC_ADMIN_KEY|\w*(PASSWORD|TOKEN)"
)
"""What also a Secret holds that the pod starts without."""
_BESIDE_CREDENTIALS = re.compile(
    r"(POSTGRES|MYSQL|DATABASE)_URL|INSTANCE_NAME|AWS_REGION|S3_STORAGE_\w+_BUCKET|S3_ENDPOINT_URL|AWS_ENDPOINT_URL\w*|"
    r"AWS_S3_\w+|DO_NOT_REQUIRE_SSL|(PG|MYSQL)_CA_FILE|CONVEX_(CLOUD|SITE)_ORIGIN|NEXT_PUBLIC_DEPLOYMENT_URL"
)
"""What a Secret holds that the pod needs, because it was made from a whole file of settings."""
LONGEST = 131_072
"""Bytes of one variable that Linux hands to a process (MAX_ARG_STRLEN)."""
START_SCRIPT = "the start script"


@dataclass(frozen=True)
class Variable:
    """A variable that is set. Its value stays out of `repr`: it may be a secret."""

    name: str
    outline: str = field(repr=False)
    """The value, with `UNSEEN` for every piece that cannot be seen."""
    source: Source
    """The field that sets it: an `env` entry, or a key of a ConfigMap or Secret."""
    reference: str = ""
    """`Secret/name[KEY]` or `ConfigMap/name[KEY]`, where it comes from one; `field …` from the pod's own fields."""
    literal: str = field(default="", repr=False)
    """The text in a pod or ConfigMap: the value without the pieces that come from elsewhere."""
    display: str = field(default="", repr=False)
    """The value with `…` for every piece that is unseen or comes from a Secret."""
    unless: str = ""
    """What is out of sight and would leave it unset."""
    parts: tuple[str, ...] = ()
    """The Secret and ConfigMap keys that pieces of it come from, where `$(NAME)` puts it together."""
    left: tuple[str, ...] = ()
    """Each `$(NAME)` that stays as it is written, because nothing sets NAME before."""
    placeholders: tuple[str, ...] = ()
    """What a tool has to fill in before the manifests are applied."""

    @property
    def text(self) -> str | None:
        """The value, or None if it cannot be seen in full."""
        return None if UNSEEN in self.outline else self.outline

    @property
    def from_secret(self) -> bool:
        """Whether the whole value comes from a Secret."""
        return self.reference.startswith("Secret/")


@dataclass(frozen=True)
class Unseen:
    """An `envFrom` source whose keys cannot be seen."""

    reference: str
    """`Secret/name` or `ConfigMap/name`, or what starts the backend."""
    prefix: str
    position: int
    source: Source
    optional: bool = False

    def may_set(self, name: str) -> bool:
        """Whether one of its keys can become the variable, and plausibly does.

        A Secret holds credentials and what belongs to them, not tuning; one that the pod starts without holds no
        database's URL, because nobody leaves the choice of the database to chance.
        """
        if not name.startswith(self.prefix):
            return False
        if not self.reference.startswith("Secret/"):
            return True
        name = name.removeprefix(self.prefix)
        return bool(_CREDENTIALS.fullmatch(name) or (not self.optional and _BESIDE_CREDENTIALS.fullmatch(name)))


@dataclass(frozen=True)
class Fault:
    """What keeps the container from starting: the field, and what is wrong with it."""

    source: Source
    message: str


@dataclass(frozen=True)
class Reading:
    """A variable as far as it can be seen. Where it is not set, `source` is the container's list of variables."""

    name: str
    variable: Variable | None
    source: Source
    may_set: tuple[str, ...]
    """The `envFrom` sources out of sight that may set it, or set it otherwise."""

    @property
    def filled(self) -> bool:
        """Whether it is set and not empty, which is what the entry point asks for most."""
        return self.variable is not None and self.variable.outline != ""

    @property
    def empty(self) -> bool:
        """Whether it is set to nothing."""
        return self.variable is not None and self.variable.outline == ""

    @property
    def lacking(self) -> str:
        """How it has no value: `empty` or `not set`."""
        return "empty" if self.empty else "not set"

    @property
    def text(self) -> str | None:
        """The value, empty if it is not set, None if it cannot be seen in full."""
        return "" if self.variable is None else self.variable.text

    @property
    def reference(self) -> str:
        """The Secret or ConfigMap key that it comes from; empty for a value in the pod itself."""
        return self.variable.reference if self.variable else ""

    @property
    def hidden(self) -> bool:
        """Whether nothing of it may or can be shown: it is a Secret's, or out of sight."""
        return self.variable is not None and self.variable.display == "…"

    @property
    def shown(self) -> str:
        """What may be shown of it, which also tells two settings apart: its text, or where it comes from.

        What stands before the host of a URL may be a password, and is `…`.
        """
        if self.variable is None:
            return ""
        if self.hidden:
            return self.variable.reference
        # Searched no further than the last @, so that it never looks in vain for one after each scheme.
        text = self.variable.display
        end = text.rfind("@") + 1
        return _USER_INFO.sub(lambda match: f"{match['scheme'] or ''}…@", text[:end]) + text[end:]

    @property
    def said(self) -> str:
        """What may be said about the value after the variable's name: `is "true"`, or `has a value (not shown)`."""
        return "has a value (not shown)" if self.hidden else f'is "{self.shown}"'

    @property
    def unless(self) -> str:
        """What is out of sight and would make it otherwise."""
        return unless(self)


@dataclass(frozen=True)
class ContainerEnvironment:
    """All variables of a container, what may add to them unseen, and what is wrong with their sources."""

    source: Source
    variables: Mapping[str, Variable]
    unseen: tuple[Unseen, ...]
    faults: tuple[Fault, ...]
    used: frozenset[str] = frozenset()
    """The names that other variables, the container's commands, hooks or probes refer to."""
    reads_all: bool = False
    """Whether something that cannot be seen starts the backend, and may read any variable."""
    _positions: Mapping[str, int] = field(default_factory=dict, repr=False)

    def read(self, name: str) -> Reading:
        """A variable, with what could make it otherwise."""
        variable = self.variables.get(name)
        after = self._positions.get(name, -1)
        may_set = [source.reference for source in self.unseen if source.position > after and source.may_set(name)]
        source = variable.source if variable else self.source.at("env")
        return Reading(name, variable, source, tuple(dict.fromkeys(may_set)))

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables.values())


def unless(*readings: Reading) -> str:
    """What is out of sight and would make any of the readings otherwise, in one text; empty if nothing would."""
    conditions = [reading.variable.unless for reading in readings if reading.variable and reading.variable.unless]
    names = [reading.name for reading in readings if reading.may_set]
    if names:
        sources = dict.fromkeys(source for reading in readings for source in reading.may_set)
        conditions.append(f"{listed(list(sources))} sets {listed(names)}")
    return " or ".join(conditions)
