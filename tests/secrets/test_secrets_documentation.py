"""docs/secrets.md says what is so: every name that is asked for, and commands and overlays that exist."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex

import pytest
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.secrets.needed import VARIABLES
from tests.support.overlay_cases import ROOT, overlay_of

TEXT = (ROOT / "docs" / "secrets.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line.partition("   #")[0].strip()
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    if line.startswith("python3 main.py")
]
OVERLAYS = [block for kind, block in BLOCKS if kind == "yaml"]


def test_the_table_of_names_is_the_programs() -> None:
    asked = [(name, variable.question) for name, variable in VARIABLES.items() if name != ADMIN_KEY]
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE) == asked


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_the_program_takes(command: str) -> None:
    plain = re.sub(r"<\(.*?\)", "FILE", command.partition(" | ")[0].partition(" > ")[0].partition(" < ")[0])
    _, _, name, *arguments = shlex.split(plain)
    module = importlib.import_module(f"convexctl.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.configure(parser)
    parser.parse_args(arguments)


@pytest.mark.parametrize("text", OVERLAYS, ids=["external-secrets", "bootstrap"])
def test_an_example_is_an_overlay(text: str) -> None:
    overlay_of(f"postgres: {{enabled: true}}\n{text}")
