"""`verify` against a backend that speaks the API, and against one with each fault."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from convexctl.tools.convex_api import Answer, ConvexApi, ConvexError
from tests.support.command_line import run
from tests.support.convex_standin import Standin, standin
from tests.support.kubectl_stub import KubectlStub

TAG, OTHER_TAG = "a" * 40, "b" * 40
SECRET, OTHER_SECRET = "5a" * 32, "a5" * 32


@pytest.fixture
def backend() -> Iterator[Standin]:
    with standin(instance="prod", TAG=TAG, INSTANCE_SECRET=SECRET) as running:
        running.set(functions=[{"identifier": "messages:list"}], cloudOrigin=url_of(running))
        yield running


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    stub.secret("instance", {"INSTANCE_SECRET": SECRET})
    return stub


def verify(
    capsys: pytest.CaptureFixture[str], folder: Path, url: str, *options: str, site: str = "", tag: str = TAG
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run it on an overlay with this origin; the checks by name."""
    text = f"""
instance: {{name: prod, existingSecret: instance}}
backend: {{image: {{tag: '{tag}'}}, persistence: {{enabled: true}}}}
convexConfig: {{cloudOrigin: '{url}', siteOrigin: '{site or url + "/http"}'}}
"""
    (folder / "test.yaml").write_text(text)
    done = run(capsys, "verify", "test", "--overlays", str(folder), "--format", "json", *options)
    assert "prod|" not in done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is (done.code == 0)
    return done.code, {check["name"]: check for check in found["checks"]}


def url_of(backend: Standin) -> str:
    """An address that is this machine's, and is not taken for a port-forward's."""
    return f"http://127.0.0.2:{backend.port}"


def test_a_deployment_that_works(capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin) -> None:
    code, checks = verify(capsys, tmp_path, url_of(backend))
    assert code == 0, [check for check in checks.values() if check["status"] != "ok"]
    netloc = f"127.0.0.2:{backend.port}"
    good = {name for name, check in checks.items() if check["status"] == "ok"}
    assert good == {
        f"dns {netloc}", "api", "version", "instance", "http actions", "admin key", "functions", "websocket",
        "large request", f"metrics {netloc}", "clock", "upload urls",
    }  # fmt: skip
    assert checks["slow connection"]["status"] == checks["slow request"]["status"] == "skipped"
    assert (checks["dashboard"]["status"], checks["dashboard"]["detail"]) == (
        "skipped", "the overlay names no public host of the dashboard"
    )  # fmt: skip


FAULTS = [
    pytest.param({"functions": []}, "functions", "healthy but empty", id="empty"),
    pytest.param({"instance": "other"}, "instance", "is the instance other, not prod", id="another instance"),
    pytest.param({"metrics": True}, "metrics", "everybody can read /metrics", id="metrics"),
    pytest.param({"noWebsocket": True}, "websocket", "not 101", id="websocket"),
    pytest.param({"largest": 1_000_000}, "large request", "17 MiB were", id="small bodies"),
    pytest.param({"largest": 1_000_000, "noEcho": True}, "large request", "15 MiB were", id="small bodies, no echo"),
    pytest.param({"cloudOrigin": "https://old.example.com"}, "upload urls", "begin with https://old", id="upload urls"),
    pytest.param({"date": "Wed, 01 Jan 2020 00:00:00 GMT"}, "clock", "differ by", id="clock"),
]


@pytest.mark.parametrize(("state", "name", "message"), FAULTS)
def test_each_fault_is_a_failed_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin, state: dict[str, Any], name: str, message: str
) -> None:
    backend.set(**state)
    code, checks = verify(capsys, tmp_path, url_of(backend))
    failed = {each: check for each, check in checks.items() if check["status"] == "failed"}
    assert code == 1
    also = {"instance": ["admin key"]}.get(name, [])
    first, *others = failed
    assert first.startswith(name)
    assert others == also
    check = failed[first]
    assert message in check["detail"]
    assert check["remedy"]


def test_an_edge_that_passes_only_the_paths_of_the_api(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin
) -> None:
    backend.set(noEcho=True)
    code, checks = verify(capsys, tmp_path, url_of(backend))
    assert (code, checks["large request"]["status"]) == (0, "ok")
    assert "15 MiB came to /api/query" in checks["large request"]["detail"]


