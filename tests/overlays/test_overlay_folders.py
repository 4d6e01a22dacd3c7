"""Overlays in sub-folders: what they are called, what they extend, and what synth makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import lineage, load_overlays
from convexctl.overlays.names import OverlayError, named_overlays, overlay_names
from tests.support.command_line import run


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def tenant(name: str) -> str:
    return f"extends: _tenant\nnamespace: {name}\n"


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    files = {
        "local.yaml": "{}\n",
        "_base.yaml": "backend: {persistence: {enabled: true, size: 3Gi}}\n",
        "tenants/_tenant.yaml": "extends: _base\nreleaseName: tenant\n",
        "tenants/acme.yaml": tenant("acme"),
        "tenants/eu/globex.yml": "extends: tenants/_tenant\nnamespace: globex\n",
        "_patches/anything.yaml": "no: overlay\n",
        ".hidden/anything.yaml": "no: overlay\n",
        "sealed/tenants/acme.yaml": "no: overlay\n",
    }
    return put(tmp_path / "overlays", files)


def test_an_overlay_in_a_folder_is_named_with_it(overlays: Path) -> None:
    assert overlay_names(overlays) == ["local", "tenants/acme", "tenants/eu/globex"]


def test_extends_looks_beside_the_overlay_first(overlays: Path) -> None:
    names = ["tenants/acme", "tenants/eu/globex"]
    assert [overlay.values.backend.persistence.size for overlay in load_overlays(overlays, names)] == ["3Gi", "3Gi"]
    assert lineage(overlays, "tenants/acme") == ["tenants/acme", "tenants/_tenant", "_base"]
    put(overlays, {"tenants/_base.yaml": "backend: {persistence: {enabled: true, size: 4Gi}}\n"})
    assert load_overlays(overlays, ["tenants/acme"])[0].values.backend.persistence.size == "4Gi"


FAULTS = {
    "clash": (
        {"prod.yaml": "", "prod/eu/x.yaml": ""},
        ["{at}/prod.yaml and {at}/prod/eu/x.yaml: dist/prod would hold dist/prod/eu/x: rename one of them"],
    ),
    "folder": (
        {"Tenants/acme.yaml": ""},
        [
            "{at}/Tenants/acme.yaml: an overlay's name must be lower-case letters, digits and dashes, because it names "
            "a folder, and so must that of each of its folders: Tenants is not"
        ],
    ),
    "twice": ({"t/a.yaml": "", "t/a.yml": ""}, ["{at}: t/a.yaml and t/a.yml are both there: keep one"]),
    "base": (
        {"t/a.yaml": "extends: _tennant", "t/_tenant.yaml": ""},
        ["{at}/t/a.yaml:1: extends: there is no overlay _tennant in {at}: did you mean t/_tenant?"],
    ),
    "loop": (
        {"t/a.yaml": "extends: _b", "t/_b.yaml": "extends: t/a"},
        ["{at}/t/_b.yaml:1: extends: the overlays extend each other in a loop: t/a -> t/_b -> t/a"],
    ),
    "sealed": (
        {"a.yaml": "extends: sealed/a", "sealed/a.yaml": ""},
        ["{at}/a.yaml:1: extends: there is no overlay sealed/a in {at}: there are: a"],
    ),
}


@pytest.mark.parametrize(("files", "messages"), FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path: Path, files: dict[str, str], messages: list[str]) -> None:
    put(tmp_path, files)
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, overlay_names(tmp_path))
    assert caught.value.messages == [message.format(at=tmp_path) for message in messages]


@pytest.mark.parametrize("name", ["prod", "prod/eu/x"])
def test_a_clash_is_told_when_only_one_of_both_is_named(tmp_path: Path, name: str) -> None:
    put(tmp_path, {"prod.yaml": "", "prod/eu/x.yaml": ""})
    with pytest.raises(OverlayError, match=r"/prod\.yaml and .*/prod/eu/x\.yaml: dist/prod would hold"):
        load_overlays(tmp_path, [name])


@pytest.mark.parametrize("name", ["tenants/../local", "tenants//acme", "/local", ".hidden/anything", "x/" * 3000])
def test_a_path_out_of_the_way_is_no_name(overlays: Path, name: str) -> None:
    with pytest.raises(OverlayError, match="there is no overlay"):
        load_overlays(overlays, [name])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], ["local", "tenants/acme", "tenants/eu/globex"]),
        (["*"], ["local"]),
        (["tenants/*", "local", "tenants/acme"], ["tenants/acme", "local"]),
        (["tenants/**"], ["tenants/acme", "tenants/eu/globex"]),
        (["**"], ["local", "tenants/acme", "tenants/eu/globex"]),
        (["tenants/[a-f]*"], ["tenants/acme"]),
    ],
)
def test_patterns(overlays: Path, asked: list[str], found: list[str]) -> None:
    assert named_overlays(overlays, asked) == found


def test_a_pattern_that_matches_nothing_lists_what_there_is(overlays: Path) -> None:
    with pytest.raises(OverlayError) as caught:
        named_overlays(overlays, ["stages/*", "local"])
    there = "local, tenants/acme, tenants/eu/globex"
    assert caught.value.messages == [f"no overlay in {overlays} matches stages/*: there are: {there}"]


def test_synth_of_folders(overlays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (overlays / "local.yaml").unlink()
    dist = tmp_path / "dist"
    arguments = ["synth", "--overlays", str(overlays), "-o", str(dist)]
    assert run(capsys, *arguments).code == 0
    text = (dist / "tenants" / "acme" / "convex.k8s.yaml").read_text()
    assert "convex-k8s/overlay: tenants/acme\n" in text
    assert "storage: 3Gi" in text
    assert "dist/tenants/acme" in (dist / "tenants" / "acme" / "README.md").read_text()
    assert f"{dist}/tenants/eu/globex: unchanged" in run(capsys, *arguments, "--force", "tenants/**").stderr
    put(overlays, {"tenants/_tenant.yaml": "extends: _base\nreleaseName: other\n"})
    stopped = run(capsys, *arguments)
    assert stopped.code == 3, "the name of a release cannot be changed"
    assert f"{overlays}/tenants/acme.yaml" in stopped.stderr
    (overlays / "tenants" / "eu" / "globex.yml").unlink()
    put(overlays, {"tenants/_tenant.yaml": "extends: _base\nreleaseName: tenant\n"})
    assert f"{dist}/tenants/eu/globex: removed" in run(capsys, *arguments).stderr
    assert sorted(path.name for path in (dist / "tenants").iterdir()) == ["acme"]


@pytest.mark.parametrize("base", [True, False])
def test_an_overlay_that_leads_nowhere_is_an_error_and_its_environment_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: bool
) -> None:
    folder, dist = put(tmp_path / "overlays", {"a.yaml": "{}\n", "t/b.yaml": "namespace: b\n"}), tmp_path / "dist"
    arguments = ("synth", "--overlays", str(folder), "--output", str(dist))
    assert run(capsys, *arguments).code == 0
    lost = folder / "t" / ("_base.yaml" if base else "b.yaml")
    lost.unlink(missing_ok=True)
    lost.symlink_to(tmp_path / "gone.yaml")
    for asked in ((), ("t/b",)) if not base else ((),):
        done = run(capsys, *arguments, *asked)
        assert (done.code, done.stdout) == (1, "")
        assert f"{lost}: is not a file: a link to nowhere, or a named pipe" in done.stderr
    assert (dist / "t" / "b" / "convex.k8s.yaml").is_file()
