"""`main.py admin-key`: a key for the instance that really runs, and what somebody else's key is."""

from __future__ import annotations

import getpass
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from convexctl.secrets.admin_key import AdminKey, make_admin_key, open_admin_key
from convexctl.secrets.value_rules import generate_instance_secret
from tests.support.command_line import Done, assert_none_of, on_samples, run
from tests.support.kubectl_stub import KubectlStub

SECRET, OTHER_SECRET = generate_instance_secret(), generate_instance_secret()
KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
POSTGRES = "convex-postgres-secret"
NAME = "convex-prod"

Runner = Callable[..., Done]


class Terminal(io.StringIO):
    """A terminal as standard input."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", f"{stub.programs}{os.pathsep}{os.environ['PATH']}")
    return stub


@pytest.fixture
def admin_key(cluster: KubectlStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs `admin-key`. The instance secret is never printed, and a key on standard output alone."""
    for name in ("INSTANCE_SECRET", "INSTANCE_NAME", KEY):
        monkeypatch.delenv(name, raising=False)

    def run_admin_key(*arguments: str, stdin: str | io.TextIOBase = "", **environment: str) -> Done:
        with monkeypatch.context() as context:
            context.setattr(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
            for name, value in environment.items():
                context.setenv(name, value)
            done = run(capsys, "admin-key", *on_samples(arguments))
        assert_none_of([SECRET, OTHER_SECRET], done.stdout + done.stderr)
        assert not re.search(r"\|[0-9a-f]{40}", done.stderr)
        return done

    return run_admin_key


def in_cluster(cluster: KubectlStub, secret: str = SECRET) -> None:
    cluster.secret(POSTGRES, {"INSTANCE_NAME": NAME, "INSTANCE_SECRET": secret})


def opened(done: Done, name: str = NAME, secret: str = SECRET) -> AdminKey:
    assert done.code == 0, done.stderr
    return open_admin_key(done.stdout.removesuffix("\n"), name, secret)


def test_it_prints_the_key_alone(admin_key: Runner, cluster: KubectlStub) -> None:
    in_cluster(cluster)
    done = admin_key("production")
    assert (opened(done).member_id, opened(done).read_only) == (0, False)
    assert f"made from the Secret {POSTGRES}, namespace here, context test" in done.stderr


def test_a_key_can_be_read_only_and_of_a_member(admin_key: Runner, cluster: KubectlStub) -> None:
    in_cluster(cluster)
    key = opened(admin_key("production", "--read-only", "--member-id", "7"))
    assert (key.member_id, key.read_only) == (7, True)


@pytest.mark.parametrize("member_id", ["-1", str(2**64)])
def test_a_member_id_is_a_number_of_64_bits(admin_key: Runner, cluster: KubectlStub, member_id: str) -> None:
    in_cluster(cluster)
    done = admin_key("production", f"--member-id={member_id}")
    assert (done.code, done.stdout) == (1, "")
    assert "the member id must be between 0 and 2^64 - 1" in done.stderr


@pytest.mark.parametrize(
    ("overlay", "url"), [("local", "http://localhost:3210"), ("production", "https://api.example.com")]
)
def test_it_prints_the_lines_of_a_projects_env_local(
    admin_key: Runner, cluster: KubectlStub, overlay: str, url: str
) -> None:
    in_cluster(cluster)
    cluster.pod(NAME, SECRET)
    done = admin_key(overlay, "--env")
    first, second = done.stdout.splitlines()
    assert first == f"CONVEX_SELF_HOSTED_URL='{url}'"
    assert re.fullmatch(rf"{KEY}='([\w-]+\|[0-9a-f]+)'", second)
    assert "CONVEX_DEPLOYMENT must not be set beside these" in done.stderr


# Where the instance secret comes from


def test_in_a_pod_is_what_no_secret_has(admin_key: Runner, cluster: KubectlStub) -> None:
    cluster.pod("convex-self-hosted", SECRET)
    done = admin_key("local")
    assert opened(done, "convex-self-hosted").instance_name == "convex-self-hosted"
    assert "made from the pod convex-local-backend-0, namespace here, context test" in done.stderr
    assert [
        "exec",
        "convex-local-backend-0",
        "--container=convex-backend",
        "--",
        "head",
        "--quiet",
        "--lines=1",
        "/convex/data/credentials/instance_name",
        "/convex/data/credentials/instance_secret",
    ] in [call[1:] for call in cluster.calls]


def test_the_cluster_counts_before_the_environment(admin_key: Runner, cluster: KubectlStub) -> None:
    in_cluster(cluster)
    done = admin_key("production", INSTANCE_SECRET=OTHER_SECRET)
    opened(done)
    assert "note: INSTANCE_SECRET of the environment is another one, and is not used" in done.stderr


@pytest.mark.parametrize("arguments", [["--offline"], []], ids=["not asked", "unreachable"])
def test_without_the_cluster_the_environment_has_it(
    admin_key: Runner, cluster: KubectlStub, arguments: list[str]
) -> None:
    in_cluster(cluster, OTHER_SECRET)
    cluster.fail("The connection to the server was refused")
    done = admin_key("production", *arguments, INSTANCE_SECRET=SECRET, INSTANCE_NAME=NAME)
    opened(done)
    assert "made from INSTANCE_SECRET of the environment" in done.stderr


def test_an_instance_name_of_the_overlay_needs_no_secret(admin_key: Runner, tmp_path: Path) -> None:
    (tmp_path / "named.yaml").write_text("{instance: {name: team-a}, postgres: {enabled: true}}")
    opened(admin_key("named", "--overlays", str(tmp_path), "--offline", INSTANCE_SECRET=SECRET), "team-a")


NOT_IN_SECRET = f"not in the Secret {POSTGRES}, key INSTANCE_SECRET, nor in a running pod convex-backend-0"


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        pytest.param(
            "{postgres: {enabled: true}}",
            NOT_IN_SECRET,
            "make one: python3 main.py secrets test --apply",
            id="existing",
        ),
        pytest.param(
            "{postgres: {enabled: true}, secrets: {provider: sealed-secrets}}",
            NOT_IN_SECRET,
            "make one: python3 main.py secrets test --seal, then synth and kubectl apply -f dist/test/",
            id="sealed-secrets",
        ),
        pytest.param(
            "{postgres: {enabled: true}, s3: {enabled: false}, secrets: {provider: external-secrets, "
            "externalSecrets: {storeName: vault}}}",
            NOT_IN_SECRET,
            "External Secrets Operator brings it from the store: kubectl apply -f dist/test/",
            id="external-secrets",
        ),
        pytest.param(
            "{secrets: {provider: bootstrap}}",
            "not in the Secret convex-instance, key INSTANCE_SECRET, nor in a running pod convex-backend-0",
            "the bootstrap Job makes one: kubectl apply -f dist/test/",
            id="bootstrap",
        ),
        pytest.param(
            "{}",
            "not in a running pod convex-backend-0",
            "the backend makes one at its first start: kubectl apply -f dist/test/",
            id="a volume",
        ),
    ],
)
def test_an_instance_secret_that_is_nowhere_is_said_with_the_cure(
    admin_key: Runner, cluster: KubectlStub, tmp_path: Path, text: str, message: str, cure: str
) -> None:
    (tmp_path / "test.yaml").write_text(text)
    cluster.pod(phase="Pending")
    done = admin_key("test", "--overlays", str(tmp_path))
    assert (done.code, done.stdout) == (1, "")
    assert f"{message} (namespace here, context test)" in done.stderr
    assert done.stderr.endswith(f"INSTANCE_SECRET is not set in the environment. {cure}\n")


