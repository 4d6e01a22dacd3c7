"""Commands as the kernel sees them: which process is PID 1, and who gets a SIGINT."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

SERVER = ("run_backend.sh", "convex-local-backend")
SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
INITS = ("tini", "tini-static", "dumb-init", "catatonit", "docker-init")
BECOMES = ("env", "nice", "ionice", "stdbuf", "gosu", "su-exec", "setpriv", "nohup", "exec")
"""Programs that end in being what they start."""
_PREFIXES = ("if", "then", "elif", "else", "while", "until", "do", "!", "{", "(", "time", "command", "sudo")
_SEPARATOR = re.compile(r"&&|\|\||[;|\n]|(?<![<>&])&(?![>&])")
_KEPT_OF_A_NAME = 15
"""Letters of a process's name that the kernel keeps."""

_DEEPEST = 4
"""Scripts that hand over to each other, as far as they are followed."""
File = Callable[[str], str | None]
"""The text of a file in the container, or None if it is not in sight."""
Ancestor = Literal["none", "init", "shell", "bash", "unknown"]
"""The process between PID 1 and the backend.

`none`: PID 1 is the backend. `init`: PID 1 hands every signal on to it. `shell`: PID 1 is a shell, which keeps signals
to itself. `bash`: the same, but bash becomes its last command by itself. `unknown`: nobody can tell.
"""


def ancestor(words: Sequence[str], file: File = lambda _: None, depth: int = 0) -> Ancestor:
    """The process between PID 1 and the backend if a container runs `words`; no words: the image's entry point.

    `file` hands out the scripts that are in sight.
    """
    if not words or base(words[0]) in SERVER:
        return "none"
    if depth > _DEEPEST:
        return "unknown"
    name = base(words[0])
    if name in SHELLS:
        given = _script(words)
        # A shell that reads run_backend.sh as its script ends in being the server.
        if given is None and any(base(word) in SERVER for word in words[1:]):
            return "none"
        if given is None:
            return _of_file([word for word in words[1:] if not word.startswith("-")], file, depth)
        return _under_shell(name, *given, file, depth)
    if name in INITS or name in BECOMES:
        known = (*SERVER, *SHELLS, *INITS, *BECOMES)
        at = next((index for index, word in enumerate(words[1:], 1) if base(word) in known or file(word)), len(words))
        inner = ancestor(words[at:], file, depth + 1) if at < len(words) else "unknown"
        if name in BECOMES:
            return inner
        whole_group = name == "dumb-init" or any(re.fullmatch(r"-[a-z]*g[a-z]*", option) for option in words[1:at])
        return "init" if inner in ("none", "bash") or whole_group else inner
    return _of_file(words, file, depth) if is_shell_script(file(words[0]) or "") else "unknown"


def is_shell_script(content: str) -> bool:
    """Whether a file names a shell in its first line."""
    first = content.partition("\n")[0]
    return first.startswith("#!") and any(base(word) in SHELLS for word in first[2:].split())


def _of_file(words: Sequence[str], file: File, depth: int) -> Ancestor:
    """The same for a script in a file, the first of `words`: bash, too, does not become its last command then."""
    content = file(words[0]) if words else None
    return "unknown" if content is None else _under_shell("sh", content, words[1:], file, depth)


def _under_shell(name: str, script: str, arguments: Sequence[str], file: File, depth: int) -> Ancestor:
    simple = [command for _, command in _commands(script)]
    for command in simple:
        if command[0] == "exec":
            if command[1:] == ["$@"]:
                return ancestor(arguments, file, depth + 1)
            if any(base(word) in SERVER for word in command) or any(file(word) for word in command[1:3] if "/" in word):
                return ancestor(command, file, depth + 1)
    if not any(server in word for command in simple for word in command for server in SERVER):
        return "unknown"
    return "bash" if name == "bash" and base(simple[-1][0]) in SERVER else "shell"


def sigints(words: Sequence[str]) -> int:
    """How many SIGINTs a command sends to the backend as far as it matters: none, one, or more (2)."""
    if not words:
        return 0
    if base(words[0]) not in SHELLS:
        return int(_sends_sigint(base(words[0]), words[1:]))
    script, _ = _script(words) or ("", ())
    count = 0
    for opening, command in _commands(script):
        if opening == "||" and count:
            continue
        count += sigints(command) * (2 if opening in ("while", "until", "do") else 1)
    return min(count, 2)


def waits(words: Sequence[str]) -> bool:
    """Whether a command stays for a while, so that the SIGTERM after it comes later."""
    return re.search(r"\bkill\s+-0\b|\bsleep\b|\bwait\b|--pid\b", " ".join(words)) is not None


def _sends_sigint(name: str, arguments: Sequence[str]) -> bool:
    if name not in ("kill", "pkill", "killall"):
        return False
    said = re.match(r"(?:-s\s*|-n\s*|--signal[ =]|-)(?:SIG)?(?:INT|2)(?:\s|$)", " ".join(arguments), re.IGNORECASE)
    if said is None:
        return False
    rest = " ".join(arguments)[said.end() :].split(" ")
    targets = [word for word in rest if word and not word.startswith("-")]
    server = "convex-local-backend"
    if name == "kill":
        return any(target == "1" or re.fullmatch(r"\$\w+|\$\{\w+\}", target) for target in targets) or bool(
            re.search(rf"\$\([^)]{{0,1024}}{server[:_KEPT_OF_A_NAME]}", " ".join(targets))
        )
    names = (server, server[:_KEPT_OF_A_NAME])
    if name == "killall":
        return any(target in names for target in targets)
    whole_line = any(re.fullmatch(r"-[a-z]*f[a-z]*|--full", word) for word in rest)
    return any(target in names[0 if whole_line else 1] for target in targets)


def _commands(script: str) -> Iterator[tuple[str, list[str]]]:
    """The simple commands of a script, each with the keyword or the `||` before it."""
    script = re.sub(r"`([^`]*)`", r"$(\1)", re.sub(r"(?m)(^|\s)#.*$", "", script))
    start, before = 0, ""
    for separator in [*_SEPARATOR.finditer(script), None]:
        piece = script[start : separator.start() if separator else len(script)]
        opening = before
        try:
            words = shlex.split(piece)
        except ValueError:
            words = piece.split()
        while words and (words[0] in _PREFIXES or re.match(r"\w+=", words[0])):
            opening = words.pop(0)
        if words:
            yield opening, words
        if separator:
            start, before = separator.end(), separator[0]


def _script(words: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """The script that a shell is given with -c, and its arguments; None if there is no -c."""
    at = next((index for index, word in enumerate(words[1:], 1) if re.fullmatch(r"-[a-z]*c", word)), None)
    return None if at is None else ("".join(words[at + 1 : at + 2]), words[at + 3 :])


def base(word: str) -> str:
    """The name of a program, without its folder."""
    return word.rpartition("/")[2]
