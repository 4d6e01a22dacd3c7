"""What is committed and made from something else is up to date, and comes out the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convexctl.overlays import schema
from convexctl.overlays.names import overlay_names
from convexctl.overlays.parameters import parameters, parameters_page
from convexctl.project import RECORD
from convexctl.synth.environment import synthesise_all
from convexctl.synth.folder_record import digest, recorded
from tests.support.overlay_cases import OVERLAYS, ROOT

DIST = ROOT / "dist"


def test_dist_holds_the_overlays_and_no_other_folder() -> None:
    folders = sorted(path.parent.name for path in DIST.glob(f"*/{RECORD}"))
    assert folders == overlay_names(OVERLAYS), "dist/ is stale: run `make synth`"


@pytest.mark.parametrize("name", overlay_names(OVERLAYS))
def test_dist_is_up_to_date(name: str) -> None:
    (environment,) = synthesise_all(OVERLAYS, [name])
    files = environment.files
    written = {file: (DIST / name / file).read_text(encoding="utf-8") for file in recorded(DIST, name)}
    assert written == files, f"dist/{name}/ is stale: run `make synth`"
    assert recorded(DIST, name) == {file: digest(text.encode()) for file, text in files.items()}


def test_the_schema_of_overlays_is_up_to_date() -> None:
    committed = (OVERLAYS / schema.FILE).read_text(encoding="utf-8")
    assert committed == schema.schema_text(), "overlays/schema.json is stale: run `make schema`"


def test_the_page_of_parameters_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert committed == parameters_page(), "docs/parameters.md is stale: run `make schema`"


def test_the_page_of_parameters_has_each_parameter_once() -> None:
    page = parameters_page()
    for parameter in parameters():
        workload, _, probe = parameter.key.partition(".probes.")
        rows = page.count(f"| `{probe.split('.')[1] if probe else parameter.key}` |")
        assert rows == 1, parameter.key
        assert not probe or f"| {workload} {probe.split('.')[0]} |" in page, parameter.key


MACHINES = [
    pytest.param({"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}, [], id="here"),
    pytest.param({"PYTHONHASHSEED": "2", "TZ": "America/Adak", "LC_ALL": "C.UTF-8", "HOME": "/"}, ["-O"], id="there"),
]


@pytest.mark.parametrize(("environment", "options"), MACHINES)
@pytest.mark.process
def test_the_bytes_depend_on_nothing_but_the_overlays(
    tmp_path: Path, environment: dict[str, str], options: list[str]
) -> None:
    command = [sys.executable, *options, str(ROOT / "main.py"), "--quiet", "-o", str(tmp_path / "dist")]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **environment}, check=True)
    for name in overlay_names(OVERLAYS):
        for file in [RECORD, *recorded(DIST, name)]:
            assert (tmp_path / "dist" / name / file).read_bytes() == (DIST / name / file).read_bytes(), file
