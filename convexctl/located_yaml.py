"""YAML with places: every value knows the file and line that it came from.

PyYAML composes the nodes; what is added is the place of each, an error for a duplicate key, dates left as text, and a
bound on what aliases may blow up to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml
from convex_k8s.secrecy import secret_in

UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML raises for a value that its tag does not fit, such as `!!bool maybe` or `!!int ""`."""
MOST_NODES = 50_000
"""More values than any overlay has; a file whose aliases expand to more is refused."""
MOST_ALIASED = 50_000
"""More values than aliases expand to in any file that somebody wrote."""
DEEPEST = 100
"""More levels than any overlay has; libyaml itself would crash on some tens of thousands."""


@dataclass(frozen=True)
class Place:
    """A file and a line in it, counted from 1; 0 if the file has no lines."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Located:
    """A YAML value with its place: a scalar, a list of `Located`, or a dict of them by key."""

    value: Any
    place: Place
    written: str = field(default="", compare=False)
    """The scalar as it stands in the file, if it is a number or a boolean that is usually written differently."""

    def plain(self) -> Any:
        """The value without places, as any YAML library would load it."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def at_key(self, key: str) -> Any:
        """The plain value of a key of a map; None if the map lacks the key."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found.value if found is not None else None

    def has(self, path: tuple[str | int, ...]) -> bool:
        """Whether there is a value at `path`."""
        node = self
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[part]
            elif isinstance(node.value, list) and part in range(len(node.value)):
                node = node.value[part]  # type: ignore[index]
            else:
                return False
        return True

    def at(self, path: tuple[str | int, ...]) -> Place:
        """The place of the value at `path`, or of the innermost map or list on the way if there is none."""
        node = self
        for part in path:
            inside = isinstance(node.value, dict) and part in node.value
            if not inside and not (isinstance(node.value, list) and part in range(len(node.value))):
                break
            node = node.value[part]
        return node.place


class DocumentError(ValueError):
    """A file that cannot be read as YAML. `faults` are the places and what is wrong there, without the text itself."""

    def __init__(self, faults: list[tuple[Place, str]]) -> None:
        super().__init__("\n".join(f"{place}: {message}" for place, message in faults))
        self.faults = faults


_WITHOUT_BASE_60 = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0b[0-1_]+|0[0-7_]+|(0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?([0-9][0-9_]*)\.[0-9_]*([eE][-+][0-9]+)?$|[-+]?\.[0-9][0-9_]*([eE][-+][0-9]+)?$|"
        r"[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}
"""Numbers without YAML 1.1's base 60, which kubectl reads as text: `1:30`, `22:22`."""


class Budget:
    """How many values may still be read, all in all and by aliases: one for everything that a command reads."""

    def __init__(self, nodes: int = MOST_NODES, aliased: int = MOST_ALIASED) -> None:
        self.most_nodes = nodes
        self.most_aliased = aliased
        self.nodes = 0
        self.aliased = 0

    def spend(self, *, aliased: bool) -> str:
        """Count a value; returns what is wrong when there are too many."""
        self.nodes += 1
        self.aliased += aliased
        if self.nodes > self.most_nodes:
            return f"holds more than {self.most_nodes} values"
        return (
            f"has aliases that expand to more than {self.most_aliased} values"
            if self.aliased > self.most_aliased
            else ""
        )


class Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader; dates, `=` and `<<` as values stay text, as an image tag or a label may look like one."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [
            (tag, _WITHOUT_BASE_60.get(tag, pattern))
            for tag, pattern in resolvers
            if tag != "tag:yaml.org,2002:timestamp"
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _kind in ("value", "merge"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", Loader.construct_scalar)


class _QuotingDumper(yaml.SafeDumper):
    """Writes every text in quotes that another reader of YAML may take for something else (`n`, `1e3`)."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*([-./_][A-Za-z0-9]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_QuotingDumper.add_representer(str, _quoted)


def dump_all(documents: Iterable[Mapping[str, Any]]) -> str:
    """A YAML stream of the documents, with `---` between them, that every reader of YAML reads alike."""
    plain = [dict(document) for document in documents]
    text: str = yaml.dump_all(plain, Dumper=_QuotingDumper, sort_keys=False, width=2**20)
    return text


def misread(text: str) -> bool:
    """Whether cdk8s writes `text` in a way from which kubectl, whose YAML is another, reads something else."""
    return bool(
        re.fullmatch(r"[-+]?0([oO][0-7_]+|X[0-9A-Fa-f_]+|B[01_]+)", text)
        or re.search(r"[\x7f-\x9f\u2028\u2029\ufffe\uffff]", text)
        or ("\n" in text and re.match(r"\n*\t|[ \t\n]*[ \t][ \t\n]*$", text))
        or ("\n \n" in text and re.search(r"[\0-\x08\x0b-\x1f]|\n[ \t]+\Z", text))
    )


def load_all(text: str, file: str, budget: Budget | None = None) -> list[Located]:
    """The documents of a YAML text; `file` is the name that the places carry, `budget` the bound for all that is
    read.

    Raises `DocumentError` for text that does not parse or nests too deeply, for a duplicate or non-string key and for
    aliases that loop.
    """
    loader = Loader(text)
    try:
        check_depth(text, file)
        its_budget = budget or Budget()
        return [_Builder(loader, file, its_budget).build(node) for node in _nodes(loader)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1 if mark else 1)
        tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
        cure = ": indent with spaces, not with tabs" if tab else ""
        raise DocumentError([(place, f"is not valid YAML: {_without_quotation(error)}{cure}")]) from None
    except yaml.YAMLError as error:
        raise DocumentError([(Place(file, 1), f"is not valid YAML: {_first_line(error)}")]) from None
    finally:
        loader.dispose()


def check_depth(text: str | bytes, file: str) -> None:
    """Raise `DocumentError` for a YAML text on which the composer, which recurses, would crash the whole process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise DocumentError([(Place(file, line), "is nested too deeply")])


def _nodes(loader: Any) -> Iterator[yaml.Node]:
    while loader.check_node():
        yield loader.get_node()


def _without_quotation(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, with `here` for the quoted piece: it may hold a secret."""
    said = [part for part in (error.context, error.problem) if part]
    return ", ".join(said).splitlines()[0] if said else "it cannot be parsed"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "it cannot be parsed"


def _unusual(value: Any, text: str) -> str:
    """The text of a number or a boolean, such as `022` or `yes`, if the value has another text of its own."""
    if not isinstance(value, bool | int | float):
        return ""
    own = str(value).lower() if isinstance(value, bool) else str(value)
    return "" if text in (own, f"+{own}") else text


class _Builder:
    def __init__(self, loader: Any, file: str, budget: Budget) -> None:
        self._loader = loader
        self._file = file
        self._budget = budget
        self._seen: set[int] = set()
        self._faults: list[tuple[Place, str]] = []

    def build(self, node: yaml.Node) -> Located:
        located = self._located(node, ())
        if self._faults:
            raise DocumentError(self._faults)
        return located

    def _located(self, node: yaml.Node, above: tuple[int, ...]) -> Located:
        place = Place(self._file, node.start_mark.line + 1)
        again = id(node) in self._seen
        self._seen.add(id(node))
        if id(node) in above:
            raise DocumentError([(place, "has an alias that contains itself")])
        if problem := self._budget.spend(aliased=again):
            raise DocumentError([(place, problem)])
        if len(above) > DEEPEST:
            raise DocumentError([(place, "is nested too deeply")])
        inside = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return Located(self._mapping(node, inside), place)
        if isinstance(node, yaml.SequenceNode):
            return Located([self._located(item, inside) for item in node.value], place)
        try:
            value = self._loader.construct_object(node)
            if isinstance(value, int) and value.bit_length() > 64:
                self._faults.append((place, "has a number of more than 64 bits: put it in quotes"))
                value = None
            return Located(value, place, _unusual(value, node.value))
        except UNREADABLE:
            self._faults.append((place, "has a value that YAML cannot read: put it in quotes"))
            return Located(None, place)

    def _mapping(self, node: yaml.MappingNode, inside: tuple[int, ...]) -> dict[str, Located]:
        merged: dict[str, Located] = {}
        own: dict[str, Located] = {}
        for key_node, value_node in node.value:
            place = Place(self._file, key_node.start_mark.line + 1)
            if key_node.tag == "tag:yaml.org,2002:merge":
                for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    value = self._located(source, inside).value
                    if isinstance(value, dict):
                        merged = {**value, **merged}
                    else:
                        self._faults.append((place, "merges (<<) something that is not a map"))
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                self._faults.append((place, "has a key that is not a string: put it in quotes"))
                continue
            key = key_node.value
            if key in own:
                name = "a key" if secret_in(key) else f"the key {key}"
                self._faults.append((place, f"has {name} twice; the first is in line {own[key].place.line}"))
                continue
            value = self._located(value_node, inside)
            own[key] = Located(value.value, place, value.written)
        return {**merged, **own}
