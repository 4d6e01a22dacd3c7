"""`main.py secrets`: exactly the Secrets that an environment refers to, each value right, none shown, none lost."""

from __future__ import annotations

import errno
import getpass
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from convexctl.secrets.admin_key import make_admin_key, open_admin_key
from convexctl.secrets.env_file import parse, read_lines
from convexctl.secrets.fill import fill
from convexctl.secrets.instance import Instance
from convexctl.secrets.needed import VARIABLES, needed_secrets
from convexctl.secrets.plan import plan_secrets
from convexctl.secrets.sources import Known, Source
from convexctl.secrets.value_rules import generate_instance_secret
from convexctl.secrets.write import secret_manifests
from tests.support.certificates import Authority
from tests.support.command_line import Done, assert_none_of, decoded, on_samples, run
from tests.support.kubectl_stub import KubectlStub
from tests.support.overlay_cases import CASES, DATA, ROOT, Case, case, environment_of
from tests.support.secret_watch import saw_output

HIDDEN = "hunter2"
"""Stands in values that must never be shown."""
URL = f"postgresql://convex:{HIDDEN}@db.example.com:5432"
VALUES = {
    "POSTGRES_URL": URL,
    "INSTANCE_NAME": "convex-prod",
    "AWS_ACCESS_KEY_ID": "AKID-hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2/secret+key",
    "AWS_REGION": "eu-central-1",
    "S3_ENDPOINT_URL": "https://s3.example.com",
}
"""Everything that the overlay `production` asks for."""
SECRET, OTHER_SECRET = generate_instance_secret(), generate_instance_secret()
ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"
POSTGRES = "convex-postgres-secret"

PROVIDERS = {
    "external-secrets": """
        postgres: {enabled: true}
        s3: {provider: minio}
        secrets:
          provider: external-secrets
          externalSecrets:
            storeName: vault
            remoteKeys: {convex-postgres-secret: team/convex, convex-s3-credentials: {AWS_ACCESS_KEY_ID: s3/id,
              AWS_SECRET_ACCESS_KEY: s3/key, AWS_REGION: s3/region, AWS_ENDPOINT: s3/endpoint}}
    """,
    "bootstrap": "{instance: {name: team-a}, postgres: {enabled: true}, secrets: {provider: bootstrap}}",
    "sealed-secrets": "{postgres: {enabled: true}, secrets: {provider: sealed-secrets}}",
}

Runner = Callable[..., Done]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", f"{stub.programs}{os.pathsep}{os.environ['PATH']}")
    return stub


