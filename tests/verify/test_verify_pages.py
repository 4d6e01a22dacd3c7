"""`verify` tells the right server from a wrong one behind each public host, also through a port-forward."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from convex_k8s.origins import Origins
from convex_k8s.values import Values

from convexctl.preflight.check import Status
from convexctl.tools.kubectl import Kubectl
from convexctl.verify.pages import dashboard, http_actions
from convexctl.verify.place import Place
from convexctl.verify.run import opened
from tests.support.command_line import run
from tests.support.convex_standin import standin
from tests.support.kubectl_stub import KubectlStub

SECRET = "5a" * 32
API = "https://api.example.com"


def page_of(api: str) -> str:
    """What the dashboard sends for `/`."""
    data = {"props": {"pageProps": {"deploymentUrl": api, "adminKey": None}}}
    text = json.dumps(data, separators=(",", ":"))
    return f'<html><title>Convex Dashboard</title><script id="__NEXT_DATA__">{text}</script></html>'


@contextmanager
def server(status: int, body: str, **headers: str) -> Iterator[str]:
    """A server that answers everything alike; its URL."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()


ACTIONS = [
    pytest.param(404, "No matching routes found", Status.OK, "answers (404 for /)", id="no route of the team's"),
    pytest.param(200, "hello", Status.OK, "answers (200 for /)", id="a route of the team's"),
    pytest.param(200, page_of(API), Status.FAILED, "the dashboard answers at", id="dashboard"),
    pytest.param(200, "This Convex deployment is running.", Status.FAILED, "the API answers at", id="API"),
    pytest.param(404, "404 page not found\n", Status.FAILED, "the edge has no route for", id="Traefik"),
    pytest.param(404, "default backend - 404", Status.FAILED, "the edge has no route for", id="default backend"),
    pytest.param(404, "<hr><center>nginx</center>", Status.FAILED, "the edge has no route for", id="nginx"),
    pytest.param(404, "", Status.SKIPPED, "without a word", id="Envoy"),
    pytest.param(502, "", Status.FAILED, "nothing is behind the edge", id="nobody"),
]


@pytest.mark.parametrize(("status", "body", "how", "message"), ACTIONS)
def test_who_answers_for_http_actions(status: int, body: str, how: Status, message: str) -> None:
    with server(status, body) as url:
        check = http_actions(Place(API, url, ""))
    assert (check.status, bool(check.remedy)) == (how, how is Status.FAILED)
    assert message in check.detail


PAGES = [
    pytest.param(200, page_of(API), Status.OK, f"points to {API}", id="right"),
    pytest.param(200, page_of("http://backend:3210"), Status.FAILED, "points to http://backend:3210", id="another API"),
    pytest.param(200, "This Convex deployment is running.", Status.FAILED, "not with the dashboard", id="backend"),
    pytest.param(503, "", Status.FAILED, "answers 503", id="nobody"),
    pytest.param(401, "", Status.SKIPPED, "asks for a login (401)", id="login"),
    pytest.param(302, "", Status.SKIPPED, "leads to login.example.com (302)", id="login elsewhere"),
]


@pytest.mark.parametrize(("status", "body", "how", "message"), PAGES)
def test_what_the_dashboard_answers(status: int, body: str, how: Status, message: str) -> None:
    with server(status, body, Location="https://login.example.com/sign_in?rd=x") as url:
        check = dashboard(Place(API, API, url, deployment=API))
    assert (check.status, bool(check.remedy)) == (how, how is Status.FAILED)
    assert message in check.detail


def test_an_edge_without_tls_has_a_dashboard_without_tls() -> None:
    edge = {"enabled": True, "dashboard": {"host": "d.lab"}, "backend": {"host": "a.lab", "origin": "http://a.lab"}}
    values = Values.parse({"ingress": edge, "backend": {"persistence": {"enabled": True}}, "s3": {"enabled": False}})
    with opened(values, Kubectl("no-such-context"), Origins.of(values), forward=False, trust=None) as (place, _):
        assert place.dashboard == "http://d.lab"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubectlStub:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    stub.secret("instance", {"INSTANCE_SECRET": SECRET})
    (tmp_path / "test.yaml").write_text(
        "instance: {name: prod, existingSecret: instance}\nbackend: {persistence: {enabled: true}}\n"
    )
    return stub


def forwarded(capsys: pytest.CaptureFixture[str], folder: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code and checks of an overlay whose origins are local, through the stub's port-forwards."""
    done = run(capsys, "verify", "test", "--overlays", str(folder), "--format", "json", "--allow-empty")
    checks = json.loads(done.stdout)["checks"]
    return done.code, {check["name"]: (check["status"], check["detail"]) for check in checks}


def test_a_port_forward_changes_nothing_of_what_must_be_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cluster: KubectlStub
) -> None:
    local = "http://localhost:3210"
    with standin(instance="prod", INSTANCE_SECRET=SECRET) as backend, server(200, page_of(local)) as pages:
        backend.set(cloudOrigin=local)
        port = int(pages.rpartition(":")[2])
        cluster.forward(convex_backend_svc=backend.port, convex_dashboard_svc=port)
        code, checks = forwarded(capsys, tmp_path)
    assert code == 0, checks
    assert checks["dashboard"] == ("ok", f"answers, and points to {local}")
    assert checks["upload urls"] == ("ok", f"they begin with {local}")


def test_a_dashboard_that_cannot_be_reached_is_one_failed_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cluster: KubectlStub
) -> None:
    with standin(instance="prod", INSTANCE_SECRET=SECRET) as backend:
        cluster.forward(convex_backend_svc=backend.port)
        code, checks = forwarded(capsys, tmp_path)
    assert code == 1
    assert checks["dashboard"][0] == "failed"
    assert 'services "convex-dashboard-svc" not found' in checks["dashboard"][1]
    assert checks["admin key"][0] == "ok"


def test_a_backend_that_cannot_be_reached_is_the_one_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cluster: KubectlStub
) -> None:
    words = ("verify", "test", "--overlays", str(tmp_path), "--format", "json", "--namespace", "shop")
    done = run(capsys, *words)
    (check,) = json.loads(done.stdout)["checks"]
    assert (done.code, check["name"], check["status"]) == (1, "api", "failed")
    assert 'services "convex-backend-svc" not found' in check["detail"]
    assert "--namespace=shop`" in check["remedy"]
