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
    answers, waits = [], []
    process: Any = type(connection).__bases__[0]
    answer, wait = process._next_message, connection._next_message

    def answered(its: Any) -> Any:
        answers.append(answer(its))
        return answers[-1]

    def waited() -> object:
        waits.append(wait())
        return waits[-1]

    monkeypatch.setattr(process, "_next_message", answered)
    monkeypatch.setattr(connection, "_next_message", waited)
    synthesise(overlay)
    # The constructs around the objects (app, chart, backend, ...) are one each, and so are the result and its callback.
    assert len(answers) == objects + constructs + 3
    # The app, the StatefulSet, which cdk8s asks back about, and the result with that question.
    assert len(waits) == 5


@pytest.mark.parametrize("more", [0, 1, 40])
def test_an_object_that_cannot_be_made_is_told_of(connection: Any, more: int) -> None:
    from cdk8s import ApiObject, App, Chart

    def build(*names: str) -> str:
        app = App()
        chart = Chart(app, "chart")
        for name in [*names, *(f"more-{number}" for number in range(more))]:
            ApiObject(chart, name, api_version="v1", kind="ConfigMap")
        return app.synth_yaml()

    with pytest.raises(RuntimeError, match="already a Construct with name 'twice'"):
        build("twice", "twice")
    # What came after it is not taken for an answer to later requests.
    assert build("once").count("kind: ConfigMap") == more + 1


def test_what_is_done_with_is_forgotten(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (overlay,) = load_overlays(SAMPLES, ["local"])
    monkeypatch.setattr("convexctl.tools.jsii_messages._MANY", 1)
    first = synthesise(overlay).files
    known = len(references._refs._refs)
    assert synthesise(overlay).files == first
    assert len(references._refs._refs) == known
