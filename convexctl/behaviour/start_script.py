"""What a container's own command makes of the variables before it starts the backend.

Shell scripts are read, given with `-c` or as a file that is in sight: assignments, `export`, `unset`, `env NAME=VALUE`.
Everything that such a script takes from elsewhere (a sourced file, `eval`, another program) may set any variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from convexctl.behaviour.manifests import mapping, sequence, text
from convexctl.behaviour.processes import BECOMES, INITS, SERVER, SHELLS, File, base, is_shell_script
from convexctl.behaviour.shell_words import QUOTED, Command, commands

LONGEST_SCRIPT = 65_536
"""Letters of a script that are read; a longer one may set anything."""
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=)(.*)", re.DOTALL)
_OPENS = ("if", "while", "until", "for", "case", "select")
_CLOSES = ("fi", "done", "esac")
_KEYWORDS = ("then", "else", "elif", "do", "!", "{", "}", "time", "command", "exec", "sudo", "builtin")
_TESTS = ("[", "[[", "test")
_USES = re.compile(r"\$(?:\(|\{)?([A-Za-z_][A-Za-z0-9_]*)")


class Assignment(NamedTuple):
    """What a script does to one variable."""

    name: str
    value: str | None
    """The value with its shell references; None: the variable is unset."""
    conditional: bool
    """Whether a condition of the script decides."""
    plain: bool = False
    """Not exported: it reaches the backend only if the container has the variable, because a shell exports those."""


@dataclass
class Start:
    """The assignments that hold when the backend starts, in their order, and whether anything may be set unseen."""

    assignments: list[Assignment] = field(default_factory=list)
    unseen: str = ""
    """What may set any variable; empty if nothing does."""
    before_unseen: int = 0
    """How many of the assignments come before that, and may be undone by it."""
    script: bool = False
    """Whether a script or a program runs before the entry point."""
    reached: bool = False
    """Whether a script was read up to where the backend starts."""


def start_of(container: Mapping[str, Any], file: File = lambda _: None) -> Start:
    """What the command of a container does before the backend starts; `file` knows the files that are mounted."""
    command = [text(part) for part in sequence(container.get("command"))]
    if not command:
        return Start()
    return _of_words([*command, *(text(part) for part in sequence(container.get("args")))], 0, file)


def used_names(container: Mapping[str, Any]) -> frozenset[str]:
    """The variables that the container's own commands, hooks and probes name."""
    texts = [text(part) for key in ("command", "args") for part in sequence(container.get(key))]
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        texts += _exec(container.get(key))
    for hook in mapping(container.get("lifecycle")).values():
        texts += _exec(hook)
    return frozenset(name for each in texts for name in _USES.findall(each))


def _exec(holder: object) -> Iterable[str]:
    return [text(part) for part in sequence(mapping(mapping(holder).get("exec")).get("command"))]


def _of_words(words: Sequence[str], depth: int, file: File) -> Start:
    if depth > 4:
        return Start(unseen="the container's command")
    name = base(words[0]) if words else ""
    if not words or name in SERVER:
        return Start()
    if name in SHELLS:
        return _of_shell(words, depth, file)
    rest = list(words[1:])
    if name in INITS or name in BECOMES:
        start = Start()
        while rest and (
            rest[0].startswith("-") or (assigned := _ASSIGNMENT.fullmatch(rest[0])) or not _starts(rest[0], file)
        ):
            word = rest.pop(0)
            if name == "env" and (assigned := _ASSIGNMENT.fullmatch(word)):
                start.assignments.append(Assignment(assigned[1], assigned[3].replace("$", QUOTED), False))
        inner = _of_words(rest, depth + 1, file) if rest else Start(unseen="the container's command")
        inner.assignments[:0] = start.assignments
        inner.before_unseen += len(start.assignments)
        inner.script = inner.script or bool(start.assignments)
        return inner
    if is_shell_script(content := file(words[0]) or ""):
        return _Script(depth, file, words[1:]).read(content)
    return Start(unseen=f"{name}, which starts the backend,", script=True)


def _starts(word: str, file: File) -> bool:
    return base(word) in (*SERVER, *SHELLS, *INITS, *BECOMES) or file(word) is not None


def _of_shell(words: Sequence[str], depth: int, file: File) -> Start:
    at = next((index for index, word in enumerate(words[1:], 1) if re.fullmatch(r"-[a-z]*c", word)), None)
    if at is None:
        by_file = next((index for index, word in enumerate(words[1:], 1) if not word.startswith("-")), 0)
        name = words[by_file] if by_file else ""
        if base(name) in SERVER:
            return Start()
        content = file(name)
        if content is None:
            return Start(unseen=f"the script {base(name)}".strip(), script=True)
        return _Script(depth, file, words[by_file + 1 :]).read(content)
    script = words[at + 1] if at + 1 < len(words) else ""
    return _Script(depth, file, words[at + 3 :]).read(script)


class _State(NamedTuple):
    """What a shell of a script holds: how much of the two lists, which only grow, and the rest."""

    assignments: int
    replaced: int
    unseen: str
    before_unseen: int
    all_exported: bool


