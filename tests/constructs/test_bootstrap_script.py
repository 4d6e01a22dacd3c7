"""The bootstrap script against a small API server: it makes one Secret, once, whatever interrupts it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from convexctl.secrets.admin_key import open_admin_key
from tests.support.bootstrap_pod import SCRIPT, STEPS, Pod
from tests.support.certificates import Authority

TOKEN = "token-of-the-service-account"

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("bash", "curl", "openssl")), reason="needs bash, curl and openssl"
)


class ApiServer(ThreadingHTTPServer):
    """Keeps Secrets of one namespace and answers as the API server does, indented, as it is for curl."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secrets: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.faults: dict[tuple[str, int], Callable[[Handler], None]] = {}
        """What to do instead of an answer at the n-th request of a method, counted from 1."""

    def store(self, secret: dict[str, Any]) -> None:
        data = {k: base64.b64encode(v.encode()).decode() for k, v in secret.pop("stringData", {}).items()}
        secret["data"] = secret.get("data", {}) | data
        secret["metadata"]["managedFields"] = [{"fieldsV1": {"f:data": {f"f:{key}": {} for key in secret["data"]}}}]
        self.secrets[secret["metadata"]["name"]] = secret

    def values(self, name: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in self.secrets[name]["data"].items()}


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        if self.admitted():
            secret = self.server.secrets.get(self.path.rpartition("/")[2])
            self.answer(200, secret) if secret else self.refuse(404, "NotFound")

    def do_POST(self) -> None:
        secret = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.admitted():
            if secret["metadata"]["name"] in self.server.secrets:
                return self.refuse(409, "AlreadyExists")
            self.server.store(secret)
            self.answer(201, secret)
        return None

    def admitted(self) -> bool:
        assert self.path.startswith("/api/v1/namespaces/production/secrets")
        self.server.requests.append(self.command)
        if fault := self.server.faults.get((self.command, self.server.requests.count(self.command))):
            fault(self)
            return False
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.refuse(401, "Unauthorized")
            return False
        return True

    def refuse(self, status: int, reason: str) -> None:
        self.answer(status, {"kind": "Status", "status": "Failure", "reason": reason, "code": status})

    def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value, indent=2).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


class WatchedPod(Pod):
    """A pod whose API server's Secrets can be looked at."""

    def __init__(self, folder: Path, server: ApiServer, authority: Authority) -> None:
        address = f"https://127.0.0.1:{server.server_port}"
        super().__init__(folder, api_server=address, ca_pem=authority.pem, token=TOKEN, namespace="production")
        self.server = server

    @property
    def secret(self) -> dict[str, str]:
        """The values of the only Secret that there is."""
        assert list(self.server.secrets) == ["convex-instance"]
        return self.server.values("convex-instance")


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[WatchedPod]:
    authority = Authority()
    certificate, key = authority.issue("127.0.0.1").write(tmp_path, "api")
    server = ApiServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield WatchedPod(tmp_path, server, authority)
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_makes_a_secret_whose_admin_key_belongs_to_its_instance_secret(pod: WatchedPod) -> None:
    done = pod.run()
    assert (done.returncode, done.stdout) == (0, "bootstrap: made the Secret production/convex-instance\n")
    assert set(pod.secret) == {"INSTANCE_NAME", "INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY"}
    opened = open_admin_key(pod.secret["CONVEX_SELF_HOSTED_ADMIN_KEY"], "convex-prod", pod.secret["INSTANCE_SECRET"])
    assert (opened.instance_name, opened.member_id, opened.read_only) == ("convex-prod", 0, False)
    assert pod.server.requests == ["GET", "POST"]


def test_a_second_run_finds_the_secret_and_leaves_it_alone(pod: WatchedPod) -> None:
    pod.run()
    before = json.dumps(pod.server.secrets)
    done = pod.run()
    assert (done.returncode, done.stdout) == (
        0,
        "bootstrap: the Secret production/convex-instance is there: nothing to do\n",
    )
    assert json.dumps(pod.server.secrets) == before
    assert pod.server.requests == ["GET", "POST", "GET"]


def test_the_keys_are_named_by_the_environment(pod: WatchedPod) -> None:
    names = {"KEY_OF_INSTANCE_NAME": "name", "KEY_OF_INSTANCE_SECRET": "secret.hex", "KEY_OF_ADMIN_KEY": "admin-key"}
    assert pod.run(**names).returncode == 0
    assert set(pod.secret) == {"name", "secret.hex", "admin-key"}
    assert "nothing to do" in pod.run(**names).stdout


def test_the_address_of_the_api_server_is_the_one_that_kubernetes_tells_every_pod(pod: WatchedPod) -> None:
    del pod.environment["API_SERVER"]
    done = pod.run(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(pod.server.server_port))
    assert done.returncode == 0, done.stderr


def test_the_programs_that_it_starts_are_the_steps_of_the_next_test(pod: WatchedPod) -> None:
    pod.run()
    assert [line[0] for line in pod.command_lines] == [step.split()[0] for step in STEPS]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1), ids=STEPS)
def test_interrupted_at_any_step_the_next_run_ends_with_one_whole_secret(
    pod: WatchedPod, moment: str, step: int
) -> None:
    interrupted = pod.run(INTERRUPT=f"{moment} {step}")
    assert interrupted.returncode == -signal.SIGKILL
    left_behind = json.dumps(pod.server.secrets)
    assert bool(pod.server.secrets) == ((moment, step) == ("after", len(STEPS)))
    done = pod.run()
    assert done.returncode == 0, done.stderr
    if left_behind != "{}":
        assert json.dumps(pod.server.secrets) == left_behind
    open_admin_key(pod.secret["CONVEX_SELF_HOSTED_ADMIN_KEY"], "convex-prod", pod.secret["INSTANCE_SECRET"])


