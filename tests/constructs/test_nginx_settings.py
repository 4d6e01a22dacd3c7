"""What our annotations for ingress-nginx ask for, written into the configuration of a real nginx."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from convex_k8s.controllers import NGINX

from tests.support.processes import folder_that_goes, wait_until

PREFIX = "nginx.ingress.kubernetes.io/"
DIRECTIVES = {
    "proxy-body-size": "client_max_body_size {};",
    "proxy-read-timeout": "proxy_read_timeout {}s;",
    "proxy-send-timeout": "proxy_send_timeout {}s;",
}
"""What the controller makes of each annotation."""
BODY = 8 * 1024 * 1024
"""More than the 1 MiB that nginx takes by itself."""

nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(nginx is None, reason="needs nginx (Debian: nginx)")


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        got = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(str(got))))
        self.end_headers()
        self.wfile.write(str(got).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(settings: str) -> Iterator[Path]:
    """A socket on which nginx serves with these settings."""
    upstream = HTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with folder_that_goes("nginx") as folder:
        temporary = "".join(
            f"{kind}_temp_path t-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}\n"
            f"http {{ access_log off; {temporary} server {{ listen unix:{folder}/socket; {settings}\n"
            f"location / {{ proxy_pass http://127.0.0.1:{upstream.server_port}; }} }} }}\n"
        )
        command = [str(nginx), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: (folder / "socket").exists() or process.poll() is not None, "nginx")
            assert process.poll() is None, (folder / "error.log").read_text()
            yield folder / "socket"
        finally:
            process.kill()
            process.wait()
            upstream.shutdown()
            upstream.server_close()


def status_of_a_large_request(place: Path) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(60)
    connection.sock.connect(str(place))
    # nginx may answer, and close, before it has read what it refuses.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", "/api/push", body=b"x" * BODY)
    answer = http.client.HTTPResponse(connection.sock, method="POST")
    answer.begin()
    result = answer.status, answer.read()
    connection.close()
    return result


def test_a_large_request_passes_and_an_answer_may_take_its_time() -> None:
    annotations = {key.removeprefix(PREFIX): value for key, value in NGINX.items()}
    assert annotations.keys() == DIRECTIVES.keys()
    assert int(annotations["proxy-read-timeout"]) >= 300, "what HTTP_SERVER_TIMEOUT_SECONDS of the backend grants"
    settings = " ".join(DIRECTIVES[key].format(value) for key, value in annotations.items())
    with served(settings) as place:
        assert status_of_a_large_request(place) == (200, str(BODY).encode())


def test_without_the_annotations_it_is_refused() -> None:
    with served("") as place:
        assert status_of_a_large_request(place)[0] == 413
