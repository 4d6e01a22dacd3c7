"""`synth --keep-going`: what is right is written, and what has a fault stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import Done, run

VOLUME = "backend: {persistence: {enabled: true}}\n"
PLAIN = "namespace: {name}\nreleaseName: {name}\nbackend: {{persistence: {{enabled: true}}}}\n"
NAMES = ("a", "b", "c")
LABEL = "commonLabels: {edited: 'yes'}\n"


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "overlays").mkdir()
    for name in NAMES:
        (tmp_path / "overlays" / f"{name}.yaml").write_text(PLAIN.format(name=name))
    assert synth(capsys, tmp_path).code == 0
    return tmp_path


def synth(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> Done:
    return run(capsys, "synth", "--overlays", str(folder / "overlays"), "-o", str(folder / "dist"), *options)


def manifests(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in folder.glob("dist/*/convex.k8s.yaml")}


def edit(folder: Path, name: str, text: str) -> None:
    (folder / "overlays" / f"{name}.yaml").write_text(text)


FAULTS = {
    "unknown key": ({"a": PLAIN.format(name="a") + "mystery: 1\n"}, {"a"}, 1, "a.yaml:4: mystery"),
    "no yaml": ({"a": "{"}, {"a"}, 1, "a.yaml:2: is not valid YAML"),
    "one environment twice": ({"b": PLAIN.format(name="a")}, {"a", "b"}, 1, "a.yaml and "),
    "patch without effect": (
        {"a": PLAIN.format(name="a") + "patches: [{target: {kind: Job}, patch: {metadata: {labels: {x: y}}}}]\n"},
        {"a"},
        1,
        "a.yaml:4: patches[0]",
    ),
    "data would be lost": ({"a": "namespace: elsewhere\nreleaseName: a\n" + VOLUME}, {"a"}, 3, "namespace"),
    "two kinds": (
        {"a": PLAIN.format(name="other") + "mystery: 1\n", "b": "namespace: b\nreleaseName: else\n" + VOLUME},
        {"a", "b"},
        3,
        "a.yaml:4: mystery",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_only_what_has_a_fault_is_left(capsys: pytest.CaptureFixture[str], folder: Path, case: str) -> None:
    faulty, left, code, said = FAULTS[case]
    before = manifests(folder)
    for name, text in faulty.items():
        edit(folder, name, text)
    right = sorted(set(NAMES) - left)
    for name in right:
        edit(folder, name, PLAIN.format(name=name) + LABEL)

    strict = synth(capsys, folder)
    assert strict.code in (1, 3)
    assert manifests(folder) == before

    done = synth(capsys, folder, "--keep-going")
    assert done.code == code, done.stderr
    assert said in done.stderr
    assert "nothing was written" not in done.stderr
    after = manifests(folder)
    assert {name for name in NAMES if after[name] == before[name]} == left
    for name in left:
        assert f"{folder / 'dist' / name}: left as it was" in done.stderr
    for name in right:
        assert f"{folder / 'dist' / name}: changed" in done.stderr

    # What was made is remembered; what was left is not forgotten.
    again = synth(capsys, folder, "--keep-going")
    assert again.code == code
    for name in right:
        assert f"{folder / 'dist' / name}: unchanged" in again.stderr


def test_it_ends_where_nothing_is_right(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for name in NAMES:
        edit(folder, name, "mystery: 1\n")
    done = synth(capsys, folder, "--keep-going")
    assert done.code == 1
    assert "nothing was written" in done.stderr


def test_a_fault_that_is_about_all_stops_all(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    before = manifests(folder)
    edit(folder, "a", PLAIN.format(name="a") + "mystery: 1\n")
    done = synth(capsys, folder, "--keep-going", "--set", "alsoAMystery=1")
    assert done.code == 1
    assert manifests(folder) == before


def test_when_all_is_right_again_nothing_is_left(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    edit(folder, "a", "{")
    assert synth(capsys, folder, "--keep-going").code == 1
    edit(folder, "a", PLAIN.format(name="a"))
    done = synth(capsys, folder, "--keep-going")
    assert done.code == 0
    assert "left as it was" not in done.stderr
