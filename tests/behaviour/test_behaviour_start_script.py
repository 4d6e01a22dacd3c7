"""What a start script makes of the variables, read as a shell reads it: each expectation is held against a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from convexctl.behaviour.variables import Reading
from tests.support.convex_manifests import backend, config_map, mounted, only_backend

ENDING = "\nexec ./run_backend.sh"
CONDITION = "a condition of the start script leaves it unset"
KNOWN = {
    "export A=one": "one",
    "A=one; export A": "one",
    "declare -x A=one": "one",
    "set -a; A=one": "one",
    "set -o allexport\nA=one": "one",
    "A=one; A=two; export A; A=three": "three",
    "export A=one && export C=two": "one",
    "export A=one; export A=": "",
    "export A=x >/dev/null 2>&1": "x",
    "# export A=no\nexport A=yes": "yes",
    "export A=one # two": "one",
    "export A='$B'": "$B",
    'export A="$B/c"': "v/c",
    "export A=${B}": "v",
    "export A=$B$B": "vv",
    "export B=w; export A=$B": "w",
    "B=w\nexport A=$B": "w",
    "B=w; B=u; export A=$B": "u",
    "export A=a$": "a$",
    "export A=a\\ b": "a b",
    "export A=a\\\nb": "ab",
    "export A=\\$B": "$B",
    'export A="a\\"b"': 'a"b',
    'export A="x\'y"': "x'y",
    "export A='it'\"'\"'s'": "it's",
    'export A="a;b"': "a;b",
    "export A=one; (export A=two; unset A)": "one",
    "export A=one; export A=two | cat": "one",
    "export A=one; (set -a; A=two); A=three": "three",
    "export A=one; (export A=two; (export A=three)); true": "one",
    "f() { true; }; export A=one": "one",
    "case x in x) export A=no;; esac; export A=yes": "yes",
    "export A=one &>/dev/null": "one",
    "B=w; (B=u; C=u); export A=$B": "w",
    "if echo x | grep -q x; then :; fi; export A=one": "one",
}
"""Script -> the variable A of the backend, while B is `v` in the manifest."""
UNSET = (
    "A=one",
    "export A=one; unset A",
    "echo 'a; export A=no'",
    "read A",
    "(export A=one)",
    "(\n  B=w\n  export A=$B\n)",
    "true && (export A=one; true)",
    "export A=one | cat",
    "echo | export A=one",
    "export A=one &",
    "(. /dev/null)",
    "echo x | while read B; do export A=$B; done",
    "(set -a); A=x",
)
HIDDEN = ("export A=`cat x`", "export A=$(cat f)", "export A=${B:-x}", "export A=$$", "export A=$1", "export A+=x")
CONDITIONAL = (
    '[ -n "$B" ] && export A=one',
    "true || export A=one",
    'if [ -n "$B" ]; then export A=one; fi',
    "for i in 1; do export A=one; done",
)
UNREAD = {
    ". /vault/env": "what the start script reads",
    'eval "$X"': "the start script",
    "cat <<X\nX": "the start script",
}


def started(script: str) -> Reading:
    container = {"command": ["sh", "-c", script + ENDING]}
    return only_backend(backend({"B": "v"}, container=container)).environment.read("A")


@pytest.mark.parametrize(("script", "value"), KNOWN.items())
def test_what_is_known(script: str, value: str) -> None:
    reading = started(script)
    assert reading.variable is not None
    assert (reading.text, reading.unless) == (value, "")


@pytest.mark.parametrize("script", UNSET)
def test_what_the_backend_does_not_get(script: str) -> None:
    reading = started(script)
    assert (reading.variable, reading.unless) == (None, "")


@pytest.mark.parametrize("script", HIDDEN)
def test_what_cannot_be_seen_is_set_to_something(script: str) -> None:
    reading = started(script)
    assert reading.variable is not None
    assert reading.text is None


def test_a_shell_exports_again_what_the_container_has() -> None:
    """So a script may correct a variable without `export`, as by `POSTGRES_URL=${POSTGRES_URL%/*}`."""
    for script, text in (("A=new", "new"), ("A=${A%/*}", None), ("read A", None), ("B=new", "old")):
        container = {"command": ["sh", "-c", script + ENDING]}
        assert only_backend(backend({"A": "old"}, container=container)).environment.read("A").text == text


def test_a_subshell_that_starts_the_backend_hands_over_what_it_exports() -> None:
    for script in ("export A=no; (export A=one; exec ./run_backend.sh)", "(export A=one\n./run_backend.sh) | tee log"):
        assert only_backend(backend(container={"command": ["sh", "-c", script]})).environment.read("A").text == "one"


@pytest.mark.parametrize("script", CONDITIONAL)
def test_what_a_condition_decides(script: str) -> None:
    reading = started(script)
    assert (reading.text, reading.unless) == ("one", CONDITION)


@pytest.mark.parametrize(("script", "reader"), UNREAD.items())
def test_what_may_set_anything(script: str, reader: str) -> None:
    reading = started(script)
    assert reading.variable is None
    assert reading.unless == f"{reader} sets A"


@pytest.mark.parametrize(
    ("script", "unless"),
    [
        (". /vault/env; export A=one", ""),
        ("export A=one; . /vault/env", "what the start script reads sets A"),
        (". /vault/env; export A=one; . /vault/more", "what the start script reads sets A"),
        ("export A=one; (. /vault/env)", ""),
        (". /vault/env; export A=one; (. /vault/more)", ""),
        ("export A=one; sh -c '. /vault/env; exec ./run_backend.sh'", "what the start script reads sets A"),
        ("sh -c '. /vault/env; export A=one; exec ./run_backend.sh'", ""),
        ("A=one exec env C=x sh -c 'eval \"$X\"; exec ./run_backend.sh'", "the start script sets A"),
    ],
)
def test_what_is_set_before_it_may_be_set_again(script: str, unless: str) -> None:
    reading = started(script)
    assert (reading.text, reading.unless) == ("one", unless)


@pytest.mark.parametrize(
    ("first", "value", "unless"),
    [
        ("#!/bin/sh", "one", ""),
        ("#!/usr/bin/env bash", "one", ""),
        ("#!/usr/bin/env python3", None, "start.sh, which starts the backend, sets A"),
        ("# sh", None, "start.sh, which starts the backend, sets A"),
    ],
)
def test_a_script_in_a_file_is_read_if_it_is_a_shells(first: str, value: str | None, unless: str) -> None:
    script = config_map("scripts", {"start.sh": f"{first}\nexport A=one\nexec ./run_backend.sh\n"})
    container = {"command": ["/start/start.sh"], **mounted("/start", "scripts")}
    pod = {"volumes": [{"name": "scripts", "configMap": {"name": "scripts", "defaultMode": 0o755}}]}
    reading = only_backend(backend(container=container, pod=pod), script).environment.read("A")
    assert (reading.text or None, reading.unless) == (value, unless)


@pytest.mark.parametrize(
    ("command", "stop"),
    [
        (["/start/start.sh", "./run_backend.sh"], "clean"),
        (["sh", "/start/start.sh", "./run_backend.sh"], "clean"),
        (["/start/start.sh", "sh", "-c", "./run_backend.sh; sleep 1"], "killed"),
    ],
    ids=str,
)
def test_a_script_in_a_file_gets_its_arguments(command: list[str], stop: str) -> None:
    script = config_map("scripts", {"start.sh": '#!/bin/sh\nexport A=one\nexec "$@"\n'})
    pod = {"volumes": [{"name": "scripts", "configMap": {"name": "scripts", "defaultMode": 0o755}}]}
    hook = {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "kill -INT 1; sleep 5"]}}}}
    container = {"command": command, **mounted("/start", "scripts"), **hook}
    model = only_backend(backend(container=container, pod=pod), script)
    assert (model.environment.read("A").text, model.stop.value, model.stop.certain) == ("one", stop, True)


def test_a_variable_before_the_entry_point_is_for_it_alone() -> None:
    container = {"command": ["sh", "-c", "A=one exec ./run_backend.sh"]}
    assert only_backend(backend(container=container)).environment.read("A").text == "one"


@pytest.mark.process
def test_a_real_shell_says_the_same(tmp_path: Path) -> None:
    program = tmp_path / "run_backend.sh"
    program.write_text("#!/bin/sh\nprintf '<%s>' \"${A-unset}\"\n")
    program.chmod(0o755)
    expected = {**{script: f"<{value}>" for script, value in KNOWN.items()}, **dict.fromkeys(UNSET, "<unset>")}
    said = {
        script: subprocess.run(
            ["bash", "-c", script + ENDING],
            cwd=tmp_path,
            env={"B": "v", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for script in expected
    }
    # What `echo` prints comes before.
    assert {script: text[text.rindex("<") :] for script, text in said.items()} == expected
