"""Environments as they are written, a file for each overlay: `make snapshots` accepts them as they are now.

The defaults and the samples are kept whole. Every other overlay is kept as what it has otherwise than the defaults, so
that its file says what its option does.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from convexctl.synth.environment import MANIFESTS, NAMESPACE
from tests.support.manifest_diff import manifest_diff
from tests.support.overlay_cases import CASES, SAMPLES, Case, case

DEFAULTS = case("defaults")
WHOLE = [case for case in CASES if case is DEFAULTS or case.folder == SAMPLES]
OTHERS = [case for case in CASES if case not in WHOLE]


class Yaml(SingleFileSnapshotExtension):
    """A file that reads like what `dist/` would hold."""

    _write_mode = WriteMode.TEXT
    file_extension = "yaml"


class Diff(SingleFileSnapshotExtension):
    """A file of objects and fields, with + and -."""

    _write_mode = WriteMode.TEXT
    file_extension = "diff"


def written(case: Case) -> str:
    files = case.environment().files
    return "---\n".join([files[NAMESPACE], files[MANIFESTS]] if NAMESPACE in files else [files[MANIFESTS]])


@pytest.mark.parametrize("case", WHOLE, ids=str)
def test_manifests(case: Case, snapshot: SnapshotAssertion) -> None:
    assert written(case) == snapshot(extension_class=Yaml)


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_difference_from_the_defaults(case: Case, snapshot: SnapshotAssertion) -> None:
    assert manifest_diff(written(DEFAULTS), written(case)) == snapshot(extension_class=Diff)


def test_no_snapshot_is_left_of_an_overlay_that_is_gone() -> None:
    kept = {path.name for path in (Path(__file__).parent / "__snapshots__" / "test_overlays").iterdir()}
    whole = {f"test_manifests[{case}].yaml" for case in WHOLE}
    assert kept == whole | {f"test_difference_from_the_defaults[{case}].diff" for case in OTHERS}