LATE = [
    pytest.param({"logPollMs": 1500}, {}, "ok", "came through", id="patient"),
    pytest.param({"logPollMs": 0}, {}, "skipped", "was answered after", id="answers at once"),
    pytest.param({}, {"status": 504}, "failed", "the edge gave up after", id="gives up"),
    pytest.param({}, {"close": True}, "failed", "cut off after", id="cuts off"),
    pytest.param({}, {"status": 404}, "skipped", "the backend answers 404", id="old backend"),
]


@pytest.mark.parametrize(("state", "fault", "status", "message"), LATE)
def test_an_answer_that_begins_late(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    backend: Standin,
    state: dict[str, Any],
    fault: dict[str, Any],
    status: str,
    message: str,
) -> None:
    monkeypatch.setattr("convexctl.verify.edge.LATE_S", 2)
    monkeypatch.setattr("convexctl.verify.edge.QUIET_S", 1)
    backend.set(**state)
    if fault:
        backend.fault("GET /api/stream_udf_execution", **fault)
    code, checks = verify(capsys, tmp_path, url_of(backend), "--slow")
    assert (code, checks["slow request"]["status"]) == (int(status == "failed"), status)
    assert message in checks["slow request"]["detail"]
    assert checks["slow connection"]["detail"] == "open for 1 s"


def test_another_version(capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin) -> None:
    code, checks = verify(capsys, tmp_path, url_of(backend), tag=OTHER_TAG)
    assert (code, checks["version"]["status"]) == (1, "failed")


def test_another_instance_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin, cluster: KubectlStub
) -> None:
    cluster.secret("instance", {"INSTANCE_SECRET": OTHER_SECRET})
    code, checks = verify(capsys, tmp_path, url_of(backend))
    assert (code, checks["admin key"]["status"], checks["functions"]["status"]) == (1, "failed", "skipped")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "another instance secret"), (404, "the edge leads /api elsewhere"), (503, "kubectl logs -l app.kuber")],
)
def test_only_a_refused_key_says_something_of_the_instance_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin, status: int, remedy: str
) -> None:
    backend.fault("GET /api/check_admin_key", times=9, status=status)
    code, checks = verify(capsys, tmp_path, url_of(backend))
    assert (code, checks["admin key"]["status"]) == (1, "failed")
    assert remedy in checks["admin key"]["remedy"]
    assert ("instance secret" in checks["admin key"]["remedy"]) is (status == 401)


@pytest.mark.parametrize(("path", "name"), [("/instance_name", "instance"), ("/version", "version")])
def test_a_connection_that_breaks_in_one_check_leaves_the_others(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    backend: Standin,
    path: str,
    name: str,
) -> None:
    send, asked = ConvexApi.send, list[str]()

    def breaking(self: ConvexApi, method: str, where: str, *rest: Any, **options: Any) -> Answer:
        asked.append(where)
        if where == path and (path != "/version" or asked.count(path) > 1):
            raise ConvexError(f"{self.url} does not answer: Connection refused")
        return send(self, method, where, *rest, **options)

    monkeypatch.setattr(ConvexApi, "send", breaking)
    code, checks = verify(capsys, tmp_path, url_of(backend))
    assert (code, checks[name]["status"]) == (1, "failed")
    assert "does not answer: Connection refused" in checks[name]["detail"]
    assert checks["large request"]["status"] == checks["functions"]["status"] == "ok"


def test_no_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, checks = verify(capsys, tmp_path, "http://127.0.0.2:9")
    assert (code, checks["api"]["status"]) == (1, "failed")
    assert checks["websocket"]["detail"] == "rests on `api`"


def test_no_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, checks = verify(capsys, tmp_path, "https://api.nowhere.invalid")
    assert (code, checks["dns api.nowhere.invalid"]["status"]) == (1, "failed")
    assert checks["certificate api.nowhere.invalid"]["status"] == "skipped"


def test_http_actions_without_a_backend(capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: Standin) -> None:
    class Edge(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.2", 0), Edge)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        site = f"http://127.0.0.2:{server.server_port}"
        _, checks = verify(capsys, tmp_path, url_of(backend), site=site)
    finally:
        server.shutdown()
        server.server_close()
    assert checks["http actions"]["detail"] == f"{site} answers 503: nothing is behind the edge"
