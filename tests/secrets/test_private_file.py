"""A file for secrets is looked at where it really lies: links and `..` followed, and in nobody's commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.secrets.private_file import check_not_in_git


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A Git work tree that ignores one file, with a folder beside it."""
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text("ignored.yaml\n")
    return folder


def test_a_path_that_leads_out_of_the_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    check_not_in_git(Path("../secrets.yaml"))
    check_not_in_git(Path("deep/../../secrets.yaml"))


@pytest.mark.parametrize("name", ["secrets.yaml", "deep/../secrets.yaml", "../beside/../tree/secrets.yaml"])
def test_a_path_that_stays_in_it(tree: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(UserError, match=f"is in the Git work tree {tree} and not ignored"):
        check_not_in_git(Path(name))


def test_a_link_into_the_tree(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "beside" / "in").symlink_to(tree / "deep")
    with pytest.raises(UserError, match=f"is in the Git work tree {tree} and not ignored"):
        check_not_in_git(tmp_path / "beside" / "in" / "secrets.yaml")
    check_not_in_git(tmp_path / "beside" / "in" / "ignored.yaml")


def test_a_link_out_of_the_tree(tree: Path, tmp_path: Path) -> None:
    (tree / "out").symlink_to(tmp_path / "beside")
    check_not_in_git(tree / "out" / "secrets.yaml")


def test_a_hook_does_not_lead_git_to_another_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "other")], check=True)
    (tmp_path / "other" / ".git" / "info" / "exclude").write_text("secrets.yaml\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    with pytest.raises(UserError, match=f"is in the Git work tree {tree} and not ignored"):
        check_not_in_git(tree / "secrets.yaml")


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    check_not_in_git(tmp_path / "a" / "secrets.yaml")


def test_what_git_complains_of_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".git").write_text("gitdir: /nonexistent\n")
    with pytest.raises(UserError, match="is in the Git work tree"):
        check_not_in_git(tmp_path / "secrets.yaml")
    assert capfd.readouterr() == ("", "")
