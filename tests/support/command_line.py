"""The program's command line, run in this process, with everything it printed."""

from __future__ import annotations

import base64
import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from convexctl import cli
from tests.support.overlay_cases import SAMPLES
from tests.support.secret_watch import saw_output


@dataclass(frozen=True)
class Done:
    """What a command returned and printed."""

    code: int
    stdout: str
    stderr: str

    def secrets(self) -> dict[str, dict[str, str]]:
        """The Secrets of a YAML stream on standard output, decoded: by name, then key."""
        return decoded(self.stdout)


def decoded(stream: str) -> dict[str, dict[str, str]]:
    """The Secrets of a YAML stream, decoded: by name, then key."""
    manifests: list[dict[str, Any]] = list(yaml.safe_load_all(stream))
    return {
        manifest["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in manifest["data"].items()}
        for manifest in manifests
    }


def on_samples(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, about the samples where they name no folder of overlays."""
    return [*arguments] if "--overlays" in arguments else [*arguments, "--overlays", str(SAMPLES)]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run a command and return its exit code and output."""
    try:
        code = cli.run([*arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return Done(code, captured.out, captured.err)


def program(*arguments: object, environment: Mapping[str, str] | None = None) -> Done:
    """Run the program in this process, with these variables set."""
    before = dict(os.environ)
    out, errors = io.StringIO(), io.StringIO()
    os.environ.update(environment or {})
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = cli.run([str(argument) for argument in arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    saw_output(["main.py", *map(str, arguments)], out.getvalue(), errors.getvalue())
    return Done(code, out.getvalue(), errors.getvalue())


def assert_none_of(values: Sequence[str], text: str) -> None:
    """No value stands in the text, neither as it is nor in base64."""
    for value in values:
        assert value not in text
        assert base64.b64encode(value.encode()).decode() not in text
