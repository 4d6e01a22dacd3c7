"""Whole environments as they are written, one file for each overlay: `make snapshots` accepts them as they are now."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from convexctl.synth.environment import MANIFESTS, NAMESPACE
from tests.support.overlay_cases import CASES, Case


class Yaml(SingleFileSnapshotExtension):
    """A file for each overlay, named after it, that reads like what `dist/` would hold."""

    _write_mode = WriteMode.TEXT
    file_extension = "yaml"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_manifests(case: Case, snapshot: SnapshotAssertion) -> None:
    files = case.environment().files
    written = [files[NAMESPACE], files[MANIFESTS]] if NAMESPACE in files else [files[MANIFESTS]]
    assert "---\n".join(written) == snapshot(extension_class=Yaml)


def test_no_snapshot_is_left_of_an_overlay_that_is_gone() -> None:
    kept = {path.name for path in (Path(__file__).parent / "__snapshots__" / "test_overlays").iterdir()}
    assert kept - {f"test_manifests[{case}].yaml" for case in CASES} == set()
