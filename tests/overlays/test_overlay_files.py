"""Files that are no overlay, folders without one, and names that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import load_overlays, told_once, warnings_of
from convexctl.overlays.names import OverlayError, overlay_names

YAML_FAULTS = [
    pytest.param(
        b"backend: [1, 2\npostgres: {}\n",
        "test.yaml:2: is not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'",
        id="does not parse",
    ),
    pytest.param(
        b"backend:\n\tsecretsName: a\n",
        "test.yaml:2: is not valid YAML: while scanning for the next token, found character that cannot start any "
        "token: indent with spaces, not with tabs",
        id="tabs",
    ),
    pytest.param(b"a: *b\n", "test.yaml:1: is not valid YAML: found undefined alias", id="undefined alias"),
    pytest.param(
        b"backend:\n  secretsName: a\n  secretsName: b\n",
        "test.yaml:3: has the key secretsName twice; the first is in line 2",
        id="duplicate key",
    ),
    pytest.param(
        b"releaseName: a\n---\nreleaseName: b\n",
        "test.yaml:3: holds a second YAML document: an overlay is one",
        id="second document",
    ),
    pytest.param(
        b"backend:\n  1: a\n", "test.yaml:2: has a key that is not a string: put it in quotes", id="number as key"
    ),
    pytest.param(b"on: a\n", "test.yaml:1: has a key that is not a string: put it in quotes", id="boolean as key"),
    pytest.param(b"? [a]\n: b\n", "test.yaml:1: has a key that is not a string: put it in quotes", id="list as key"),
    pytest.param(
        b"a: !secret b\n",
        "test.yaml:1: has a value that YAML cannot read: put it in quotes",
        id="tag of another program",
    ),
    *(
        pytest.param(b"a: " + value, "test.yaml:1: has a value that YAML cannot read: put it in quotes", id=str(value))
        for value in (b"!!bool maybe\n", b"!!timestamp noon\n", b'!!int ""\n', b"!!float x\n")
    ),
    pytest.param(
        b"a: " + b"9" * 5000,
        "test.yaml:1: has a value that YAML cannot read: put it in quotes",
        id="number without end",
    ),
    pytest.param(
        b"a: 0x1ffffffffffffffff\n",
        "test.yaml:1: has a number of more than 64 bits: put it in quotes",
        id="huge number",
    ),
    pytest.param(b"a: &a\n  - *a\n", "test.yaml:1: has an alias that contains itself", id="alias that loops"),
    pytest.param(
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
        "test.yaml:1: holds more than 50000 values",
        id="aliases that blow up",
    ),
    pytest.param(b"a: " + b"[" * 100_000, "test.yaml:1: is nested too deeply", id="nested without end"),
    pytest.param(
        b"".join(b"a%d: &a%d [%s]\n" % (n, n, b"*a%d" % (n - 1) if n else b"") for n in range(500)),
        "test.yaml:1: is nested too deeply",
        id="aliases nested without end",
    ),
    pytest.param(b"releaseName: caf\xe9\n", "test.yaml: is not a text file in UTF-8", id="not UTF-8"),
    pytest.param(
        b"releaseName: a\x00\n",
        "test.yaml:1: is not valid YAML: unacceptable character #x0000: control characters are not allowed",
        id="control character",
    ),
    pytest.param(b"- releaseName: a\n", "test.yaml:1: must be a map of parameters at the top", id="list at the top"),
    pytest.param(b"\n\nconvex\n", "test.yaml:3: must be a map of parameters at the top", id="text at the top"),
    pytest.param(b"a: {<<: [b]}\n", "test.yaml:1: merges (<<) something that is not a map", id="merge of no map"),
]


@pytest.mark.parametrize(("content", "message"), YAML_FAULTS)
def test_yaml_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test.yaml").write_bytes(content)
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, ["test"])
    assert [text.removeprefix(f"{tmp_path}/") for text in caught.value.messages] == [message]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"---\n", b"{}\n", b"\xef\xbb\xbf"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "test.yaml").write_bytes(content)
    (overlay,) = load_overlays(tmp_path, ["test"])
    assert overlay.values.model_fields_set == set()


FOLDERS = [
    pytest.param([], "{folder}: holds no overlay: write one, for instance {folder}/local.yaml", id="empty"),
    pytest.param(
        ["_base.yaml", "notes.txt"],
        "{folder}: holds no overlay: write one, for instance {folder}/local.yaml",
        id="only a base and other files",
    ),
    pytest.param(
        ["My_Overlay.yaml"],
        "{folder}/My_Overlay.yaml: an overlay's name must be lower-case letters, digits and dashes, "
        "because it names a folder",
        id="name that makes no folder",
    ),
    pytest.param(
        ["local.yaml", "local.yml"], "{folder}: local.yaml and local.yml are both there: keep one", id="one name twice"
    ),
]


@pytest.mark.parametrize(("files", "message"), FOLDERS)
def test_a_folder_without_usable_overlays(tmp_path: Path, files: list[str], message: str) -> None:
    for file in files:
        (tmp_path / file).write_text("{}")
    with pytest.raises(OverlayError) as caught:
        overlay_names(tmp_path)
    assert caught.value.messages == [message.format(folder=tmp_path)]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OverlayError) as caught:
        overlay_names(tmp_path / "nowhere")
    assert caught.value.messages == [f"{tmp_path}/nowhere: there is no such folder of overlays"]


NAMES = [
    pytest.param("locl", "did you mean local?", id="misspelt"),
    pytest.param("local.yaml", "did you mean local?", id="with its ending"),
    pytest.param("xyz", "there are: local, production", id="like nothing"),
    pytest.param("../overlays/local", "there are: local, production", id="path"),
]


@pytest.mark.parametrize(("name", "hint"), NAMES)
def test_an_overlay_that_is_not_there(tmp_path: Path, name: str, hint: str) -> None:
    for known in ("local", "production"):
        (tmp_path / f"{known}.yaml").write_text("{}")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, [name])
    assert caught.value.messages == [f"there is no overlay {name} in {tmp_path}: {hint}"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("_base", "is a base for other overlays, as its name begins with _: name one that extends it"),
        ("Prod", "an overlay's name must be lower-case letters, digits and dashes, because it names a folder"),
    ],
)
def test_a_file_that_makes_no_environment_is_not_synthesised_by_name(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / f"{name}.yaml").write_text("{}")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, [name])
    assert caught.value.messages == [f"{tmp_path}/{name}.yaml: {message}"]


def test_an_endless_chain_of_overlays(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"o{number}.yaml").write_text(f"extends: o{number + 1}\n")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, ["o0"])
    assert caught.value.messages == [f"{tmp_path}/o100.yaml:1: extends: is a chain of more than 100 overlays"]


def test_a_warning_is_told_once_and_names_the_overlay_whose_line_is_elsewhere(tmp_path: Path) -> None:
    tags = "backend: {image: {tag: abc}}\ndashboard: {image: {tag: abc}}\n"
    (tmp_path / "parent.yaml").write_text(f"postgres: {{enabled: true}}\n{tags}")
    (tmp_path / "kid.yaml").write_text("extends: parent\nbackend: {image: {tag: zzz}}\n")
    (tmp_path / "_base.yaml").write_text("{}\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("extends: _base\n")
    lines = warnings_of(tmp_path, load_overlays(tmp_path, overlay_names(tmp_path)))
    told = [line.removeprefix(f"{tmp_path}/") for line in lines]
    assert told[0] == (
        "parent.yaml:3: dashboard.image.tag: is abc, but the backend's is zzz: both must carry the same tag (in kid)"
    )
    assert [line.split(": ")[0] for line in told[1:]] == ["one.yaml:1"] * 2 + ["two.yaml:1"] * 2


def test_an_error_of_a_base_is_told_once_with_the_number_of_overlays(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(1, 9)]
    for name in names:
        (tmp_path / f"{name}.yaml").write_text("extends: _base\n")
    place = f"{tmp_path}/_base.yaml:3: patches[0].target: "
    faults = {name: [f"{place}fits none of {name}-config", f"{place}second"] for name in names}
    faults["t1"].append(f"{tmp_path}/t1.yaml:1: a: is wrong")
    many = "(in t1, t2, t3, t4, t5 and 3 more overlays)"
    assert told_once(tmp_path, faults) == [
        f"{place}fits none of t1-config {many}",
        f"{place}second {many}",
        f"{tmp_path}/t1.yaml:1: a: is wrong",
    ]
