"""The search for secret values in what the suite leaves behind knows the values, and finds them wherever they are."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexctl import cli
from convexctl.secrets.value_rules import generate_instance_secret
from tests.support import secret_watch
from tests.support.command_line import run
from tests.support.overlay_cases import ROOT
from tests.support.secret_search import Search, join, runs

PASSWORD = "correct-horse-battery"
URL = f"postgresql://convex:{PASSWORD}@db.example.com:5432"
MAKE = "from convexctl.secrets.value_rules import generate_instance_secret; value = generate_instance_secret()"


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Search]:
    """A search of the test's own, so that what is planted here does not fail the run."""
    mine = Search(tmp_path / "notes")
    monkeypatch.setattr(secret_watch, "current", mine)
    yield mine
    mine.settle()


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code of the program in a process of its own, whose environment has nothing else."""
    search_path = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": search_path, "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_it_knows_what_a_run_makes_and_is_given(
    search: Search, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "test.yaml").write_text("{s3: {enabled: false}, postgres: {enabled: true}}\n")
    monkeypatch.setenv("POSTGRES_URL", URL)
    monkeypatch.setenv("INSTANCE_NAME", "shop")
    done = run(capsys, "secrets", "test", "--overlays", str(tmp_path), "--offline")
    assert done.code == 0
    assert search.given == {PASSWORD}
    assert search.counts["values made"] == 2, "the instance secret, the nonce of the admin key"
    assert search.settle() == [], "its standard output is where both belong"
    secret = next(data["INSTANCE_SECRET"] for data in done.secrets().values() if "INSTANCE_SECRET" in data)
    for number, planted in enumerate((PASSWORD, secret, base64.b64encode(secret.encode()).decode())):
        search.see(f"place {number}", f"words around={planted}!", of_the_program=True)
    assert search.settle() == ["place 0", "place 1", "place 2"]


def test_it_finds_a_value_that_a_process_made_in_what_it_printed(search: Search) -> None:
    in_a_process(f"import sys; {MAKE}; print('error:', value, file=sys.stderr)")
    (place,) = search.settle()
    assert place.endswith("printed on standard error")


def test_it_finds_a_value_that_a_process_made_in_the_arguments_of_a_program(search: Search) -> None:
    in_a_process(f"import subprocess; {MAKE}; subprocess.run(['/bin/true', '--key', value])")
    assert search.settle() == ["the arguments of '/bin/true'"]


def test_it_finds_a_value_that_a_process_was_given_in_the_arguments_of_a_program(search: Search) -> None:
    fake = ROOT / "tests" / "main.py"
    code = f"import subprocess, sys; subprocess.run(['/bin/true', {PASSWORD!r}])"
    subprocess.run([sys.executable, "-c", code, str(fake)], env={"POSTGRES_URL": URL}, check=True)
    assert "the arguments of '/bin/true'" in search.settle()
    assert search.counts["processes"] == 1


def test_it_finds_a_value_in_the_arguments_of_what_a_run_starts(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_URL", URL)
    monkeypatch.setattr("convexctl.commands.schema.run", lambda _: subprocess.run(["/nowhere", PASSWORD], check=True))
    assert cli.run(["schema"]) == 1
    assert search.settle() == ["the arguments of '/nowhere'"]


def test_a_value_of_one_test_is_found_in_the_output_of_another(search: Search, tmp_path: Path) -> None:
    """Also if another worker ran it, and before the value was known to anybody."""
    other = Search(tmp_path / "others-notes")
    value = secrets.token_hex(32)
    other.see("what a test printed", f"it is {value}", of_the_program=False)
    assert other.settle("its name") == []
    search.note("made", value)
    places, counts = join([search.result(), other.result()])
    assert places == ["what a test printed (its name)"]
    assert (counts["values made"], counts["texts"]) == (1, 1)


def test_it_finds_what_was_made_in_files_that_others_can_read(search: Search, tmp_path: Path) -> None:
    value = generate_instance_secret()
    private, public = tmp_path / "private", tmp_path / "public"
    for path, mode in ((private, 0o600), (public, 0o644)):
        path.write_text(json.dumps({"key": value}))
        path.chmod(mode)
    search.see_files(tmp_path.iterdir())
    assert search.settle() == [f"the file {public}"]
    public.unlink()


@pytest.mark.parametrize(
    ("words", "private"),
    [
        ("python main.py secrets local", True),
        ("main.py admin-key local", True),
        ("sh -c 'convex-k8s secrets local >file'", True),
        ("main.py synth secrets", False),
        ("main.py", False),
        ("sh -c 'main.py secrets local | kubectl apply --filename=-'", False),
        ("/bin/kubeseal --recovery-unseal --recovery-private-key=file", True),
        ("kubectl --context a get secret it --output=json", True),
        ("kubectl get pods", False),
        ("kubectl create secret generic it", False),
    ],
)
def test_it_leaves_out_only_what_is_meant_to_print_values(words: str, private: bool) -> None:
    assert secret_watch.is_private(words.split(" ")) == private


def test_a_value_is_recognised_wherever_it_is_cut_out_of_base64() -> None:
    value = secrets.token_hex(32)
    for before in range(3):
        encoded = base64.b64encode(b"=" * before + value.encode() + b"}")
        assert any(value[2:22] in run for run in runs(b"data: " + encoded)), before
