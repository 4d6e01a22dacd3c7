"""Each variable and file has the rules of its own kind; and the files that values are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.secrets.env_file import parse, read_lines
from convexctl.secrets.needed import VARIABLES
from convexctl.secrets.private_file import write_private
from convexctl.secrets.value_problems import value_problems
from tests.support.certificates import Authority

SECRET = "hunter2"
"""Stands in values that must never be shown."""
HEX = "f0" * 32
WRONG = {
    "POSTGRES_URL": (f"mysql://u:{SECRET}@db", "postgres://"),
    "MYSQL_URL": (f"postgres://u:{SECRET}@db", "mysql://"),
    "CONVEX_DB_HOST": (f"u:{SECRET}@db", "host"),
    "CONVEX_DB_PORT": (SECRET, "from 1 to 65535"),
    "CONVEX_DB_USERNAME": (f"u:{SECRET}", "percent-encoded"),
    "CONVEX_DB_PASSWORD": (f"{SECRET}/", "percent-encoded"),
    "INSTANCE_NAME": (f"{SECRET}!", "only letters, digits"),
    "INSTANCE_SECRET": (SECRET, "64"),
    "AWS_ACCESS_KEY_ID": (f"{SECRET} ", "space"),
    "AWS_SECRET_ACCESS_KEY": (f"{SECRET}\n", "line"),
    "BACKUP_AWS_ACCESS_KEY_ID": (f"{SECRET} ", "space"),
    "BACKUP_AWS_SECRET_ACCESS_KEY": (f"{SECRET}\n", "line"),
    "AWS_REGION": (f"{SECRET} x", "white space"),
    "S3_ENDPOINT_URL": (f"s3.example.com/{SECRET}", "http"),
    "ANY_OTHER": ("", "it is empty"),
}


@pytest.mark.parametrize("variable", WRONG)
def test_each_variable_is_held_to_its_own_rules(variable: str) -> None:
    value, said = WRONG[variable]
    problems = value_problems(variable, value.encode(), "postgres")
    assert any(said in problem for problem in problems), problems
    assert not any(SECRET in problem for problem in problems)
    assert value_problems(variable, b"\xff", "postgres") == ["it is not text"]


def test_another_variable_may_be_anything_but_empty() -> None:
    assert value_problems("ANY_OTHER", b"x", None) == []


FILES = [name for name, each in VARIABLES.items() if name.endswith(("CA_FILE", "CA_CERTS"))]


@pytest.mark.parametrize("variable", FILES)
def test_a_ca_is_a_certificate_without_its_key(variable: str) -> None:
    authority = Authority()
    assert value_problems(variable, authority.pem, None) == []
    (no_certificate,) = value_problems(variable, SECRET.encode(), None)
    assert "holds no certificate in PEM form" in no_certificate
    (private,) = value_problems(variable, authority.pem + authority.issue("a").key_pem, None)
    assert "holds a private key" in private


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"auths": {"reg.example.com": {"auth": "x"}}}', ""),
        ('{"auths": {"reg.example.com": {"username": "u", "password": "x"}}}', ""),
        ('{"auths": {"a": {"auth": "x"}, "b": {}}}', "holds no credentials"),
        ('{"auths": {}}', "holds no credentials"),
        ('{"auths": []}', "holds no credentials"),
        ('{"auths": ["auth"]}', "is not one that `docker login` writes"),
        ('{"auths": {"a": 1}}', "is not one that `docker login` writes"),
        ('{"credsStore": "desktop"}', "is not one that `docker login` writes"),
        ("[]", "is not one that `docker login` writes"),
        (SECRET, "is not one that `docker login` writes"),
    ],
)
def test_the_credentials_of_a_registry_are_in_the_file(content: str, said: str) -> None:
    problems = value_problems("DOCKER_CONFIG_FILE", content.encode(), None)
    assert len(problems) == (1 if said else 0)
    assert all(said in problem and SECRET not in problem for problem in problems)


class TestEnvFile:
    KNOWN = ("POSTGRES_URL", "name")

    def test_values_are_taken_as_they_are(self) -> None:
        lines = ["", "# POSTGRES_URL=no", "  POSTGRES_URL=a=b # c ", "name=", "OTHER_NAME=x", "MAY_BE_EMPTY="]
        found = parse(Path("f"), lines, self.KNOWN)
        assert found.values == {"POSTGRES_URL": "a=b # c ", "name": "", "OTHER_NAME": "x", "MAY_BE_EMPTY": ""}
        assert found.unused == {5: "OTHER_NAME", 6: "MAY_BE_EMPTY"}
        assert SECRET not in repr(parse(Path("f"), [f"{SECRET}={SECRET}"], self.KNOWN))

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (SECRET, "is not of the form NAME=VALUE"),
            (f"POSTGRES_URL ={SECRET}", "is not of the form NAME=VALUE"),
            (f"={SECRET}", "is not of the form NAME=VALUE"),
            (f"{SECRET}==", "looks like a value without a name"),
            (f"{HEX}=x", "looks like a value without a name"),
            (f"name={SECRET}", "name is there a second time"),
            (f"other={SECRET}", "its name is there a second time"),
        ],
    )
    def test_a_wrong_line_is_named_by_its_number(self, line: str, said: str) -> None:
        with pytest.raises(UserError) as caught:
            parse(Path("f"), ["name=a", "other=b", line, "nothing"], self.KNOWN)
        first, second = str(caught.value).splitlines()
        assert first.startswith("f:3: ")
        assert said in first
        assert second.startswith("f:4: ")
        assert SECRET not in first
        assert HEX not in first

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "latin").write_bytes(b"A=\xe9\n")
        for name, said in (("gone", "cannot be read: No such file"), ("latin", "is not a text file in UTF-8")):
            with pytest.raises(UserError, match=said):
                read_lines(tmp_path / name)
        (tmp_path / "marked").write_bytes(b"\xef\xbb\xbfA=b\n")
        assert read_lines(tmp_path / "marked") == ["A=b", ""]


def test_a_file_of_secrets_is_the_users_alone_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("secrets.yaml", "new")]


def test_a_link_or_a_folder_is_no_place_for_secrets(tmp_path: Path) -> None:
    target, link, gone = tmp_path / "target", tmp_path / "link", tmp_path / "gone"
    target.write_text("old")
    link.symlink_to(target)
    gone.symlink_to(tmp_path / "nowhere")
    for path in (link, gone, tmp_path):
        with pytest.raises(UserError, match="is not a file"):
            write_private(path, "new")
    assert target.read_text() == "old"
    with pytest.raises(UserError, match="cannot be written: No such file"):
        write_private(tmp_path / "no" / "folder", "new")