def test_a_running_pod_that_cannot_be_asked_is_said(admin_key: Runner, cluster: KubectlStub) -> None:
    cluster.pod()
    assert "the cluster cannot be asked: error: container not found" in admin_key("local").stderr


def test_a_name_that_is_nowhere_is_said(admin_key: Runner) -> None:
    done = admin_key("production", "--offline", INSTANCE_SECRET=SECRET)
    assert done.code == 1
    assert "no instance name was found: the cluster was not asked; INSTANCE_NAME is not set" in done.stderr


def test_an_instance_secret_that_the_backend_refuses_is_said(admin_key: Runner) -> None:
    done = admin_key("production", "--offline", INSTANCE_SECRET="hunter2", INSTANCE_NAME="a|b")
    assert done.code == 1
    assert "the instance secret (INSTANCE_SECRET of the environment): it must be 64 hex digits" in done.stderr
    assert "the instance name: it must not have `:` or `|` in it" in done.stderr
    assert "hunter2" not in done.stderr


# Checking a key


@pytest.mark.parametrize("way", ["environment", "standard input", "standard input by name", "argument", "prompt"])
def test_check_says_what_a_key_is(
    admin_key: Runner, cluster: KubectlStub, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    in_cluster(cluster)
    key = make_admin_key(NAME, SECRET, issued_s=1_700_000_000, read_only=True)
    match way:
        case "environment":
            done = admin_key("production", "--check", **{KEY: key})
        case "standard input":
            done = admin_key("production", "--check", stdin=f"{key}\n")
        case "standard input by name":
            done = admin_key("production", "--check", "-", stdin=f"{key}\n", **{KEY: "not|this"})
        case "argument":
            done = admin_key("production", "--check", key)
        case _:
            monkeypatch.setattr(getpass, "getpass", lambda _: key)
            done = admin_key("production", "--check", stdin=Terminal())
    assert done.code == 0, done.stderr
    assert "belongs to   the instance convex-prod (the Secret convex-postgres-secret" in done.stdout
    assert "issued       2023-11-14 22:13:20 UTC" in done.stdout
    assert "may          read everything, write nothing" in done.stdout
    assert "nobody in particular" in done.stdout
    assert key not in done.stdout + done.stderr
    assert ("in the shell's history" in done.stderr) == (way == "argument")


def test_check_says_that_a_key_may_write_and_whose_it_is(admin_key: Runner, cluster: KubectlStub) -> None:
    in_cluster(cluster)
    done = admin_key("production", "--check", stdin=make_admin_key(NAME, SECRET, member_id=7))
    assert "may          read and write everything" in done.stdout
    assert "made for     member 7" in done.stdout


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(make_admin_key(NAME, OTHER_SECRET), "was not made with this instance secret", id="other secret"),
        pytest.param(make_admin_key("other", SECRET), "is for the instance 'other'", id="other instance"),
        pytest.param("hunter2", "this is not an admin key", id="no key"),
        pytest.param("", "this is not an admin key", id="nothing"),
    ],
)
def test_a_key_that_does_not_belong_fails(admin_key: Runner, cluster: KubectlStub, key: str, message: str) -> None:
    in_cluster(cluster)
    done = admin_key("production", "--check", stdin=key)
    assert (done.code, done.stdout) == (1, "")
    assert message in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(EOFError(), "the input ended: nothing was done", id="Ctrl-D"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), "what was typed is not text", id="no text"),
    ],
)
def test_a_prompt_without_an_answer(
    admin_key: Runner, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(_: str) -> str:
        raise error

    monkeypatch.setattr(getpass, "getpass", fail)
    done = admin_key("production", "--check", stdin=Terminal())
    assert (done.code, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_key_that_is_no_text(admin_key: Runner, cluster: KubectlStub) -> None:
    in_cluster(cluster)
    assert "this is not an admin key" in admin_key("production", "--check", **{KEY: os.fsdecode(b"x\xff")}).stderr
    stdin = io.TextIOWrapper(io.BytesIO(b"x\xff"), encoding="utf-8")
    assert "standard input is not text" in admin_key("production", "--check", stdin=stdin).stderr


@pytest.mark.parametrize("option", ["--read-only", "--env", "--member-id=1"])
def test_checking_makes_no_key(admin_key: Runner, option: str) -> None:
    done = admin_key("production", "--check", "-", option)
    assert done.code == 2
    assert "--check makes no key" in done.stderr


def test_an_overlay_that_is_not_there(admin_key: Runner) -> None:
    done = admin_key("prodution")
    assert done.code == 1
    assert "did you mean production?" in done.stderr
