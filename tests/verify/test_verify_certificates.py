"""`verify` of a deployment behind https: what it says about each kind of certificate."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.certificates import Authority, Certificate
from tests.support.command_line import run
from tests.support.kubectl_stub import KubectlStub

HOST = "127.0.0.2"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AUTHORITY = Authority()


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that knows no path: the certificate is looked at before."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """A server whose handshakes may fail without a word on standard error."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def edge(certificate: Certificate | None, folder: Path) -> Iterator[str]:
    """An https server with this certificate, or one without TLS; its host and port."""
    with Quiet((HOST, 0), Answers) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate.write(folder, "edge"))
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"{HOST}:{server.server_port}"
        finally:
            server.shutdown()


CERTIFICATES = [
    pytest.param(AUTHORITY.issue(HOST, lifetime=(-DAY, 60 * DAY + HOUR)), "ok", "(60 days)", "", id="right"),
    pytest.param(
        AUTHORITY.issue(HOST, lifetime=(-DAY, 5 * DAY + HOUR)), "failed", "(5 days)", "not renewed", id="ends soon"
    ),
    pytest.param(
        AUTHORITY.issue(HOST, lifetime=(-2 * DAY, -DAY)), "failed", "is not valid now", "renew it", id="expired"
    ),
    pytest.param(
        AUTHORITY.issue("other.example.com"), "failed", f"is not for {HOST}", "issued for this one", id="another host"
    ),
    pytest.param(
        Authority("nobody").issue(HOST), "failed", "an unknown authority", "--ca FILE", id="unknown authority"
    ),
    pytest.param(None, "failed", "the TLS handshake failed", "see the server's log", id="no TLS"),
]


@pytest.mark.parametrize(("certificate", "status", "detail", "remedy"), CERTIFICATES)
def test_each_certificate(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    certificate: Certificate | None,
    status: str,
    detail: str,
    remedy: str,
) -> None:
    stub = KubectlStub(tmp_path / "kubectl")
    monkeypatch.setenv("PATH", str(stub.programs), prepend=":")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(AUTHORITY.pem)
    with edge(certificate, tmp_path) as netloc:
        origins = f"cloudOrigin: 'https://{netloc}', siteOrigin: 'https://{netloc}/http'"
        (tmp_path / "test.yaml").write_text(
            f"backend: {{persistence: {{enabled: true}}}}\nconvexConfig: {{{origins}}}\n"
        )
        done = run(capsys, "verify", "test", "--overlays", str(tmp_path), "--format", "json", "--ca", str(ca))
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    found = checks[f"certificate {netloc}"]
    assert (done.code, found["status"]) == (1, status), "the server behind it is not a backend"
    assert detail in found["detail"]
    assert remedy in (found["remedy"] or "")
    if status == "failed":
        assert checks["websocket"]["status"] == "skipped"


@pytest.mark.parametrize(
    ("content", "message"), [("nothing", "holds no certificate in PEM form"), (None, "No such file or directory")]
)
def test_a_file_of_authorities_that_is_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None, message: str
) -> None:
    (tmp_path / "test.yaml").write_text("backend: {persistence: {enabled: true}}\n")
    ca = tmp_path / "ca.pem"
    if content:
        ca.write_text(content)
    done = run(capsys, "verify", "test", "--overlays", str(tmp_path), "--ca", str(ca))
    assert done.code == 1
    assert f"{ca}: " in done.stderr
    assert message in done.stderr