class _Script:
    """Reads a script command by command, as far as the variables go."""

    def __init__(self, depth: int, file: File, arguments: Sequence[str]) -> None:
        self.depth = depth
        self.file = file
        self.arguments = list(arguments)
        self.start = Start(script=True)
        self.local: dict[str, Assignment] = {}
        self.replaced: list[tuple[str, Assignment | None]] = []
        """What each assignment to `local` replaced."""
        self.exported: dict[str, int] = {}
        """Where each name was exported first, among the first `indexed` assignments."""
        self.indexed = 0
        self.all_exported = False
        self.nesting = 0
        self.piped: tuple[int, _State] | None = None
        """A block that reads from a pipe: how deep it is, and what held before it."""
        self.done = False

    def read(self, script: str) -> Start:
        if len(script) > LONGEST_SCRIPT or "<<" in script:
            return Start(unseen="the start script", script=True)
        previous: list[str] = []
        around: list[_State] = []
        for command in commands(script):
            if self.done:
                break
            while len(around) > command.depth:
                self._restore(around.pop())
            around += [self._state() for _ in range(command.depth - len(around))]
            and_then = command.separator == "&&" and bool(previous) and previous[0] in _TESTS
            self._in_its_shell(command, command.separator == "||" or and_then)
            previous = command.words
        if not self.done:
            self.start.unseen = self.start.unseen or "the start script"
            self.start.before_unseen = len(self.start.assignments)
        self.start.reached = self.done
        self.start.script = bool(self.start.unseen) or any(not each.plain for each in self.start.assignments)
        return self.start

    def _in_its_shell(self, command: Command, depends: bool) -> None:
        """Run a command; what it does in a pipe or in the background, this shell does not see."""
        before, nesting = self._state(), self.nesting
        self._command(list(command.words), depends)
        if command.separator == "|" and self.nesting > nesting and self.piped is None:
            self.piped = nesting, before
        elif command.apart and self.piped is None:
            self._restore(before)
        elif self.piped is not None and self.nesting <= self.piped[0]:
            self._restore(self.piped[1])
            self.piped = None

    def _state(self) -> _State:
        start = self.start
        return _State(len(start.assignments), len(self.replaced), start.unseen, start.before_unseen, self.all_exported)

    def _restore(self, state: _State) -> None:
        """Leave a shell that does not start the backend: what it set is gone."""
        if self.done:
            return
        for each in self.start.assignments[state.assignments :]:
            if self.exported.get(each.name, -1) >= state.assignments:
                del self.exported[each.name]
        del self.start.assignments[state.assignments :]
        self.indexed = min(self.indexed, state.assignments)
        while len(self.replaced) > state.replaced:
            name, before = self.replaced.pop()
            if before is None:
                del self.local[name]
            else:
                self.local[name] = before
        self.start.unseen, self.start.before_unseen = state.unseen, state.before_unseen
        self.all_exported = state.all_exported

    def _command(self, words: list[str], depends: bool) -> None:
        while words and (words[0] in _KEYWORDS or words[0] in _OPENS or words[0] in _CLOSES):
            word = words.pop(0)
            self.nesting += (word in _OPENS) - (word in _CLOSES)
            if word in ("for", "select", "case"):
                return
        depends = depends or self.nesting > 0
        before = []
        while words and (assigned := _ASSIGNMENT.fullmatch(words[0])):
            before.append(Assignment(assigned[1], assigned[3] if assigned[2] == "=" else "$()", depends))
            words.pop(0)
        if not words:
            for each in before:
                self._assign(each)
            return
        self._program(words, before, depends)

    def _assign(self, assignment: Assignment) -> None:
        self.replaced.append((assignment.name, self.local.get(assignment.name)))
        self.local[assignment.name] = assignment
        for at in range(self.indexed, len(self.start.assignments)):
            if not self.start.assignments[at].plain:
                self.exported.setdefault(self.start.assignments[at].name, at)
        self.indexed = len(self.start.assignments)
        plain = not self.all_exported and assignment.name not in self.exported
        self.start.assignments.append(assignment._replace(plain=plain))

    def _program(self, words: list[str], before: list[Assignment], depends: bool) -> None:
        if words == ["$@"] and self.arguments:
            words = self.arguments
        name = base(words[0])
        if any(base(word) in SERVER for word in words) or (
            name in SHELLS and any(server in " ".join(words) for server in SERVER)
        ):
            inner = _of_words([word.replace(QUOTED, "$") for word in words], self.depth + 1, self.file)
            self._take_over(before, inner)
            self.done = True
        elif self._hands_over(words, before):
            self.done = True
        elif name in ("export", "declare", "typeset", "readonly"):
            self._export(words[1:], depends)
        elif name == "unset":
            self.start.assignments += [
                Assignment(word, None, depends) for word in words[1:] if not word.startswith("-")
            ]
        elif name == "read":
            for word in words[1:]:
                self._assign(Assignment(word, "$()", depends))
        elif name == "set":
            self.all_exported = self.all_exported or "-a" in words or "allexport" in words
        elif name in (".", "source", "eval"):
            self.start.unseen = "what the start script reads" if name != "eval" else "the start script"
            self.start.before_unseen = len(self.start.assignments)

    def _hands_over(self, words: list[str], before: list[Assignment]) -> bool:
        """Whether another script that is in sight ends in the backend; its assignments are taken over then."""
        words = [word.replace(QUOTED, "$") for word in words]
        if not any("/" in word and self.file(word) for word in words[:3]):
            return False
        inner = _of_words(words, self.depth + 1, self.file)
        if inner.unseen and not inner.reached:
            return False
        self._take_over(before, inner)
        return True

    def _take_over(self, before: list[Assignment], inner: Start) -> None:
        """Go on with what another script does up to the backend."""
        if inner.unseen:
            self.start.before_unseen = len(self.start.assignments) + len(before) + inner.before_unseen
        self.start.assignments += [*before, *inner.assignments]
        self.start.unseen = self.start.unseen or inner.unseen

    def _export(self, words: list[str], depends: bool) -> None:
        for word in words:
            if assigned := _ASSIGNMENT.fullmatch(word):
                value = assigned[3] if assigned[2] == "=" else "$()"
                self.start.assignments.append(Assignment(assigned[1], value, depends))
            elif local := self.local.get(word):
                self.start.assignments.append(local._replace(conditional=depends or local.conditional))
