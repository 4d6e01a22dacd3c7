"""Input that is hostile, or just large: it is read in a time that grows with its size, or refused in a line.

No test here looks at a clock: what once took minutes would be seen as a suite that does not end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.audit import audit
from convexctl.audit.rules.variables import MOST_COMPARED
from convexctl.behaviour.edge_targets import Targets
from convexctl.behaviour.routes import Route
from tests.support.command_line import run
from tests.support.convex_manifests import backend
from tests.support.overlay_cases import DATA

ATTACK = DATA / "cases" / "attack"
BASELINE = (DATA / "cases" / "audit" / "a00-clean-baseline.yaml").read_text()
KILOBYTES_80 = 80_000


def test_the_cases_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "audit", str(ATTACK / "audit-expansion.yaml")).code == 0
    bomb = run(capsys, "audit", str(ATTACK / "audit-alias-bomb-5docs.yaml"))
    assert bomb.code == 1
    assert "has aliases that expand to more than 50000 values" in bomb.stderr
    number = run(capsys, "audit", str(ATTACK / "sexagesimal-float.yaml"))
    assert (number.code, len(number.stderr.splitlines())) == (1, 1)


def test_a_number_to_the_base_of_60_in_an_overlay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copy(ATTACK / "sexagesimal-float.yaml", tmp_path / "big.yaml")
    done = run(capsys, "synth", "--overlays", str(tmp_path), "-o", str(tmp_path / "dist"))
    assert done.code == 1
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        f"{tmp_path / 'big.yaml'}:1",
        "1 error; nothing was written",
    ]


WORDS = {
    "letters": "aB3" * (KILOBYTES_80 // 3),
    "dashes": "a-" * (KILOBYTES_80 // 2),
    "dots": "a." * (KILOBYTES_80 // 2),
    "schemes": "://" * (KILOBYTES_80 // 3),
    "URLs": "http://" * (KILOBYTES_80 // 7),
    "logins": "http://" + "a:" * (KILOBYTES_80 // 2),
    "assignments": "a=" * (KILOBYTES_80 // 2),
    "references": "$(A" * (KILOBYTES_80 // 3),
    "braces": "${A" * (KILOBYTES_80 // 3),
    "spaces": " " * KILOBYTES_80 + "x",
    "brackets": "(" * KILOBYTES_80,
}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS.keys())
@pytest.mark.parametrize("script", [False, True], ids=["value", "script"])
def test_a_word_of_80_kilobytes(word: str, script: bool) -> None:
    documents = list(yaml.safe_load_all(BASELINE))
    for document in documents:
        if document["kind"] == "StatefulSet":
            container = document["spec"]["template"]["spec"]["containers"][0]
            read = [{"name": name, "value": word} for name in ("LONG", "S3_ENDPOINT_URL", "CONVEX_CLOUD_ORIGIN")]
            container["env"] = [*(container.get("env") or []), *read]
            container["args"] = [word]
            container["command"] = ["sh", "-c", f"export A={word}; exec ./run_backend.sh"] if script else None
    documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "long"}, "data": {"A": word}})
    assert audit(documents).behaviour.backends


def paths() -> Iterator[str]:
    yield "/" + "a" * 30_000
    yield "/" + "(a*)*" * 5_000
    yield "/(" + "a|" * 10_000 + "b)"
    yield "/" + "(" * 10_000


@pytest.mark.parametrize("path", list(paths()), ids=["plain", "stars", "choices", "open brackets"])
def test_a_path_of_30_kilobytes(path: str) -> None:
    backend = {"service": {"name": "convex", "port": {"number": 3210}}}
    rule = {"path": path, "pathType": "ImplementationSpecific", "backend": backend}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "long", "annotations": {"nginx.ingress.kubernetes.io/use-regex": "true"}},
        "spec": {"rules": [{"host": "api.acme.io", "http": {"paths": [rule]}}]},
    }
    assert audit([*yaml.safe_load_all(BASELINE), ingress]).behaviour.routes


def test_what_many_backends_of_one_host_ask_the_edge_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    takes = Route.takes
    monkeypatch.setattr(Route, "takes", lambda self, path: asked.append(path) or takes(self, path))  # type: ignore[func-returns-value]

    def questions(number: int) -> int:
        asked.clear()
        copies: list[dict[str, Any]] = []
        for index in range(number):
            copies += yaml.safe_load_all(BASELINE.replace("namespace: c\n", f"namespace: c{index}\n"))
        assert len(audit(copies).behaviour.backends) == number
        return len(asked)

    few = questions(5)
    assert few > 0
    assert questions(20) <= 5 * few


def test_one_name_that_is_set_again_and_again_from_itself() -> None:
    workload, *others = yaml.safe_load_all(BASELINE)
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    container["env"] += [{"name": "RUST_LOG", "value": "$(A)" * 5_000}]
    container["env"] += [{"name": "RUST_LOG", "value": "$(RUST_LOG)" * 5_000}] * 30
    assert "reference-unresolved" in {finding.rule.id for finding in audit([workload, *others]).findings}


def test_services_of_the_same_pods_look_at_each_pod_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    in_pod = Targets.in_pod

    def counted(self: Targets, pod: Any, wanted: object) -> object:
        looked.append(pod.source.name)
        return in_pod(self, pod, wanted)

    monkeypatch.setattr(Targets, "in_pod", counted)
    number = 40
    labels, port = {"managed-by": "helm", "app": "web"}, {"port": 80, "targetPort": 8080}
    objects: list[dict[str, Any]] = []
    containers = [{"name": "c", "image": "n"}]
    for index in range(number):
        name = {"name": f"web{index}", "namespace": "c"}
        backend = {"service": {"name": f"web{index}", "port": {"number": 80}}}
        paths = [{"path": f"/{index}", "pathType": "Prefix", "backend": backend}]
        rules = [{"host": "web.acme.io", "http": {"paths": paths}}]
        objects += [
            {"kind": "Pod", "metadata": {**name, "labels": labels}, "spec": {"containers": containers}},
            {"kind": "Service", "metadata": name, "spec": {"selector": labels, "ports": [port]}},
            {"kind": "Ingress", "metadata": name, "spec": {"rules": rules}},
        ]
    audit([*yaml.safe_load_all(BASELINE), *objects])
    assert 0 < sum(name.startswith("web") for name in looked) <= number


def test_only_so_many_names_are_compared_with_those_that_are_read() -> None:
    """Each comparison takes more than a millisecond: 50,000 variables took 40 seconds."""
    names = [f"APPLICATION_MAX_CONCURENT_QUERIES{number or ''}" for number in range(2 * MOST_COMPARED)]
    report = audit([backend(dict.fromkeys(names, "1"))])
    said = {found.message.partition(" ")[0]: found for found in report.findings if found.rule.id == "unread-variable"}
    assert set(said) == set(names)
    near = [name for name in names if "APPLICATION_MAX_CONCURRENT_QUERIES is" in said[name].message]
    assert near == names[:MOST_COMPARED]
    rest = {said[name].message.partition(" ")[2] for name in names[MOST_COMPARED:]}
    assert rest == {f"is not read (only {MOST_COMPARED} such names are compared with what is read)"}
