"""Numbers and booleans under `env`: a variable is text, so one that YAML would write differently is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError

UNUSUAL = {
    "022": "18",
    "1_000": "1000",
    "0x1f": "31",
    "0b11": "3",
    "1.50": "1.5",
    ".5": "0.5",
    "1.0e+3": "1000.0",
    "yes": "true",
    "Off": "false",
}
USUAL = {"8": 8, "-4": -4, "+4": 4, "1.5": 1.5, "true": True, "1:30": "1:30", '"022"': "022", "'yes'": "yes"}


def overlay(folder: Path, text: str) -> Path:
    (folder / "x.yaml").write_text(f"backend:\n  persistence: {{enabled: true}}\n  env:\n    NAME: {text}\n")
    return folder


@pytest.mark.parametrize("text", UNUSUAL)
def test_what_would_change_its_text_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(OverlayError) as caught:
        load_overlays(overlay(tmp_path, text), ["x"])
    read = UNUSUAL[text]
    said = f"backend.env.NAME: {text} is read as {read}: write {read}, or put {text} in quotes"
    assert caught.value.messages == [f"{tmp_path}/x.yaml:4: {said}"]


@pytest.mark.parametrize("text", USUAL)
def test_what_stays_as_it_is_passes(tmp_path: Path, text: str) -> None:
    (loaded,) = load_overlays(overlay(tmp_path, text), ["x"])
    assert loaded.values.backend.env["NAME"] == USUAL[text]


def test_elsewhere_a_number_is_a_number(tmp_path: Path) -> None:
    """Modes of files are written in octal, as in Kubernetes' own examples."""
    volume = "{name: more, configMap: {name: more, defaultMode: 0644}}"
    mount = "{name: more, mountPath: /more}"
    (tmp_path / "x.yaml").write_text(
        f"backend:\n  persistence: {{enabled: true}}\n  extraVolumes: [{volume}]\n  extraVolumeMounts: [{mount}]\n"
    )
    (loaded,) = load_overlays(tmp_path, ["x"])
    assert loaded.values.backend.extra_volumes[0]["configMap"]["defaultMode"] == 0o644
