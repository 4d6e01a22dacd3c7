"""Wings import downward only: a wing imports those named for it, the ground floor, and nothing else of the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "convexctl"
GROUND = {"__init__", "__version__", "errors", "located_yaml", "project", "regular_files", "terminal", "wording"}
WINGS = {
    "tools": set[str](),
    "behaviour": set[str](),
    "overlays": {"tools"},
    "starter": {"overlays"},
    "secrets": {"tools"},
    "audit": {"behaviour", "tools"},
    "synth": {"audit", "behaviour", "overlays", "secrets", "tools"},
    "changes": {"behaviour", "overlays", "synth", "tools"},
    "preflight": {"behaviour", "secrets", "synth", "tools"},
    "backups": {"secrets", "tools"},
    "verify": {"preflight", "secrets", "tools"},
    "adopt": {"audit", "behaviour", "changes", "secrets", "synth", "tools"},
}
"""Wing -> the wings that it may import. `commands`, `cli` and `process` stand above all of them."""


def _imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "convexctl":
            names = [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names if name.name.startswith("convexctl.")]
        else:
            continue
        found |= {name.split(".")[1] for name in names}
    return found


def test_every_folder_is_a_wing() -> None:
    assert {path.parent.name for path in PROGRAM.glob("*/__init__.py")} == {*WINGS, "commands"}


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_downward_only(wing: str) -> None:
    for file in (PROGRAM / wing).rglob("*.py"):
        assert _imported(file) <= WINGS[wing] | GROUND | {wing}, file


def test_the_list_has_no_circle() -> None:
    above: list[str] = []
    for wing, below in WINGS.items():
        assert below <= set(above), wing
        above.append(wing)


def _at_the_top(body: Iterable[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run with the module, not in a function and not for types alone."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If):
            yield from _at_the_top([] if ast.unparse(node.test) == "TYPE_CHECKING" else node.body)
            yield from _at_the_top(node.orelse)
        elif isinstance(node, ast.Try | ast.ClassDef | ast.With):
            yield from _at_the_top(node.body)


def _needed(name: str, files: dict[str, Path]) -> Iterator[str]:
    """The modules that must be ready before `name`: the packages above an imported module too, but not its own."""
    for node in _at_the_top(ast.parse(files[name].read_text(encoding="utf-8")).body):
        if isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{each.name}" for each in node.names]
            imported = [each if each in files else str(node.module) for each in whole]
        else:
            imported = [each.name for each in node.names]
        for each in imported:
            parts = each.split(".")
            above = [".".join(parts[:end]) for end in range(1, len(parts))]
            yield from (module for module in above if module in files and not f"{name}.".startswith(f"{module}."))
            yield from [each] if each in files else []


def test_no_file_imports_itself_through_others() -> None:
    """Any module can be the first that somebody imports."""
    places = [(PROGRAM.parent, PROGRAM), (PROGRAM.parent / "constructs", PROGRAM.parent / "constructs" / "convex_k8s")]
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for root, folder in places
        for file in folder.rglob("*.py")
    }
    order = list(TopologicalSorter({name: set(_needed(name, files)) for name in files}).static_order())
    assert sorted(order) == sorted(files)


def test_the_ground_floor_imports_no_wing() -> None:
    for name in GROUND - {"__version__"}:
        assert _imported(PROGRAM / f"{name}.py") <= GROUND, name


def test_a_printed_command_begins_with_the_programs_name_in_this_repository() -> None:
    """It is `convex-k8s` in a repository that uses the package: `convexctl.project.PROGRAM` says which."""
    here = {PROGRAM / "project.py", PROGRAM / "process.py"}
    assert [str(file) for file in PROGRAM.rglob("*.py") if file not in here and "main.py" in file.read_text()] == []


_STARTS = re.compile(r"\b(subprocess|os\.(exec|spawn|posix_spawn|system|popen)|pty\.)")


def test_every_external_program_is_started_in_tools() -> None:
    """But this program itself, which starts again in the project's own .venv."""
    code = [*PROGRAM.rglob("*.py"), *(PROGRAM.parent / "constructs").rglob("*.py"), PROGRAM.parent / "main.py"]
    starting = {file for file in code if _STARTS.search(file.read_text(encoding="utf-8"))}
    elsewhere = {file for file in starting if PROGRAM / "tools" not in file.parents}
    assert elsewhere == {PROGRAM / "process.py"}
    assert starting > elsewhere
