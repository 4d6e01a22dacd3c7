"""The commands of a shell script, and their words."""

from __future__ import annotations

import re
from typing import NamedTuple

QUOTED = "\ufdd1"
"""Stands for a `$` that the shell leaves alone."""
_SEPARATORS = ";&|\n()"


class Command(NamedTuple):
    """A simple command of a script. Quotes of its words are gone, and a `$` in single quotes is `QUOTED`."""

    separator: str
    """What is before it; empty for the first one."""
    words: list[str]
    depth: int
    """In how many subshells it is."""
    following: str = ""
    """What is after it; empty for the last one."""

    @property
    def apart(self) -> bool:
        """Whether it runs in a process of its own: in a pipe, or in the background."""
        return self.separator == "|" or self.following in ("|", "&")


def commands(script: str) -> list[Command]:
    """The simple commands of a script, in their order."""
    found: list[Command] = []
    words: list[str] = []
    word: list[str] = []
    in_word, separator, at, depth = False, "", 0, 0

    def end_word() -> None:
        nonlocal in_word
        if in_word:
            words.append("".join(word))
            word.clear()
            in_word = False

    while at < len(script):
        letter = script[at]
        if letter in " \t":
            end_word()
        elif letter in _SEPARATORS and not _redirects(script, at, word):
            end_word()
            two = script[at : at + 2]
            following = two if two in ("&&", "||") else letter
            if words:
                found.append(Command(separator, words, depth, following))
                words = []
            separator = following
            depth = max(0, depth + (letter == "(") - (letter == ")"))
            at += len(following) - 1
        elif letter == "#" and not in_word:
            at = _until(script, at, "\n") - 1
        else:
            piece, at = _piece(script, at)
            word.append(piece)
            in_word = True
            continue
        at += 1
    end_word()
    return [*found, Command(separator, words, depth)] if words else found


def _redirects(script: str, at: int, word: list[str]) -> bool:
    """Whether a `&` is part of a redirection, such as `2>&1` or `&>file`."""
    return script[at] == "&" and ((bool(word) and word[-1] in "<>") or script[at + 1 : at + 2] == ">")


def _piece(script: str, at: int) -> tuple[str, int]:
    """One piece of a word, and where the next one begins."""
    letter = script[at]
    if letter == "'":
        end = _until(script, at + 1, "'")
        return script[at + 1 : end].replace("$", QUOTED), end + 1
    if letter == "\\":
        return script[at + 1 : at + 2].replace("\n", "").replace("$", QUOTED), at + 2
    if letter == "`":
        return "$()", _until(script, at + 1, "`") + 1
    if letter == "$":
        return _reference(script, at)
    if letter != '"':
        return letter, at + 1
    pieces, at = [], at + 1
    while at < len(script) and script[at] != '"':
        if script[at] == "'":
            pieces.append("'")
            at += 1
        else:
            piece, at = _piece(script, at)
            pieces.append(piece)
    return "".join(pieces), at + 1


def _reference(script: str, at: int) -> tuple[str, int]:
    """A `$…`: names as they are; `$(NAME)`, which the kubelet may fill in, too; every other command is `$()`."""
    following = script[at + 1 : at + 2]
    if following == "(":
        depth, end = 1, at + 2
        while end < len(script) and depth:
            depth += (script[end] == "(") - (script[end] == ")")
            end += 1
        inner = script[at + 2 : end - 1]
        return (f"$({inner})" if re.fullmatch(r"[A-Za-z_]\w*", inner) else "$()"), end
    if following == "{":
        end = _until(script, at + 2, "}")
        return script[at : end + 1], end + 1
    name = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]").match(script, at + 1)
    return (script[at : name.end()], name.end()) if name else (QUOTED, at + 1)


def _until(script: str, at: int, end: str) -> int:
    found = script.find(end, at)
    return len(script) if found < 0 else found
