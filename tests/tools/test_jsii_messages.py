"""How many messages an environment costs, and that what is done with is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from jsii import _reference_map as references

from convexctl.overlays.load import load_overlays
from convexctl.synth.environment import synthesise
from convexctl.tools import node
from tests.support.overlay_cases import ROOT

SAMPLES = ROOT / "tests/data/samples"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connection, with nothing left to forget."""
    node.ready()
    used: Any = node._kernel()._provider
    from jsii._runtime import kernel  # Not before `ready`: the import alone starts jsii's own process.

    provider: Any = kernel.provider
    assert provider._process is used, "cdk8s was imported before it was ready, by a test's file perhaps"
    with monkeypatch.context() as patched:
        patched.setattr("convexctl.tools.jsii_messages._MANY", 0)
        node.release()
    return used


@pytest.mark.parametrize(("name", "constructs"), [("local", 8), ("production", 9)])
def test_an_object_is_one_message(connection: Any, name: str, constructs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (overlay,) = load_overlays(SAMPLES, [name])
    objects = len(synthesise(overlay).manifests)
    answers: list[object] = []
    answer = connection._next_message

    def counted() -> object:
        answers.append(answer())
        return answers[-1]

    monkeypatch.setattr(connection, "_next_message", counted)
    synthesise(overlay)
    # The constructs around the objects (app, chart, backend, ...) are one each, and so are the result and its callback.
    assert len(answers) == objects + constructs + 3


def test_what_is_done_with_is_forgotten(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (overlay,) = load_overlays(SAMPLES, ["local"])
    monkeypatch.setattr("convexctl.tools.jsii_messages._MANY", 1)
    first = synthesise(overlay).files
    known = len(references._refs._refs)
    assert synthesise(overlay).files == first
    assert len(references._refs._refs) == known
