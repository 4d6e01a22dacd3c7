"""`--set` lays single values over an overlay, checked like those of a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from convexctl.overlays.command_line_values import Setting, setting
from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test.yaml").write_text("backend: { persistence: { enabled: true, size: 1Gi } }")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("backend.persistence.size=7Gi", "backend.persistence.size", "7Gi"),
        ("dashboard.replicaCount=3", "dashboard.replica_count", 3),
        ("s3.enabled=false", "s3.enabled", False),
        ("namespace=", "namespace", ""),
        (r"commonAnnotations.example\.com/owner=a=b", "common_annotations", {"example.com/owner": "a=b"}),
        ("backend.hostAliases=[{ip: 10.0.0.1, hostnames: [a]}]", "backend.host_aliases",
         [{"ip": "10.0.0.1", "hostnames": ["a"]}]),
    ],
)  # fmt: skip
def test_a_value_is_set(folder: Path, text: str, path: str, expected: Any) -> None:
    (overlay,) = load_overlays(folder, ["test"], [setting(text)])
    value: Any = overlay.values
    for part in path.split("."):
        value = getattr(value, part)
    assert value == expected
    assert overlay.values.backend.persistence.enabled


def test_the_last_on_the_command_line_wins(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "_more.yaml"
    file.write_text("namespace: from-file")
    one = setting("namespace=a")
    orders: list[tuple[list[Path | Setting], str]] = [([one, file], "from-file"), ([file, one], "a")]
    for layers, expected in orders:
        (overlay,) = load_overlays(folder, ["test"], layers)
        assert overlay.values.namespace == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dashboard.replicaCont=3", "--set: dashboard.replicaCont: is not a parameter: did you mean"),
        ("commonLabels.acme.io/team=shop", "must be a string, not a map (a dot inside a key is written as \\.)"),
        ("s3.enabled=yes please", "--set: s3.enabled: must be true or false"),
        ("postgres.existingSecret=postgresql://u:p@h", "--set: postgres.existingSecret: "),
    ],
)
def test_a_wrong_value_is_told_with_its_key(folder: Path, text: str, said: str) -> None:
    with pytest.raises(OverlayError) as caught:
        load_overlays(folder, ["test"], [setting(text)])
    assert said in caught.value.messages[0]
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "key", "=x", "a..b=x", "ingress.tls[0]=x", "a={", "a=#general"])
def test_what_is_no_setting(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        setting(text)