@pytest.fixture
def secrets(cluster: KubectlStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs `secrets`. What it says about the values never has a value in it, and kubectl gets none as an argument."""
    for name in [*VARIABLES, "DATABASE_URL", "AWS_ENDPOINT"]:
        monkeypatch.delenv(name, raising=False)

    def run_secrets(*arguments: str, **environment: str) -> Done:
        with monkeypatch.context() as context:
            for name, value in environment.items():
                context.setenv(name, value)
            done = run(capsys, "secrets", *on_samples(arguments))
        stream = cluster.applied if "--apply" in arguments else done.stdout
        made = [value for data in decoded(stream).values() for value in data.values()]
        open_values = {"eu-central-1", "https://s3.example.com", "convex-prod", "team-a"}
        hidden = [HIDDEN, SECRET, OTHER_SECRET, *(value for value in made if value not in open_values)]
        assert_none_of(hidden, done.stderr)
        assert_none_of(hidden, str(cluster.calls))
        return done

    return run_secrets


def valid_values(folder: Path) -> dict[str, str]:
    """A value for every name that is ever asked for."""
    ca, pull = folder / "ca.pem", folder / "config.json"
    ca.write_bytes(Authority().pem)
    pull.write_text('{"auths": {"registry.example.com": {"auth": "aHVudGVyMg=="}}}')
    files = {"PG_CA_FILE": str(ca), "MYSQL_CA_FILE": str(ca), "NODE_EXTRA_CA_CERTS": str(ca)}
    files["DOCKER_CONFIG_FILE"] = str(pull)
    files |= {"BACKUP_AWS_ACCESS_KEY_ID": "AKIDBACKUP", "BACKUP_AWS_SECRET_ACCESS_KEY": f"{HIDDEN}/backup"}
    files |= {
        "CONVEX_DB_HOST": "db",
        "CONVEX_DB_PORT": "5432",
        "CONVEX_DB_USERNAME": "convex",
        "CONVEX_DB_PASSWORD": HIDDEN,
    }
    values = {**VALUES, **files, "INSTANCE_SECRET": SECRET, "MYSQL_URL": f"mysql://convex:{HIDDEN}@db:3306"}
    assert values.keys() == VARIABLES.keys() - {ADMIN_KEY}
    return values


def test_each_ca_is_asked_for_by_its_own_name() -> None:
    environment = case("extra-ca").environment()
    plan = plan_secrets(environment.overlay.values, environment.manifests)
    asked = {(entry.secret, entry.key): entry.variable for entry in plan.entries}
    assert asked["internal-ca", "ca.crt"] == "PG_CA_FILE"
    assert asked["internal-ca", "bundle.pem"] == "NODE_EXTRA_CA_CERTS"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_reference_of_every_environment_is_covered(case: Case, tmp_path: Path) -> None:
    values, manifests = case.overlay().values, case.environment().manifests
    plan = plan_secrets(values, manifests)
    known = Known(
        [Source("the test", valid_values(tmp_path))], instance=lambda: Instance("convex-prod", SECRET, "the test")
    )
    filled = fill(plan, known)
    written = {m["metadata"]["name"]: set(m["data"]) for m in secret_manifests(filled, values.namespace)}
    notes = "\n".join(plan.notes)
    referred: dict[str, set[str]] = {}
    for secret in needed_secrets(manifests):
        if f"Secret {secret.name}: not written; " in notes:
            continue
        for reference in secret.references:
            if reference.use in ("certificate", "all keys"):
                assert f"Secret {secret.name} (" in notes
                continue
            made = values.postgres.cloud_native_pg.create.wanted
            if reference.target == ADMIN_KEY and "CloudNativePG makes" in notes and not made:
                continue  # The name of the instance, which an admin key is made from, is in the operator's Secret.
            key = ".dockerconfigjson" if reference.use == "image pull" else reference.key
            referred.setdefault(secret.name, set()).add(key)
    assert written == referred


def test_the_stream_has_exactly_the_secrets_of_the_overlay_in_its_namespace(secrets: Runner, tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text("namespace: prod\npostgres: {enabled: true}\n")
    done = secrets("prod", "--overlays", str(tmp_path), **VALUES)
    assert done.code == 0, done.stderr
    manifests = list(yaml.safe_load_all(done.stdout))
    assert [(m["kind"], m["metadata"], m["type"], list(m["data"])) for m in manifests] == [
        (
            "Secret",
            {"name": POSTGRES, "namespace": "prod"},
            "Opaque",
            ["DATABASE_URL", "INSTANCE_NAME", "INSTANCE_SECRET"],
        ),
        (
            "Secret",
            {"name": "convex-s3-credentials", "namespace": "prod"},
            "Opaque",
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT"],
        ),
        ("Secret", {"name": "convex-secrets", "namespace": "prod"}, "Opaque", [ADMIN_KEY]),
    ]
    assert done.secrets()[POSTGRES]["DATABASE_URL"] == URL
    assert done.stdout.count("---\n") == 2


def test_instance_secret_and_admin_key_are_generated_and_belong_together(secrets: Runner) -> None:
    done = secrets("production", **VALUES)
    made = done.secrets()
    secret = made[POSTGRES]["INSTANCE_SECRET"]
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    opened = open_admin_key(made["convex-secrets"][ADMIN_KEY], "convex-prod", secret)
    assert (opened.member_id, opened.read_only) == (0, False)
    assert f"WARNING: {POSTGRES}/INSTANCE_SECRET is a NEW instance secret" in done.stderr
    assert secrets("production", **VALUES).secrets()[POSTGRES]["INSTANCE_SECRET"] != secret


def test_the_optional_endpoint_is_left_out_when_it_is_not_given(secrets: Runner) -> None:
    done = secrets("production", **{**VALUES, "S3_ENDPOINT_URL": "https://s3.example.com"})
    assert "AWS_ENDPOINT" in done.secrets()["convex-s3-credentials"]
    del (rest := dict(VALUES))["S3_ENDPOINT_URL"]
    done = secrets("production", **rest)
    assert "AWS_ENDPOINT" not in done.secrets()["convex-s3-credentials"]
    assert "left out: S3_ENDPOINT_URL is not given, so files go to Amazon S3" in done.stderr


# Where values come from


def env_file(folder: Path, text: str) -> str:
    path = folder / "values.env"
    path.write_text(text)
    return str(path)


def test_a_file_counts_before_the_environment_and_keys_name_values_too(secrets: Runner, tmp_path: Path) -> None:
    file = env_file(
        tmp_path, f"# comment\n\nDATABASE_URL={URL}\r\nINSTANCE_NAME=convex-prod\nAWS_ENDPOINT=https://s3.example.com\n"
    )
    rest = {name: VALUES[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")}
    done = secrets("production", "--from-env-file", file, INSTANCE_NAME="not-this", **rest)
    made = done.secrets()
    assert (made[POSTGRES]["DATABASE_URL"], made[POSTGRES]["INSTANCE_NAME"]) == (URL, "convex-prod")
    assert made["convex-s3-credentials"]["AWS_ENDPOINT"] == "https://s3.example.com"
    assert f"DATABASE_URL, from {file}" in done.stderr
    assert "AWS_REGION, from the environment" in done.stderr


def test_a_key_that_two_secrets_have_names_no_value(secrets: Runner, tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(
        "{postgres: {enabled: true, keys: {url: value}}, s3: {keys: {accessKeyId: value}}}"
    )
    done = secrets("twice", "--overlays", str(tmp_path), **{**VALUES, "value": "x", "POSTGRES_URL": URL})
    assert done.secrets()[POSTGRES]["value"] == URL
    assert done.secrets()["convex-s3-credentials"]["value"] == VALUES["AWS_ACCESS_KEY_ID"]


def test_names_of_a_file_that_nobody_reads_are_said(secrets: Runner, tmp_path: Path) -> None:
    file = env_file(tmp_path, f"AWS_ENDPIONT=https://x\n{ADMIN_KEY}=x|hunter2\n")
    done = secrets("production", "--from-env-file", file, **VALUES)
    assert f"note: {file}:1: not used: did you mean AWS_ENDPOINT?" in done.stderr
    assert f"note: {file}:2: not used" in done.stderr
    assert "AWS_ENDPIONT" not in done.stderr, "a name that nobody knows may be a secret"


WRAPPED = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param((DATA / "cases" / "attack" / "bare-base64.env").read_text(), 1, id="a bare secret in base64"),
        pytest.param(f"AWS_SECRET_ACCESS_KEY={WRAPPED}\nNTY3ODk=\n", 2, id="wrapped, with padding"),
        pytest.param(f"AWS_SECRET_ACCESS_KEY={WRAPPED}\nNTY3ODk5OT\n", 2, id="wrapped, without padding"),
        pytest.param(f"AWS_SECRET_ACCESS_KEY={WRAPPED}\nNTY3OA==\n", 2, id="wrapped, with two signs of padding"),
    ],
)
def test_a_value_without_a_name_is_refused_by_its_line_and_not_shown(
    secrets: Runner, tmp_path: Path, text: str, line: int
) -> None:
    done = secrets("production", "--from-env-file", env_file(tmp_path, text), **VALUES)
    assert done.code == 1
    assert f"values.env:{line}: " in done.stderr
    for word in text.replace("=", "\n").split():
        assert word == "AWS_SECRET_ACCESS_KEY" or word not in done.stdout + done.stderr


@pytest.mark.parametrize("secret", ["hunter2", "--rotat=hunter2", "postgresql://u:hunter2@db"])
def test_a_secret_given_as_an_argument_is_not_repeated(secrets: Runner, secret: str) -> None:
    done = secrets("production", secret)
    assert done.code == 2
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("namespace", ["n", "y", "1e3", "on", "0x10"])
def test_a_namespace_that_kubectl_may_read_otherwise_is_quoted(secrets: Runner, namespace: str) -> None:
    done = secrets("production", "--namespace", namespace, **VALUES)
    assert f'namespace: "{namespace}"' in done.stdout


def test_a_file_of_secrets_is_replaced_whole_or_not_at_all(
    secrets: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "secrets.yaml"
    file.write_text("before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        done = secrets("production", "-o", str(file), **VALUES)
    assert done.code == 1
    assert "No space left on device" in done.stderr
    assert file.read_text() == "before"
    assert list(file.parent.iterdir()) == [file]
    assert secrets("production", "-o", str(file), **VALUES).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert decoded(file.read_text())[POSTGRES]["DATABASE_URL"] == URL


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_feeds_end_a_line_of_an_env_file(tmp_path: Path, character: str) -> None:
    file = Path(env_file(tmp_path, f"A=one{character}#two\r\nB=three\n"))
    assert parse(file, read_lines(file), ["A", "B"]).values == {"A": f"one{character}#two", "B": "three"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(f"POSTGRES_URL {URL}", "values.env:1: is not of the form NAME=VALUE", id="no sign"),
        pytest.param(f"\nexport POSTGRES_URL={URL}", "values.env:2: is not of the form NAME=VALUE", id="export"),
        pytest.param("A=1\nA=hunter2", "values.env:2: its name is there a second time", id="twice"),
    ],
)
def test_a_file_with_a_wrong_line_is_refused(secrets: Runner, tmp_path: Path, text: str, message: str) -> None:
    done = secrets("production", "--from-env-file", env_file(tmp_path, text), **VALUES)
    assert (done.code, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_file_that_is_not_there_is_said(secrets: Runner, tmp_path: Path) -> None:
    done = secrets("production", "--from-env-file", str(tmp_path / "none"), **VALUES)
    assert (done.code, done.stderr) == (1, f"{tmp_path}/none: cannot be read: No such file or directory\n")


def test_without_a_terminal_everything_that_is_missing_is_named_at_once(secrets: Runner) -> None:
    done = secrets("production", AWS_REGION="eu-central-1")
    assert (done.code, done.stdout) == (1, "")
    missing = re.findall(r"^(\S+) is missing", done.stderr, re.MULTILINE)
    assert missing == ["POSTGRES_URL", "INSTANCE_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert "for convex-postgres-secret/DATABASE_URL" in done.stderr
    assert "4 values are missing or wrong; nothing was written" in done.stderr


BAD_VALUES = [
    pytest.param("POSTGRES_URL", f"postgres://u:{HIDDEN}@db/name", "names a database (the path", id="database name"),
    pytest.param("POSTGRES_URL", f"postgres://:{HIDDEN}@db", "has no user", id="no user"),
    pytest.param("POSTGRES_URL", f"mysql://u:{HIDDEN}@db", "it must begin with postgresql://", id="wrong scheme"),
    pytest.param("POSTGRES_URL", f"postgres://u:{HIDDEN}@x@db", "unescaped `@` in it: write %40", id="unescaped @"),
    pytest.param("POSTGRES_URL", f"postgres://u:{HIDDEN}/x@db", "unescaped `/` in it", id="unescaped /"),
    pytest.param("S3_ENDPOINT_URL", f"{HIDDEN}.example.com", "it has no scheme", id="endpoint without scheme"),
    pytest.param("S3_ENDPOINT_URL", "", "it is empty, and the backend takes even an empty", id="empty endpoint"),
    pytest.param("INSTANCE_SECRET", HIDDEN, "it must be 64 hex digits", id="no instance secret"),
    pytest.param(
        "INSTANCE_SECRET", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=", "it is base64", id="base64 instance secret"
    ),
    pytest.param("INSTANCE_NAME", f"{HIDDEN}:x", "must not have `:` or `|`", id="instance name with a colon"),
    pytest.param("INSTANCE_NAME", "x" * 64, "Postgres takes names of at most 63", id="instance name too long"),
    pytest.param("INSTANCE_NAME", "template1", "which is Postgres's own", id="instance name of the server's"),
    pytest.param("AWS_REGION", "", "without a region the backend ignores S3", id="no region"),
    pytest.param("AWS_ACCESS_KEY_ID", f"{HIDDEN}/x", "is it the secret key?", id="secret key as key id"),
    pytest.param("AWS_SECRET_ACCESS_KEY", "AKIAIOSFODNN7HUNTER2", "it looks like an access key id", id="swapped keys"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD_VALUES)
def test_a_bad_value_is_refused_with_what_would_be_right(secrets: Runner, name: str, value: str, message: str) -> None:
    done = secrets("production", **{**VALUES, name: value})
    assert (done.code, done.stdout) == (1, "")
    assert re.search(rf"^{name}, from the environment: .*{re.escape(message)}", done.stderr, re.MULTILINE)
    assert value in ("", "template1") or value not in done.stderr


def test_all_bad_values_are_named_at_once(secrets: Runner) -> None:
    bad = {"POSTGRES_URL": "db", "AWS_REGION": "a b", "INSTANCE_SECRET": "x", "INSTANCE_NAME": "9"}
    done = secrets("production", **{**VALUES, **bad})
    assert set(re.findall(r"^(\S+), from the environment:", done.stderr, re.MULTILINE)) == bad.keys()
    assert "4 values are missing or wrong" in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "the file cannot be read: No such file or directory", id="not there"),
        pytest.param(b"hunter2", "the file holds no certificate in PEM form", id="no certificate"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nhunter2\n", "the file holds a private key: only the certificate", id="a key"
        ),
    ],
)
def test_a_ca_certificate_is_a_path_to_a_pem_file(
    secrets: Runner, tmp_path: Path, content: bytes | None, message: str
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "ca.yaml").write_text("{postgres: {enabled: true, caSecret: db-ca}, s3: {enabled: false}}")
    file = tmp_path / "ca.pem"
    arguments = ("ca", "--overlays", str(tmp_path / "o"))
    values = {"POSTGRES_URL": URL, "INSTANCE_NAME": "convex-prod", "PG_CA_FILE": str(file)}
    if content is not None:
        file.write_bytes(content)
    done = secrets(*arguments, **values)
    assert done.code == 1
    assert f"PG_CA_FILE, from the environment: {message}" in done.stderr
    file.write_bytes(pem := Authority().pem)
    assert secrets(*arguments, **values).secrets()["db-ca"] == {"ca.crt": pem.decode()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("hunter2", "is not one that `docker login` writes", id="no JSON"),
        pytest.param('{"auths": {"ghcr.io": {}}, "credsStore": "x"}', "holds no credentials", id="in a helper"),
        pytest.param('{"auths": {}}', "holds no credentials", id="empty"),
    ],
)
def test_credentials_of_a_registry_are_a_path_to_a_file_of_docker(
    secrets: Runner, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "pull.yaml").write_text("{imagePullSecrets: [mirror], s3: {enabled: false}}")
    arguments = ("pull", "--overlays", str(tmp_path / "o"))
    assert "left out: DOCKER_CONFIG_FILE is not given; a private registry needs it" in secrets(*arguments).stderr
    file = tmp_path / "config.json"
    file.write_text(content)
    done = secrets(*arguments, DOCKER_CONFIG_FILE=str(file))
    assert f"DOCKER_CONFIG_FILE, from the environment: the file {message}" in done.stderr
    file.write_text('{"auths": {"ghcr.io": {"auth": "aHVudGVyMg=="}}}')
    (manifest,) = yaml.safe_load_all(secrets(*arguments, DOCKER_CONFIG_FILE=str(file)).stdout)
    assert (manifest["type"], list(manifest["data"])) == ("kubernetes.io/dockerconfigjson", [".dockerconfigjson"])


# Prompts


def test_a_terminal_is_asked_until_the_answer_is_right(secrets: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([f"postgres://u:{HIDDEN}@db/name", URL, "id", f"{HIDDEN}key"])
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt.partition(" ")[0])
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", answer)
    monkeypatch.setattr(sys.stdin, "readline", lambda: "\n")
    done = secrets("production", INSTANCE_NAME="convex-prod", AWS_REGION="eu-central-1")
    assert done.code == 0, done.stderr
    assert asked == ["POSTGRES_URL"] * 2 + ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert "S3_ENDPOINT_URL (" in done.stderr, "what is not a secret is shown while it is typed"
    assert "it names a database" in done.stderr
    assert done.secrets()[POSTGRES]["DATABASE_URL"] == URL


def test_nobody_is_asked_when_a_given_value_is_wrong(secrets: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _: pytest.fail("asked"))
    assert "it has no scheme" in secrets("production", S3_ENDPOINT_URL="s3.example.com").stderr


def test_what_is_typed_at_a_terminal_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "db.yaml").write_text("{instance: {name: a}, postgres: {enabled: true}, s3: {enabled: false}}")
    file = tmp_path / "secrets.yaml"
    arguments = ["secrets", "db", "--overlays", str(tmp_path), "--offline", "-o", str(file)]
    program, terminal = pty.fork()
    if program == 0:
        os.execv(sys.executable, [sys.executable, str(ROOT / "main.py"), *arguments])  # noqa: S606
    shown = b""
    while b"not shown): " not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, f"{URL}\n".encode())
    while chunk := _read_terminal(terminal):
        shown += chunk
    assert os.waitpid(program, 0)[1] == 0, shown
    assert shown.startswith(
        b"POSTGRES_URL (connection URL of the database, without a database name in it: "
        b"postgresql://USER:PASSWORD@HOST:5432; not shown): "
    )
    assert HIDDEN.encode() not in shown
    saw_output(["main.py", *arguments[2:]], shown, None)
    assert decoded(file.read_text())[POSTGRES]["DATABASE_URL"] == URL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_terminal_shows_what_is_typed_after_a_signal_at_a_prompt(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "db.yaml").write_text("{instance: {name: a}, postgres: {enabled: true}, s3: {enabled: false}}")
    program, terminal = pty.fork()
    if program == 0:
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(each, signal.SIG_DFL)
        command = [sys.executable, str(ROOT / "main.py"), "secrets", "db", "--overlays", str(tmp_path), "--offline"]
        os.execv(sys.executable, command)  # noqa: S606
    shown = b""
    while b"not shown): " not in shown:
        shown += os.read(terminal, 4096)
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO
    os.kill(program, number)
    assert os.WTERMSIG(os.waitpid(program, 0)[1]) == number
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.close(terminal)


def _read_terminal(terminal: int) -> bytes:
    """What comes next; nothing at the end, which Linux calls an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_the_end_of_the_input_ends_it(secrets: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", end)
    done = secrets("production")
    assert (done.code, done.stdout) == (1, "")
    assert "the input ended: nothing was done" in done.stderr


@pytest.mark.parametrize("name", [*VALUES, "INSTANCE_SECRET"])
@pytest.mark.parametrize("options", [[], ["--rotate"]], ids=["made", "rotated"])
def test_a_value_of_the_environment_that_is_no_text(
    secrets: Runner, cluster: KubectlStub, name: str, options: list[str]
) -> None:
    cluster.secret(POSTGRES, {"DATABASE_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": SECRET})
    done = secrets("production", *options, **{**VALUES, name: os.fsdecode(b"hunter2\xff")})
    assert (done.code, done.stdout) == (1, "")
    assert f"{name}, from the environment: it " in done.stderr


# What is there already


def existing(cluster: KubectlStub, **further: str) -> None:
    cluster.secret(
        POSTGRES, {"DATABASE_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": SECRET, **further}
    )


S3_VALUES = {name: value for name, value in VALUES.items() if name.startswith(("AWS", "S3"))}


def test_an_instance_secret_in_the_cluster_is_never_changed(secrets: Runner, cluster: KubectlStub) -> None:
    existing(cluster)
    done = secrets("production", **S3_VALUES)
    assert done.secrets()[POSTGRES]["INSTANCE_SECRET"] == SECRET
    assert "WARNING" not in done.stderr
    done = secrets("production", INSTANCE_SECRET=OTHER_SECRET, **S3_VALUES)
    assert done.secrets()[POSTGRES]["INSTANCE_SECRET"] == SECRET
    assert "is another one than the cluster's, which stays: --rotate replaces it" in done.stderr


def test_what_the_cluster_has_need_not_be_given_again(secrets: Runner, cluster: KubectlStub) -> None:
    first = secrets("production", **VALUES).secrets()
    for name, data in first.items():
        cluster.secret(name, data)
    again = secrets("production")
    assert again.secrets() == first
    assert again.stderr.count("kept as it is in the cluster") == sum(map(len, first.values()))
    changed = secrets("production", AWS_SECRET_ACCESS_KEY="hunter2-new").secrets()
    first["convex-s3-credentials"]["AWS_SECRET_ACCESS_KEY"] = "hunter2-new"
    assert changed == first


def test_without_the_cluster_the_environment_has_the_instance_secret(secrets: Runner, cluster: KubectlStub) -> None:
    existing(cluster)
    done = secrets("production", "--offline", INSTANCE_SECRET=OTHER_SECRET, **VALUES)
    assert done.secrets()[POSTGRES]["INSTANCE_SECRET"] == OTHER_SECRET
    assert cluster.calls == []
    cluster.fail("The connection to the server was refused")
    done = secrets("production", INSTANCE_SECRET=OTHER_SECRET, **VALUES)
    assert done.secrets()[POSTGRES]["INSTANCE_SECRET"] == OTHER_SECRET
    assert "note: cannot ask the cluster which Secrets exist: The connection to the server was refused" in done.stderr
    assert "WARNING" not in done.stderr


def test_without_either_it_is_generated_loudly(secrets: Runner, cluster: KubectlStub) -> None:
    cluster.fail("The connection to the server was refused")
    done = secrets("production", **VALUES)
    assert "is a NEW instance secret: no instance secret was found: the cluster was not asked" in done.stderr
    assert "if this environment has an instance secret already, do not apply this" in done.stderr


def test_an_instance_secret_that_only_the_running_pod_has_is_taken_over(
    secrets: Runner, cluster: KubectlStub, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text("{instance: {existingSecret: convex-instance}, s3: {enabled: false}}")
    cluster.pod("convex-self-hosted", SECRET)
    done = secrets("own", "--overlays", str(tmp_path))
    assert done.secrets()["convex-instance"] == {"INSTANCE_SECRET": SECRET}
    assert "as the pod convex-backend-0, namespace here, context test has it" in done.stderr
    given = secrets("own", "--overlays", str(tmp_path), INSTANCE_SECRET=OTHER_SECRET)
    assert given.secrets()["convex-instance"] == {"INSTANCE_SECRET": SECRET}, "all admin keys would die unasked"
    assert "INSTANCE_SECRET, from the environment, is another one than that of the pod convex-backend-0" in given.stderr
    open_admin_key(done.secrets()["convex-secrets"][ADMIN_KEY], "convex-self-hosted", SECRET)
    cluster.pod(SECRET)
    done = secrets("own", "--overlays", str(tmp_path), INSTANCE_NAME="convex-self-hosted")
    assert done.secrets()["convex-instance"] == {"INSTANCE_SECRET": SECRET}, "the name's file alone is missing"


def _waits(cluster: KubectlStub, created: str, **status: object) -> None:
    cluster.claim("data-convex-backend-0", CLAIMED)
    cluster.waiting_pod("convex-backend-0", created, **status)


CLAIMED = "2026-01-31T03:00:00Z"
UNREADABLE: dict[str, Callable[[KubectlStub], None]] = {
    "the pod convex-backend-0 runs with one that cannot be read": lambda cluster: cluster.pod(),
    "the volume of the claim data-convex-backend-0, and no pod runs": lambda cluster: cluster.claim(
        "data-convex-backend-0", CLAIMED
    ),
    "volume of the claim data-convex-backend-0": lambda cluster: _waits(cluster, CLAIMED, restartCount=1),
    "of the claim data-convex-backend-0": lambda cluster: _waits(cluster, "2026-01-31T04:00:00Z"),
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_an_instance_secret_that_may_be_out_of_reach_is_not_replaced(
    secrets: Runner, cluster: KubectlStub, tmp_path: Path, reason: str
) -> None:
    (tmp_path / "own.yaml").write_text("{instance: {existingSecret: convex-instance}, s3: {enabled: false}}")
    UNREADABLE[reason](cluster)
    done = secrets("own", "--overlays", str(tmp_path), "--apply", "--yes")
    assert (done.code, cluster.applied) == (1, "")
    assert reason in done.stderr
    assert "give that one as INSTANCE_SECRET" in done.stderr
    done = secrets("own", "--overlays", str(tmp_path), INSTANCE_SECRET=OTHER_SECRET)
    assert done.secrets()["convex-instance"] == {"INSTANCE_SECRET": OTHER_SECRET}
    assert secrets("own", "--overlays", str(tmp_path), "--rotate").code == 0


@pytest.mark.parametrize("phase", ["Pending", "Bound"])
def test_an_environment_that_was_applied_before_its_secrets_gets_an_instance_secret(
    secrets: Runner, cluster: KubectlStub, tmp_path: Path, phase: str
) -> None:
    (tmp_path / "own.yaml").write_text("{instance: {existingSecret: convex-instance}, s3: {enabled: false}}")
    cluster.claim("data-convex-backend-0", CLAIMED, phase)
    if phase == "Bound":
        cluster.waiting_pod("convex-backend-0", "2026-01-31T03:00:02Z")
    done = secrets("own", "--overlays", str(tmp_path))
    assert done.code == 0
    assert "is a NEW instance secret" in done.stderr


def test_rotation_is_explicit_and_says_what_it_breaks(secrets: Runner, cluster: KubectlStub) -> None:
    existing(cluster)
    old_key = make_admin_key("convex-prod", SECRET)
    cluster.secret("convex-secrets", {ADMIN_KEY: old_key})
    done = secrets("production", "--rotate", **S3_VALUES)
    new = done.secrets()[POSTGRES]["INSTANCE_SECRET"]
    assert new != SECRET
    open_admin_key(done.secrets()["convex-secrets"][ADMIN_KEY], "convex-prod", new)
    for word in ("admin key", "deploy key", "upload URL", "session", "The data stays", "restarted"):
        assert word in done.stderr
    done = secrets("production", "--rotate", INSTANCE_SECRET=OTHER_SECRET, **S3_VALUES)
    assert done.secrets()[POSTGRES]["INSTANCE_SECRET"] == OTHER_SECRET
    done = secrets("production", "--rotate", INSTANCE_SECRET=SECRET, **S3_VALUES)
    assert done.code == 1
    assert "INSTANCE_SECRET, from the environment: it is the instance secret that is there" in done.stderr


def test_an_instance_secret_that_the_backend_refuses_is_said_and_can_be_rotated(
    secrets: Runner, cluster: KubectlStub
) -> None:
    cluster.secret(POSTGRES, {"DATABASE_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": HIDDEN})
    done = secrets("production", **S3_VALUES)
    assert f"{POSTGRES}/INSTANCE_SECRET in the cluster: it must be 64 hex digits" in done.stderr
    assert "--rotate makes a new one" in done.stderr
    assert secrets("production", "--rotate", **S3_VALUES).code == 0


def test_a_value_in_the_cluster_that_is_wrong_is_said_too(secrets: Runner, cluster: KubectlStub) -> None:
    cluster.secret("convex-s3-credentials", {**S3_VALUES, "AWS_ENDPOINT": "hunter2.example.com"})
    done = secrets("production", **{name: VALUES[name] for name in ("POSTGRES_URL", "INSTANCE_NAME")})
    assert "convex-s3-credentials/AWS_ENDPOINT in the cluster: it has no scheme" in done.stderr
    assert "; give S3_ENDPOINT_URL" in done.stderr


def test_an_instance_is_not_renamed(secrets: Runner, cluster: KubectlStub) -> None:
    existing(cluster)
    done = secrets("production", INSTANCE_NAME="other", **S3_VALUES)
    assert done.code == 1
    assert "it would rename the instance, which is named convex-prod in the cluster" in done.stderr


def test_an_admin_key_is_kept_while_it_belongs_to_the_instance_secret(secrets: Runner, cluster: KubectlStub) -> None:
    existing(cluster)
    right, wrong = make_admin_key("convex-prod", SECRET), make_admin_key("convex-prod", OTHER_SECRET)
    cluster.secret("convex-secrets", {ADMIN_KEY: right})
    assert secrets("production", **S3_VALUES).secrets()["convex-secrets"][ADMIN_KEY] == right
    cluster.secret("convex-secrets", {ADMIN_KEY: wrong})
    made = secrets("production", **S3_VALUES).secrets()["convex-secrets"][ADMIN_KEY]
    assert made not in (right, wrong)
    open_admin_key(made, "convex-prod", SECRET)


def test_other_keys_and_the_type_of_a_secret_that_is_there_stay(secrets: Runner, cluster: KubectlStub) -> None:
    data = {"DATABASE_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": SECRET, "username": "hunter2-user"}
    cluster.secret(POSTGRES, data, type="kubernetes.io/basic-auth")
    done = secrets("production", **S3_VALUES)
    assert done.secrets()[POSTGRES] == data
    assert "type: kubernetes.io/basic-auth" in done.stdout
    assert f"{POSTGRES}/username" in done.stderr


# Environments that need none


def test_local_needs_no_secret_and_gets_an_admin_key_once_it_runs(secrets: Runner, cluster: KubectlStub) -> None:
    done = secrets("local")
    assert (done.code, done.stdout) == (0, "")
    assert "local needs no Secret" in done.stderr
    assert "`python3 main.py admin-key local`" in done.stderr
    cluster.pod("convex-self-hosted", SECRET)
    done = secrets("local")
    assert list(done.secrets()) == ["convex-secrets"]
    open_admin_key(done.secrets()["convex-secrets"][ADMIN_KEY], "convex-self-hosted", SECRET)


def provider(folder: Path, name: str) -> tuple[str, ...]:
    folder.joinpath(f"{name}.yaml").write_text(PROVIDERS[name])
    return name, "--overlays", str(folder)


def test_with_external_secrets_it_says_what_the_store_must_hold(secrets: Runner, tmp_path: Path) -> None:
    done = secrets(*provider(tmp_path, "external-secrets"))
    assert (done.code, done.stdout) == (0, "")
    assert f"Secret {POSTGRES}: not written; External Secrets Operator makes it from the ClusterSecretStore vault" in (
        done.stderr
    )
    assert "team/convex, property INSTANCE_SECRET   (the key INSTANCE_SECRET)" in done.stderr
    assert "s3/endpoint   (the key AWS_ENDPOINT)" in done.stderr
    assert "there is no Secret to write from here" in done.stderr
    made = secrets(*provider(tmp_path, "external-secrets"), "--include-made", **VALUES).secrets()
    assert list(made) == [POSTGRES, "convex-s3-credentials", "convex-secrets"]


def test_with_bootstrap_the_job_makes_the_instance_secret(secrets: Runner, tmp_path: Path) -> None:
    done = secrets(*provider(tmp_path, "bootstrap"), **VALUES)
    assert list(done.secrets()) == [POSTGRES, "convex-s3-credentials"]
    assert list(done.secrets()[POSTGRES]) == ["DATABASE_URL"]
    assert re.search(r"Secret convex-instance: not written; the Job convex-bootstrap-\w+ makes it", done.stderr)


def test_with_bootstrap_all_makes_a_secret_that_the_job_accepts(secrets: Runner, tmp_path: Path) -> None:
    made = secrets(*provider(tmp_path, "bootstrap"), "--include-made", **VALUES).secrets()["convex-instance"]
    assert made.keys() == {"INSTANCE_NAME", "INSTANCE_SECRET", ADMIN_KEY}
    assert made["INSTANCE_NAME"] == "team-a"


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        pytest.param("local", "is on the backend's volume, not in a Secret: set instance.existingSecret", id="volume"),
        pytest.param("bootstrap", "is not made here (secrets.provider is bootstrap)", id="bootstrap"),
        pytest.param("external-secrets", "(secrets.provider is external-secrets)", id="external-secrets"),
    ],
)
def test_an_instance_secret_that_is_made_elsewhere_is_not_rotated_here(
    secrets: Runner, tmp_path: Path, overlay: str, message: str
) -> None:
    arguments = ("local",) if overlay == "local" else provider(tmp_path, overlay)
    done = secrets(*arguments, "--rotate", **VALUES)
    assert done.code == 1
    assert message in done.stderr


def test_certificates_and_unknown_keys_are_named_and_left_to_others() -> None:
    environment = environment_of("""
        s3: {enabled: false}
        backend: {persistence: {enabled: true}, envFrom: [{secretRef: {name: app}}]}
        ingress:
          enabled: true
          tls: [{secretName: web, hosts: [a.example.com]}]
          backend: {host: a.example.com}
          dashboard: {host: b.example.com}
    """)
    notes = plan_secrets(environment.overlay.values, environment.manifests).notes
    assert any(note.startswith("Secret app (backend.envFrom): not written") for note in notes)
    assert any(
        "Secret web (certificate of a.example.com): not written; make it with `kubectl" in note for note in notes
    )


# Where it goes


def test_a_file_is_for_the_users_eyes_only(secrets: Runner, tmp_path: Path) -> None:
    file = tmp_path / "secrets.yaml"
    file.write_text("x" * 100_000)
    file.chmod(0o644)
    done = secrets("production", "-o", str(file), **VALUES)
    assert (done.code, done.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert decoded(file.read_text())[POSTGRES]["DATABASE_URL"] == URL


def test_what_is_no_file_stays_as_it_is(secrets: Runner, tmp_path: Path) -> None:
    """Above all /dev/null: its mode would change for everybody on the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o622)
    before = pipe.stat().st_mode
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = secrets("production", "-o", str(pipe), **VALUES)
    finally:
        os.close(reader)
    assert done.code == 1
    assert f"{pipe}: is not a file: leave the name out to have them printed" in done.stderr
    assert pipe.stat().st_mode == before


def test_a_file_is_not_written_through_a_link(secrets: Runner, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)
    done = secrets("production", "-o", str(link), **VALUES)
    assert done.code == 1
    assert target.read_text() == "before"


def test_a_file_in_a_git_work_tree_must_be_ignored(secrets: Runner, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "secrets.yaml"
    done = secrets("production", "-o", str(file), **VALUES)
    assert done.code == 1
    assert f"is in the Git work tree {tmp_path} and not ignored" in done.stderr
    assert not file.exists()
    (tmp_path / ".gitignore").write_text("secrets.yaml\n")
    assert secrets("production", "-o", str(file), **VALUES).code == 0
    subprocess.run(["git", "-C", str(tmp_path), "add", "--force", str(file)], check=True)
    assert secrets("production", "-o", str(file), **VALUES).code == 1, "a tracked file is not ignored"


def test_nothing_else_is_written(secrets: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def files() -> Iterable[Path]:
        return sorted(path for path in tmp_path.rglob("*") if "kubectl" not in path.parts)

    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "prod.yaml").write_text("postgres: {enabled: true}\n")
    monkeypatch.chdir(tmp_path)
    before = files()
    assert secrets("prod", "--overlays", "o", **VALUES).code == 0
    assert secrets("prod", "--overlays", "o", "--apply", "--yes", **VALUES).code == 0
    assert files() == before


def test_apply_keeps_the_values_out_of_annotations_and_arguments(secrets: Runner, cluster: KubectlStub) -> None:
    done = secrets("production", "--apply", "--yes", "--context", "prod", "-n", "convex", **VALUES)
    assert (done.code, done.stdout) == (0, "secret/x serverside-applied\n")
    assert decoded(cluster.applied)[POSTGRES]["DATABASE_URL"] == URL
    arguments = cluster.calls[-1]
    assert arguments[:2] == ["--context", "prod"]
    assert {"--server-side", "--field-manager=convex-k8s"} <= set(arguments)
    assert arguments[arguments.index("--namespace") + 1] == "convex"


@pytest.mark.parametrize(
    ("answer", "applied"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_apply_shows_the_cluster_and_asks(
    secrets: Runner, cluster: KubectlStub, monkeypatch: pytest.MonkeyPatch, answer: str, applied: bool
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: answer)
    done = secrets("production", "--apply", **VALUES)
    assert "Apply to namespace here, context test? [y/N]" in done.stderr
    names = "the instance name is convex-prod, and so the database convex_prod: that cannot be changed later"
    assert done.stderr.index(names) < done.stderr.index("Apply to")
    assert done.code == (0 if applied else 1)
    assert bool(cluster.applied) == applied


def test_apply_needs_to_know_what_is_there(secrets: Runner, cluster: KubectlStub) -> None:
    cluster.fail('secrets is forbidden: User "ci" cannot get resource "secrets"')
    done = secrets("production", "--apply", "--yes", **VALUES)
    assert done.code == 1
    assert 'the cluster cannot be asked: secrets is forbidden: User "ci"' in done.stderr
    assert not cluster.applied


def test_without_kubectl_it_still_prints(secrets: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = secrets("production", **VALUES)
    assert done.code == 0
    assert "note: cannot ask the cluster which Secrets exist: kubectl is not installed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--apply"], "there is no terminal: add --yes", id="apply without a terminal"),
        pytest.param(["--apply", "--yes", "--offline"], "--apply needs the cluster", id="apply offline"),
        pytest.param(["--apply", "-o", "x"], "not allowed with argument", id="two targets"),
        pytest.param(["--cert", "x"], "go with --seal", id="certificate without sealing"),
        pytest.param(["--postgres-url", "x"], "unrecognized arguments", id="a value as an argument"),
    ],
)
def test_wrong_usage(secrets: Runner, arguments: list[str], message: str) -> None:
    done = secrets("production", *arguments, **VALUES)
    assert done.code == 2
    assert message in done.stderr


def test_a_namespace_that_contradicts_the_overlay_is_refused(secrets: Runner, tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text("namespace: prod\npostgres: {enabled: true}\n")
    done = secrets("prod", "--overlays", str(tmp_path), "-n", "other", **VALUES)
    assert (done.code, done.stderr) == (2, "the overlay says namespace prod, and --namespace other\n")
