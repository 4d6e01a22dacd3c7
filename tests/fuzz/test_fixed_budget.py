"""Inputs at random, the same in every run; `make fuzz` tries as many others as there is time for."""

from __future__ import annotations

import pytest

from tests.support.fuzzing import Fuzzer
from tests.support.overlay_cases import faults_of


@pytest.mark.parametrize("seed", range(3))
def test_a_clear_error_or_a_right_result(seed: int) -> None:
    fuzzer = Fuzzer(seed)
    fuzzer.run(700)
    assert min(fuzzer.tried[end] for end in ("refused", "accepted", "synthesised")) > 0
    assert fuzzer.tried.total() > 700


@pytest.mark.parametrize("name", ["a" * 300, "é" * 200], ids=["letters", "bytes"])
def test_an_overlay_extends_one_of_a_name_that_no_file_can_have(name: str) -> None:
    (fault,) = faults_of(f"extends: {name}")
    assert fault.startswith("test.yaml:1: extends: there is no overlay of that name")
