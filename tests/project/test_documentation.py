"""README and docs point to what is there, and name commands that the program takes."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from convexctl.cli import COMMANDS
from tests.support.overlay_cases import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^-\w ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text(encoding="utf-8"))
    for file, anchor in links:
        target = document.parent / file if file else document
        assert target.exists(), file
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{file}#{anchor}"


WITH_COMMANDS = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("upgrading", "moving-from-helm", "verify")),
]


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.name)
def test_commands_are_those_of_the_program(document: Path) -> None:
    blocks = re.findall(r"```(?:sh|text)\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("python3 main.py")]
    commands = [shlex.split(line.partition("||")[0], comments=True)[2:] for line in lines]
    assert commands
    for name, *arguments in [command or ["synth"] for command in commands]:
        if name == "--help":
            continue
        assert name in COMMANDS
        parser = argparse.ArgumentParser(exit_on_error=False)
        importlib.import_module(f"convexctl.commands.{name.replace('-', '_')}").configure(parser)
        parser.parse_args(arguments)


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8192


def test_the_readme_names_every_command() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert [name for name in COMMANDS if f"`{name}`" not in table] == []


def test_the_quick_start_names_what_the_overlay_makes() -> None:
    page = (ROOT / "dist" / "local" / "README.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    start = readme.partition("\n## Quick start\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^kubectl (?:rollout|port-forward) .*$", start, re.MULTILINE)
    assert len(commands) == 3
    assert [command for command in commands if command not in page] == []


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [page for page in pages if f"]({page})" not in index] == []
