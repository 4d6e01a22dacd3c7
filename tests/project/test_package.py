"""The package, as a team takes it in: installed from its wheel, in a folder that holds nothing else."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from convexctl import __version__
from tests.support.overlay_cases import ROOT
from tests.support.package import Installed, build, copy_sources

pytest.importorskip("hatchling", reason="needs hatchling: pip install -r requirements-dev.txt")
STARTER = {
    "README.md",
    "cdk8s.yaml",
    "requirements.txt",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".github/workflows/manifests.yaml",
    ".gitlab-ci.yml",
    "overlays/local.yaml",
    "overlays/production.yaml",
    "overlays/schema.json",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def sources(folder: Path) -> Path:
    return copy_sources(folder / "sources")


@pytest.fixture(scope="module")
def wheel(sources: Path, folder: Path) -> Path:
    return build("wheel", sources, folder / "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, folder: Path) -> Installed:
    environment = Installed(folder / "venv")
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def begun(installed: Installed, folder: Path) -> Path:
    """A new repository, synthesised and committed."""
    (new := folder / "begun").mkdir()
    for command in (("convex-k8s", "init"), ("convex-k8s", "synth", "--quiet"), ("git", "init", "-q")):
        done = installed.run(*command, cwd=new)
        assert done.returncode == 0, done.stderr
    commit(installed, new)
    return new


@pytest.fixture
def repository(begun: Path, tmp_path: Path) -> Path:
    """The new repository, for one test alone."""
    return shutil.copytree(begun, tmp_path, dirs_exist_ok=True)


def commit(installed: Installed, repository: Path) -> None:
    installed.run("git", "add", "-A", cwd=repository)
    done = installed.run("git", "commit", "-qm", "All", cwd=repository)
    assert done.returncode == 0, done.stderr


def files(repository: Path) -> set[str]:
    return {
        str(path.relative_to(repository))
        for path in repository.rglob("*")
        if path.is_file() and path.relative_to(repository).parts[0] not in (".git", "dist")
    }


def test_an_empty_folder_becomes_a_repository(installed: Installed, repository: Path) -> None:
    assert installed.run("convex-k8s", "--version", cwd=repository).stdout == f"convex-k8s {__version__}\n"
    assert files(repository) == STARTER
    assert f"convex-k8s=={__version__}\n" in (repository / "requirements.txt").read_text()
    assert {path.name for path in (repository / "dist").iterdir()} == {"local", "production"}
    readme = (repository / "dist/production/README.md").read_text()
    assert "`convex-k8s secrets production --apply`" in readme
    for path in repository.rglob("*"):
        assert ".git" in path.parts or not path.is_file() or "main.py" not in path.read_text(), path


@pytest.mark.parametrize("linked", [False, True], ids=["copied", "linked"])
def test_from_a_folder_the_files_call_the_program_there(
    installed: Installed, sources: Path, tmp_path: Path, linked: bool
) -> None:
    """The documented way of a folder in the repository, from `init` to the check of CI."""
    vendored = tmp_path / "vendor/convex-k8s"
    vendored.parent.mkdir()
    if linked:
        vendored.symlink_to(sources)
    else:
        copy_sources(vendored)
    for name in ("main.py", "requirements.txt"):
        shutil.copy(ROOT / name, vendored / name)
    program = ("python3", "vendor/convex-k8s/main.py")
    done = installed.run(*program, "init", cwd=tmp_path)
    assert done.stdout.endswith("then python3 vendor/convex-k8s/main.py synth\n"), done.stderr
    for path in (path for path in STARTER if not path.endswith("schema.json")):
        assert "convex-k8s synth" not in (tmp_path / path).read_text(), path
    app = yaml.safe_load((tmp_path / "cdk8s.yaml").read_text())["app"]
    assert installed.run(*app.split(), cwd=tmp_path).returncode == 0
    assert (tmp_path / (tmp_path / "requirements.txt").read_text().split()[-1]).is_file()
    (hook,) = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert hook["entry"] == " ".join([*program, "synth", "--quiet"])
    assert re.match(hook["files"], "vendor/convex-k8s")


def test_from_elsewhere_init_says_that_ci_will_not_find_it(installed: Installed, sources: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "main.py", sources)
    done = installed.run("python3", str(sources / "main.py"), "init", cwd=tmp_path)
    assert f"then python3 {sources}/main.py synth\n" in done.stdout
    assert "outside this repository, where CI cannot find it" in done.stdout


def test_what_exists_is_left_as_it_is(installed: Installed, repository: Path) -> None:
    mine = repository / "overlays/local.yaml"
    mine.write_text("releaseName: mine\n")
    (repository / ".gitlab-ci.yml").unlink()
    done = installed.run("convex-k8s", "init", cwd=repository)
    assert done.returncode == 0
    assert "overlays/local.yaml: exists, left as it is\n" in done.stdout
    assert ".gitlab-ci.yml: written\n" in done.stdout
    assert mine.read_text() == "releaseName: mine\n"


def test_commands_find_the_repository_from_a_folder_in_it(installed: Installed, repository: Path) -> None:
    inside = repository / "overlays"
    done = installed.run("convex-k8s", "synth", cwd=inside)
    assert (done.returncode, done.stdout) == (0, "")
    assert "../dist/local: unchanged, " in done.stderr
    (repository / "overlays/schema.json").unlink()
    done = installed.run("convex-k8s", "schema", cwd=inside)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(repository) == STARTER


def test_without_a_repository_the_remedy_is_init(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("convex-k8s", "synth", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    said = "overlays: there is no such folder of overlays; `convex-k8s init` makes a repository"
    assert done.stderr.splitlines() == [said, "1 error; nothing was written"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", [".github/workflows/manifests.yaml", ".gitlab-ci.yml"])
def test_ci_fails_when_dist_is_stale(installed: Installed, repository: Path, file: str) -> None:
    document = yaml.safe_load((repository / file).read_text())
    if file == ".gitlab-ci.yml":
        lines = document["manifests"]["script"]
    else:
        lines = [step["run"] for step in document["jobs"]["dist"]["steps"] if "run" in step]
    script = "\n".join(line for line in lines if not line.startswith("pip "))
    check = ("sh", "-ec", script)
    assert installed.run(*check, cwd=repository).returncode == 0
    overlay = repository / "overlays/local.yaml"
    overlay.write_text(overlay.read_text() + "commonLabels: {team: mine}\n")
    commit(installed, repository)
    assert installed.run(*check, cwd=repository).returncode == 1
    commit(installed, repository)
    (repository / "overlays/new.yaml").write_text("extends: local\nnamespace: new\nreleaseName: new\n")
    assert installed.run(*check, cwd=repository).returncode == 1, "a folder that Git does not know yet"


def test_a_new_version_shows_what_it_changes(
    installed: Installed, wheel: Path, repository: Path, sources: Path, tmp_path: Path, folder: Path
) -> None:
    """The steps of docs/using-it.md: pin, schema, diff, synth, review."""
    newer = copy_sources(folder / "newer")
    version = newer / "convexctl/__init__.py"
    version.write_text(version.read_text().replace(__version__, "99.0.0"))
    naming = newer / "constructs/convex_k8s/naming.py"
    naming.write_text(naming.read_text().replace('"app.kubernetes.io/part-of": "convex"', '"newer": "yes"'))
    try:
        installed.install(build("wheel", newer, folder / "newer-wheel"))
        assert installed.run("convex-k8s", "--version", cwd=repository).stdout == "convex-k8s 99.0.0\n"
        assert installed.run("convex-k8s", "schema", cwd=repository).returncode == 0
        shown = installed.run("convex-k8s", "diff", cwd=repository)
        assert (shown.returncode, "newer" in shown.stdout) == (1, True), shown.stderr
        assert installed.run("convex-k8s", "synth", cwd=repository).returncode == 0
        changed = installed.run("git", "diff", "--unified=0", "dist/local/convex.k8s.yaml", cwd=repository).stdout
        lines = {
            line[1:].strip() for line in changed.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")
        }
        assert lines == {"app.kubernetes.io/part-of: convex", 'newer: "yes"'}
    finally:
        installed.install(wheel)
    back = installed.run("convex-k8s", "synth", cwd=repository)
    assert back.returncode == 0
    assert installed.run("git", "status", "--porcelain", "dist", cwd=repository).stdout == "", "the older one again"


def test_the_sdist_builds_the_same_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", sources, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "again")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert set(one.namelist()) == set(other.namelist())
        assert "convexctl/starter/files/gitignore" in one.namelist()


def test_the_examples_of_the_library_run(installed: Installed, tmp_path: Path) -> None:
    """Without a node on PATH: the wheel brings one. The second example reads what the first one wrote."""
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    for name, body in re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(body)
    python = str(installed.programs / "python")
    done = installed.run("env", f"PATH={installed.programs}", python, "app.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (config,) = yaml.safe_load_all((tmp_path / "dist/web.k8s.yaml").read_text())
    assert config["data"]["CONVEX_URL"] == "http://chat-backend-svc:3210"
    done = installed.run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_convex.py", cwd=tmp_path)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