def lose_the_answer(handler: Handler) -> None:
    handler.server.store(
        {
            "metadata": {"name": "convex-instance"},
            "stringData": {"INSTANCE_NAME": "n", "INSTANCE_SECRET": "s", "CONVEX_SELF_HOSTED_ADMIN_KEY": "k"},
        }
    )
    handler.hang_up()


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        pytest.param(("GET", 1, Handler.hang_up), ["GET", "GET", "POST"], id="get: connection lost"),
        pytest.param(("GET", 1, lambda h: h.refuse(503, "Busy")), ["GET", "GET", "POST"], id="get: 503"),
        pytest.param(("POST", 1, Handler.hang_up), ["GET", "POST", "POST"], id="post: connection lost before it"),
        pytest.param(("POST", 1, lambda h: h.refuse(500, "Error")), ["GET", "POST", "POST"], id="post: 500"),
        pytest.param(("POST", 1, lose_the_answer), ["GET", "POST", "POST", "GET"], id="post: only the answer lost"),
    ],
)
def test_a_passing_fault_of_the_api_server_is_waited_out(
    pod: WatchedPod, fault: tuple[str, int, Callable[[Handler], None]], requests: list[str]
) -> None:
    method, number, action = fault
    pod.server.faults[method, number] = action
    done = pod.run()
    assert (done.returncode, pod.server.requests) == (0, requests), done.stderr
    assert len(pod.secret) == 3


def test_where_two_run_at_once_the_first_one_wins(pod: WatchedPod) -> None:
    winner = {"metadata": {"name": "convex-instance"}, "stringData": {}}
    winner["stringData"] = {"INSTANCE_NAME": "n", "INSTANCE_SECRET": "s", "CONVEX_SELF_HOSTED_ADMIN_KEY": "k"}

    def not_found_and_then_there(handler: Handler) -> None:
        handler.refuse(404, "NotFound")
        pod.server.store(winner)

    pod.server.faults["GET", 1] = not_found_and_then_there
    done = pod.run()
    assert (done.returncode, pod.server.requests) == (0, ["GET", "POST", "GET"])
    assert pod.secret["INSTANCE_SECRET"] == "s"


def test_no_secret_stands_on_a_command_line_but_on_that_of_generate_key(pod: WatchedPod) -> None:
    pod.run()
    pod.run()
    assert {program for program, *_ in pod.command_lines} == {"curl", "openssl", "generate_key"}
    for program, *arguments in pod.command_lines:
        if program == "generate_key":
            assert arguments == ["convex-prod", pod.secret["INSTANCE_SECRET"]]
        else:
            pod.assert_nothing_secret_in(" ".join(arguments))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param(
            {"INSTANCE_NAME": 'a"b'}, "INSTANCE_NAME must begin with a letter", id="a name that makes no JSON"
        ),
        pytest.param({"INSTANCE_NAME": "a|b"}, "INSTANCE_NAME must begin with a letter", id="a name with a bar"),
        pytest.param({"SECRET_NAME": ""}, "SECRET_NAME", id="no Secret's name"),
        pytest.param({"API_SERVER": "https://127.0.0.1:9"}, "does not answer", id="no API server"),
    ],
)
def test_what_it_cannot_work_with_is_said(pod: WatchedPod, environment: dict[str, str], message: str) -> None:
    done = pod.run(**environment)
    assert done.returncode != 0
    assert message in done.stderr
    assert not pod.server.secrets


def test_a_certificate_of_another_authority_is_not_trusted(pod: WatchedPod) -> None:
    (pod.folder / "serviceaccount/ca.crt").write_bytes(Authority().pem)
    done = pod.run()
    assert "does not answer" in done.stderr
    assert pod.server.requests == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_missing_rights_are_said(pod: WatchedPod, method: str) -> None:
    pod.server.faults[method, 1] = lambda handler: handler.refuse(403, "Forbidden")
    done = pod.run()
    asked = {"GET": "get", "POST": "create"}[method]
    assert done.returncode == 1
    assert f"answered 403 (Forbidden) when asked to {asked} the Secret production/convex-instance" in done.stderr


@pytest.mark.parametrize("missing", ["INSTANCE_NAME", "INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "absent"])
def test_a_secret_of_somebody_else_is_never_changed(pod: WatchedPod, missing: str, empty: bool) -> None:
    values = {"INSTANCE_NAME": "n", "INSTANCE_SECRET": "s", "CONVEX_SELF_HOSTED_ADMIN_KEY": "k", missing: ""}
    if not empty:
        del values[missing]
    annotation = json.dumps({"data": {missing: "x"}})
    pod.server.store({"metadata": {"name": "convex-instance", "annotations": {"a": annotation}}, "stringData": values})
    done = pod.run()
    assert done.returncode == 1
    assert f"production/convex-instance is there and has no {missing}" in done.stderr
    assert pod.server.requests == ["GET"]


@pytest.mark.parametrize("output", ["exit 1", "echo nonsense", "echo 'other|abcd'"])
def test_a_generate_key_that_fails_makes_no_secret(pod: WatchedPod, output: str) -> None:
    (pod.folder / "bin/generate_key").write_text(f"#!/bin/bash\n{output}\n")
    done = pod.run()
    assert done.returncode == 1
    assert "generate_key" in done.stderr
    assert pod.server.requests == ["GET"]


def test_kubernetes_changes_nothing_in_the_script_where_it_stands_in_a_command() -> None:
    script = SCRIPT.read_text()
    assert "$$" not in script
    assert not re.search(r"\$\([A-Za-z_][A-Za-z0-9_.-]*\)", script)


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
