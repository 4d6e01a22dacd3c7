"""`--name` makes an environment that has no overlay of its own: a preview of a branch."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from convexctl.overlays.command_line_values import own_name, setting
from tests.support.command_line import Done, run
from tests.support.overlay_cases import ROOT, SAMPLES


class Repository:
    """Overlays with a base for previews, and commands on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.overlays, self.dist, self._capsys = folder / "overlays", folder / "dist", capsys
        self.overlays.mkdir()
        (self.overlays / "local.yaml").write_bytes((SAMPLES / "local.yaml").read_bytes())
        (self.overlays / "_preview.yaml").write_text("extends: local\nreleaseName: convex\ncreateNamespace: true\n")

    def run(self, *arguments: str) -> Done:
        output = ["-o", str(self.dist)] if arguments[0] in ("synth", "diff") else []
        return run(self._capsys, *arguments, "--overlays", str(self.overlays), *output)

    def digest(self) -> str:
        files = sorted(path for path in self.dist.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


@pytest.fixture
def repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Repository:
    return Repository(tmp_path, capsys)


@pytest.mark.process
def test_an_environment_of_its_own(repository: Repository) -> None:
    given = ["_preview", "--set", "dashboard.replicaCount=2", "--name", "pr-42"]
    done = repository.run("synth", *given)
    assert done.code == 0, done.stderr
    assert [path.name for path in repository.dist.iterdir()] == ["pr-42"]
    objects = list(yaml.safe_load_all((repository.dist / "pr-42" / "convex.k8s.yaml").read_text()))
    assert {each["metadata"]["namespace"] for each in objects} == {"pr-42"}
    assert {each["metadata"]["annotations"]["convex-k8s/overlay"] for each in objects} == {"pr-42"}
    assert [each["spec"]["replicas"] for each in objects if each["kind"] == "Deployment"] == [2]
    page = (repository.dist / "pr-42" / "README.md").read_text()
    commands = re.findall(r"python3 main\.py (?:diff|admin-key|secrets|synth) ([^`]*)", page)
    assert commands and all(shlex.split(each)[: len(given)] == given for each in commands)
    assert repository.run("diff", *given).stdout == "pr-42: unchanged\n"
    subprocess.run(["sha256sum", "-c", "--quiet", ".convex-k8s"], cwd=repository.dist / "pr-42", check=True)


def test_everything_else_leaves_it(repository: Repository) -> None:
    repository.run("synth", "_preview", "--name", "pr-42")
    for _ in range(2):
        assert "pr-42: left as it is: made from _preview by --name\n" in repository.run("synth").stderr
    assert {path.name for path in repository.dist.iterdir()} == {"local", "pr-42"}
    before = repository.digest()
    assert repository.run("diff").stdout == "local: unchanged\n"
    assert "unchanged" in repository.run("synth", "_preview", "--name", "pr-42").stderr
    assert repository.digest() == before
    # An overlay of that name takes the environment over, and goes like any other.
    (repository.overlays / "pr-42.yaml").write_text("extends: _preview\nnamespace: pr-42\n")
    assert "left as it is" not in repository.run("synth").stderr
    (repository.overlays / "pr-42.yaml").unlink()
    assert "pr-42: removed" in repository.run("synth").stderr


def test_the_file_of_an_overlay_may_stand_for_it(repository: Repository) -> None:
    values = repository.overlays.parent / "more.yaml"
    values.write_text("namespace: mine\n")
    file = str(repository.overlays / "local.yaml")
    done = repository.run("synth", "-f", file, "-f", str(values), "--name", "previews/pr-1")
    assert done.code == 0, done.stderr
    manifests = (repository.dist / "previews" / "pr-1" / "convex.k8s.yaml").read_text()
    assert "namespace: mine\n" in manifests
    assert "namespace: previews-pr-1" not in manifests


def test_the_guard_knows_it(repository: Repository) -> None:
    repository.run("synth", "_preview", "--name", "pr-42")
    before = repository.digest()
    done = repository.run("synth", "_preview", "--name", "pr-42", "--set", "backend.persistence.enabled=false")
    assert done.code == 3
    assert f"put this into {repository.overlays}/_preview.yaml" in done.stderr
    assert repository.digest() == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--name", "x"], 2, "name the overlay that it is made from"),
        (["local", "production", "--name", "x"], 2, "name the overlay that it is made from"),
        (["*", "--name", "x"], 2, "name the overlay that it is made from"),
        (["local", "--name", "x", "--name", "y"], 2, "given 2 times"),
        (["local", "--name", "X"], 2, "must be lower-case"),
        (["local", "--name", "../x"], 2, "must be lower-case"),
        (["local", "--name", "local"], 1, "there is an overlay of that name"),
        (["local", "--name", "local/x"], 1, "the folder of the overlay"),
        (["local", "--name", "x", "--set", "namespace="], 1, " and --name x: "),
        (["local", "--name", "x" * 64], 1, "--name: namespace: must be a DNS label"),
    ],
)
def test_what_cannot_be(repository: Repository, arguments: list[str], code: int, said: str) -> None:
    done = repository.run("synth", *arguments)
    assert (done.code, said in done.stderr) == (code, True), done.stderr
    assert not repository.dist.exists()


def test_commands_of_several_overlays_take_one(repository: Repository) -> None:
    assert repository.run("preflight", "--all", "--name", "x").code == 2
    assert repository.run("diff", "--name", "x").code == 2


def test_the_page_shows_what_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = (ROOT / "docs" / "overlays.md").read_text().partition("\n## Preview environments\n")[2]
    section = section.partition("\n## ")[0]
    repository = Repository(tmp_path, capsys)
    (repository.overlays / "_preview.yaml").write_text(section.partition("```yaml\n")[2].partition("```")[0])
    (line,) = re.findall(r"^python3 main\.py (synth .*)$", section, re.MULTILINE)
    assert repository.run(*shlex.split(line)).code == 0
    for place in re.findall(r"kubectl apply -f dist/(\S+)", section):
        assert (repository.dist / place).exists()


def test_the_name_lies_below_all_other_layers() -> None:
    assert own_name("a/b").layer.plain() == {"namespace": "a-b"}
    assert setting("namespace=c").layer.plain() == {"namespace": "c"}
