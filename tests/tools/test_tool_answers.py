"""kubectl, helm and kubeseal that answer something else than they should (a proxy's login page, say): one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convexctl.adopt.live import last_applied
from convexctl.changes.compare_objects import LAST_APPLIED
from convexctl.errors import UserError
from convexctl.tools.helm import Helm, HelmError, Record
from convexctl.tools.kubectl import Kubectl, KubectlError
from convexctl.tools.kubeseal import Kubeseal

HIDDEN = "hunter2"
PAGE = f"<html>Sign in {HIDDEN}</html>"
STATUS: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
SECRET: dict[str, Any] = {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "type": "Opaque", "data": {}}
OTHER_ANSWERS = [
    pytest.param(PAGE, id="a login page"),
    pytest.param(json.dumps([1]), id="a list"),
    pytest.param(json.dumps(HIDDEN), id="a word"),
    pytest.param("[" * 100_000, id="no end of brackets"),
    pytest.param(json.dumps(STATUS), id="a Status"),
    pytest.param(json.dumps({"items": [HIDDEN]}), id="a list of words"),
    *(
        pytest.param(json.dumps({**SECRET, **lie}), id=f"an object with {json.dumps(lie)}")
        for lie in ({"status": True}, {"spec": [1]})
    ),
    *(
        pytest.param(json.dumps({**SECRET, "metadata": {"name": "s", **lie}}), id=f"metadata with {json.dumps(lie)}")
        for lie in ({"labels": [HIDDEN]}, {"annotations": {"a": 1}}, {"labels": 7})
    ),
]

Answers = Callable[[str, str], None]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Has a program on PATH print a text."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name: str, text: str) -> None:
        (tmp_path / "answer").write_text(text)
        (tmp_path / name).write_text(f"#!/bin/sh\ncat > /dev/null\nexec cat '{tmp_path}/answer'\n")
        (tmp_path / name).chmod(0o755)

    return write


@pytest.mark.parametrize("text", OTHER_ANSWERS)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: Kubectl().server_version(), id="version"),
        pytest.param(lambda: Kubectl().kinds("apps/v1"), id="kinds"),
        pytest.param(lambda: Kubectl().find("pod", "p"), id="find"),
        pytest.param(lambda: Kubectl().all_of("pods"), id="all of a kind"),
        pytest.param(lambda: Kubectl().secrets(["s"]), id="secrets"),
        pytest.param(lambda: Kubectl().objects("get", manifests=[SECRET]), id="objects"),
    ],
)
def test_kubectl(answers: Answers, ask: Callable[[], object], text: str) -> None:
    answers("kubectl", text)
    with pytest.raises(KubectlError) as caught:
        ask()
    assert HIDDEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_kubectl_with_what_it_should_answer(answers: Answers) -> None:
    answers("kubectl", json.dumps(SECRET) + "\n" + json.dumps({"kind": "List", "items": [SECRET, SECRET]}) + "\n")
    assert Kubectl().objects("get", manifests=[SECRET]) == [SECRET, SECRET, SECRET]
    answers("kubectl", "")
    assert Kubectl().objects("get") == []
    assert Kubectl().find("pod", "p") is None
    answers("kubectl", '{"gitVersion": "v1.34.1"}')
    assert Kubectl().server_version() == "v1.34.1"


def test_a_context_of_several_lines_stays_on_the_line_of_the_question(answers: Answers) -> None:
    answers("kubectl", "prod\r\nstaging\rApply to context kind\n")
    name = "prod\\nstaging\\nApply to context kind"
    assert Kubectl().place() == f"namespace {name}, context {name}"


@pytest.mark.parametrize("value", [f"{HIDDEN}!", "hunter", 7, None], ids=["letters", "padding", "a number", "nothing"])
def test_a_secret_whose_value_is_no_base64(answers: Answers, value: object) -> None:
    answers("kubectl", json.dumps({**SECRET, "data": {"good": "eA==", "bad": value}}))
    with pytest.raises(KubectlError) as caught:
        Kubectl().secrets(["s"])
    assert str(caught.value) == "the Secret s has something that is not base64 under the key bad"


@pytest.mark.parametrize("odd", [{"data": HIDDEN}, {"data": [HIDDEN]}, {"type": 7}], ids=str)
def test_a_secret_that_is_none(answers: Answers, odd: dict[str, Any]) -> None:
    answers("kubectl", json.dumps({**SECRET, **odd}))
    with pytest.raises(KubectlError) as caught:
        Kubectl().secrets(["s"])
    assert str(caught.value) == "kubectl answered something for the Secret s that is none"


def test_a_line_that_names_no_secret(answers: Answers) -> None:
    answers("kubectl", f"n\ts\tA\n{HIDDEN}\n")
    with pytest.raises(KubectlError) as caught:
        Kubectl().secrets_without_values(["s"])
    assert str(caught.value) == "kubectl answered something that is not a list of Secrets"


def test_the_keys_of_secrets(answers: Answers) -> None:
    answers("kubectl", "n\ts\tA\tB\nn\tempty\n")
    assert Kubectl(namespace="n").secrets_without_values() == [
        {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"A": None, "B": None}},
        {"kind": "Secret", "metadata": {"name": "empty", "namespace": "n"}, "data": {}},
    ]
    assert Kubectl(namespace="n").secrets_without_values([]) == []


@pytest.mark.parametrize(
    "text",
    [
        *OTHER_ANSWERS,
        pytest.param('{"namespace": "n", "version": "x", "info": {"status": "deployed"}}', id="no number"),
        pytest.param('{"namespace": "n", "version": 3, "info": null}', id="no state"),
    ],
)
def test_helm(answers: Answers, text: str) -> None:
    answers("helm", text)
    with pytest.raises(HelmError) as caught:
        Helm().record("convex")
    assert HIDDEN not in str(caught.value)


def test_helm_with_what_it_should_answer(answers: Answers) -> None:
    answers("helm", '{"namespace": "n", "version": 3, "info": {"status": "deployed"}}')
    assert Helm().record("convex") == Record("n", 3, "deployed")


@pytest.mark.parametrize("text", [*OTHER_ANSWERS, pytest.param("", id="nothing"), pytest.param("{}", id="no fields")])
def test_kubeseal(answers: Answers, text: str) -> None:
    answers("kubeseal", text)
    with pytest.raises(UserError, match=r"^kubeseal answered something that is not a ") as caught:
        Kubeseal().seal(SECRET)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("note", [PAGE, "[1]", "7"])
def test_a_note_of_kubectl_that_somebody_changed(note: str) -> None:
    thing = {"kind": "Service", "metadata": {"name": "x", "annotations": {LAST_APPLIED: note}}}
    with pytest.raises(KubectlError) as caught:
        last_applied(thing)
    assert str(caught.value) == f"Service/x: its annotation {LAST_APPLIED} is not a JSON object"
