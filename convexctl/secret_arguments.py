"""Refuses a secret that is given as an argument, and repeats none in an error."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors repeat nothing of the command line that may be a secret."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and keep the words for the errors."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End with code 2 and a message in which a word that may be a secret is replaced."""
        for word in sorted(getattr(self, "_words", []), key=len, reverse=True):
            value = word.rpartition("=")[2] if "=" in word or not word.startswith("-") else ""
            secret = message.startswith("unrecognized arguments") or not shown_as_it_is(value)
            if len(value) > 1 and secret and value in message:
                message = message.replace(value, "(not shown)")
        super().error(message)


_SECRETS = ("a URL with a password in it", "a private key", "a Convex admin key", "an instance secret")
"""What is never the name of a file, an overlay or a context."""


def refuse_secrets(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """End with an error that shows nothing if a word of the command line holds a secret: errors name files.

    `admin-key --check` takes a key, and warns itself that the shell's history keeps it.
    """
    from convex_k8s.secrecy import named_like_a_secret, secret_in

    for before, word in itertools.pairwise(["", *words]):
        if before == "--check" or word.startswith("--check="):
            continue
        name, given, _ = word.partition("=")
        kind = secret_in(word)
        if given and re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and named_like_a_secret(name):
            kind = _SECRETS[-1] if name == "INSTANCE_SECRET" else "a secret with its name"
        if kind in (*_SECRETS, "a secret with its name"):
            parser.error(
                f"an argument (not shown) looks like {kind}: the shell's history and the list of processes keep it. "
                "Values come from the environment, a file or a prompt"
            )


def shown_as_it_is(word: str) -> bool:
    """Whether a word may be shown: a name, an option or a path of names, and nothing that may be a credential."""
    from convex_k8s.secrecy import random_looking, secret_in

    return bool(re.fullmatch(r"[-a-z./_]{1,40}", word)) and not secret_in(word) and not random_looking(word)
