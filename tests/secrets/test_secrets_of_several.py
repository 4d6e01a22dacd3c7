"""`main.py secrets` for several environments: printed or written as a whole, and nothing is shared unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.command_line import Done, run

GIVEN = ("INSTANCE_NAME", "INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY")
TENANT = """
namespace: {name}
releaseName: {name}
instance: {{name: {name}}}
postgres: {{enabled: true, existingSecret: {name}-postgres}}
s3: {{enabled: false}}
"""
URL = "postgresql://convex:hunter2@db.example.com:5432"


@pytest.fixture
def overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*GIVEN, "POSTGRES_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "overlays"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(TENANT.format(name=name))
    return folder


def secrets(capsys: pytest.CaptureFixture[str], overlays: Path, *arguments: str) -> Done:
    return run(capsys, "secrets", *arguments, "--offline", "--overlays", str(overlays))


def keys_by_place(stream: str) -> dict[str, set[str]]:
    documents = [document for document in yaml.safe_load_all(stream) if document]
    return {f"{its['metadata']['namespace']}/{its['metadata']['name']}": set(its["data"]) for its in documents}


@pytest.mark.parametrize("asked", [("--all",), ("one", "two"), ("*",)], ids=["all", "names", "pattern"])
def test_one_stream_holds_the_secrets_of_all(
    capsys: pytest.CaptureFixture[str], overlays: Path, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    values = tmp_path / "values.env"
    values.write_text(f"POSTGRES_URL={URL}\nNOT_USED=x\n")
    done = secrets(capsys, overlays, *asked, "--from-env-file", str(values))
    assert done.code == 0, done.stderr
    places = keys_by_place(done.stdout)
    assert {"one/one-postgres", "two/two-postgres"} <= places.keys()
    of_instance = [data["INSTANCE_SECRET"] for data in done.secrets().values() if "INSTANCE_SECRET" in data]
    assert len(of_instance) == len(set(of_instance)) == 2
    assert done.stderr.count(f"{values}:2: not used") == 1
    assert "== one\n" in done.stderr
    assert "== two\n" in done.stderr


def test_a_fault_of_one_prints_and_writes_none(
    capsys: pytest.CaptureFixture[str], overlays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (overlays / "two.yaml").write_text(TENANT.format(name="two") + "mysteries: 1\n")
    monkeypatch.setenv("POSTGRES_URL", URL)
    done = secrets(capsys, overlays, "--all")
    assert (done.code, done.stdout) == (1, "")
    assert "two.yaml:7: mysteries" in done.stderr
    assert "no Secret was printed or written" in done.stderr
    written = tmp_path / "secrets.yaml"
    assert secrets(capsys, overlays, "--all", "-o", str(written)).code == 1
    assert not written.exists()
    assert secrets(capsys, overlays, "one", "-o", str(written)).code == 0
    assert "one/one-postgres" in keys_by_place(written.read_text())


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("from_file", [False, True], ids=["environment", "file"])
def test_what_each_needs_of_its_own_is_not_given_to_all(
    capsys: pytest.CaptureFixture[str],
    overlays: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    from_file: bool,
) -> None:
    monkeypatch.setenv("POSTGRES_URL", URL)
    file, more = tmp_path / "values.env", []
    if from_file:
        file.write_text(f"{name}=hunter2-of-one\n")
        more = ["--from-env-file", str(file)]
    else:
        monkeypatch.setenv(name, "hunter2-of-one")
    done = secrets(capsys, overlays, "--all", *more)
    assert (done.code, done.stdout) == (1, "")
    assert f"{name}, from {file if from_file else 'the environment'}, would be that of all 2" in done.stderr
    assert "hunter2" not in done.stderr


def test_usage_with_several(capsys: pytest.CaptureFixture[str], overlays: Path) -> None:
    assert secrets(capsys, overlays).code == 2
    assert secrets(capsys, overlays, "--all", "--rotate").code == 2
    done = secrets(capsys, overlays, "one", "--all")
    assert done.code == 2
    assert "--include-made" in done.stderr


def test_a_further_argument_that_may_be_a_secret_is_not_repeated(
    capsys: pytest.CaptureFixture[str], overlays: Path
) -> None:
    done = secrets(capsys, overlays, "one", "hunter2", "tow", "hunter2-*")
    assert (done.code, done.stdout) == (2, "")
    assert "hunter2" not in done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "argument 2",
        "argument 3",
        "argument 4",
    ]
