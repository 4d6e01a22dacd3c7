"""The edge on real data planes: Traefik as Ingress and as Gateway controller, with certificates of cert-manager.

Behind it runs, in the backend's own pod, a server that says what reached it.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import apply, light, pods, wait_for_pods, wait_until

ECHO = Path(__file__).parents[1] / "support" / "edge_echo.mjs"
COMMON = """\
namespace: {namespace}
releaseName: shop
s3: {{enabled: false}}
backend:
  metrics: {{enabled: true}}
  persistence: {{allowEphemeralData: true}}
  extraVolumes: [{{name: echo, configMap: {{name: echo}}}}]
  extraVolumeMounts: [{{name: echo, mountPath: /echo}}]
patches:
  - target: {{kind: StatefulSet}}
    patch:
      spec:
        template: {{spec: {{containers: [{{name: convex-backend, command: [node, /echo/echo.mjs]}}]}}}}
"""
HOSTS = "dashboard: {{host: d.{zone}}}, backend: {{host: a.{zone}}}, site: {{host: s.{zone}}}"
INGRESS = COMMON + f"ingress: {{{{enabled: true, className: traefik, certManager: {{{{issuer: ca}}}}, {HOSTS}}}}}\n"
GATEWAY = COMMON + (
    f"ingress: {{{{certManager: {{{{issuer: ca}}}}}}}}\n"
    f"gateway: {{{{enabled: true, create: {{{{className: traefik}}}}, {HOSTS}}}}}\n"
)
OVERLAYS = {"ingress": INGRESS, "gateway": GATEWAY}


@dataclass(frozen=True)
class Served:
    """An environment behind an edge, and how it is reached from here."""

    node: Node
    namespace: str
    zone: str
    port: int
    authority: ssl.SSLContext

    def socket(self, role: str) -> ssl.SSLSocket:
        """A connection to a host, whose certificate is verified."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.authority.wrap_socket(plain, server_hostname=f"{role}.{self.zone}")

    def ask(self, role: str, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any]:
        """Status, and what the echo says as data, another body as text; 0 where TLS or the edge refuses."""
        connection = HTTPSConnection(f"{role}.{self.zone}", timeout=20)
        try:
            connection.sock = self.socket(role)
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith('{"port"') else text
        except (OSError, HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def wait(self) -> None:
        """Wait until every host answers by its certificate."""
        wait_until(lambda: all(self.ask(role, "/version")[0] == 200 for role in "das"), f"the hosts of {self.zone}")


@pytest.fixture(scope="module")
def everything(operators: Callable[..., Node]) -> Iterator[dict[str, Served]]:
    """Both environments, each in a namespace and under names of its own."""
    node = operators("traefik", "cert-manager")
    port = int(node.operators("reach", 443).stdout)
    names = {kind: node.namespace() for kind in OVERLAYS}
    for kind, namespace in names.items():
        make_authority(node, namespace)
        node.create(
            "v1",
            "ConfigMap",
            {"metadata": {"name": "echo", "namespace": namespace}, "data": {"echo.mjs": ECHO.read_text()}},
        )
        text = OVERLAYS[kind].format(namespace=namespace, zone=f"{kind}.test")
        apply(node, namespace, light(environment_of(text).manifests))
    served = {}
    for kind, namespace in names.items():
        wait_for_pods(node, namespace, "shop-backend", "shop-dashboard")
        served[kind] = Served(node, namespace, f"{kind}.test", port, authority(node, namespace))
        served[kind].wait()
    yield served
    for namespace in names.values():
        node.forget(namespace)


@pytest.fixture(params=OVERLAYS)
def served(request: pytest.FixtureRequest, everything: dict[str, Served]) -> Served:
    return everything[request.param]


def make_authority(node: Node, namespace: str) -> None:
    """An Issuer `ca` of cert-manager, with an authority that cert-manager makes too."""
    version, where = "cert-manager.io/v1", {"namespace": namespace}
    node.create(version, "Issuer", {"metadata": {"name": "root", **where}, "spec": {"selfSigned": {}}})
    spec = {"isCA": True, "commonName": "root of the tests", "secretName": "root", "issuerRef": {"name": "root"}}
    node.create(version, "Certificate", {"metadata": {"name": "root", **where}, "spec": spec})
    node.create(version, "Issuer", {"metadata": {"name": "ca", **where}, "spec": {"ca": {"secretName": "root"}}})


def authority(node: Node, namespace: str) -> ssl.SSLContext:
    wait_until(lambda: bool(node.objects(namespace, "secrets")), "the authority")
    data = node.object(namespace, "secret", "root")["data"]
    return ssl.create_default_context(cadata=base64.b64decode(data["ca.crt"]).decode())


def test_hosts_and_paths_lead_where_they_should(served: Served) -> None:
    """TLS is verified for each host by name."""
    for path in ("/api/query", "/http/hello", "/version"):
        status, reached = served.ask("a", path)
        assert (status, reached["port"], reached["path"]) == (200, 3210, path)
    status, page = served.ask("d", "/")
    assert status == 200
    assert "stand-in dashboard" in page


def test_http_actions_keep_their_path_and_query(served: Served) -> None:
    status, reached = served.ask("s", "/hello/you?x=1&y=%2F")
    rewritten = served.zone.startswith("gateway")
    assert status == 200
    assert (reached["port"], reached["path"]) == (
        (3210, "/http/hello/you?x=1&y=%2F") if rewritten else (3211, "/hello/you?x=1&y=%2F")
    )


@pytest.mark.parametrize("role", ["a", "s"])
def test_the_edge_says_who_asked_and_how(served: Served, role: str) -> None:
    """Who calls may not say it itself: functions trust these headers."""
    _, reached = served.ask(role, "/x", x_forwarded_for="6.6.6.6", x_forwarded_proto="http")
    headers = reached["headers"]
    assert (headers["x-forwarded-proto"], headers["host"]) == ("https", f"{role}.{served.zone}")
    assert headers["x-forwarded-for"]
    assert "6.6.6.6" not in headers["x-forwarded-for"]


def test_websockets_pass(served: Served) -> None:
    with served.socket("a") as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /api/1.39.1/sync HTTP/1.1", f"Host: a.{served.zone}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        mask, text = b"abcd", b"hello"
        connection.sendall(bytes([129, 128 + len(text)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))
        answer = b""
        while len(answer) < len(text) + 2:
            answer += connection.recv(16)
        assert answer == bytes([129, len(text)]) + text


def test_a_code_push_is_not_too_large(served: Served) -> None:
    status, reached = served.ask("a", "/api/push", "POST", bytes(8_000_000))
    assert (status, reached["length"]) == (200, 8_000_000)


def closed(served: Served) -> bool:
    """Whether nobody gets the metrics, on no host, however the path is written."""
    paths = ("/metrics", "/metrics/", "/metrics?x", "/metrics#", "//metrics", "/./metrics", "/%6detrics")
    answers = [(role, path, served.ask(role, path)) for role in "das" for path in paths]
    open_to = [each for each in answers if "secret_metrics" in str(each[2])]
    assert open_to == []
    return True


def test_metrics_are_closed_also_while_the_dashboard_is_down(served: Served) -> None:
    node, namespace = served.node, served.namespace
    assert closed(served)
    node.kubectl("scale", "deployment/shop-dashboard", "--replicas=0", "--namespace", namespace)
    try:
        wait_until(lambda: not pods(node, namespace, app="shop-dashboard"), "no dashboard")
        wait_until(lambda: "stand-in" not in str(served.ask("d", "/")), "the edge without a dashboard")
        assert closed(served)
        assert served.ask("a", "/version")[0] == 200
    finally:
        node.kubectl("scale", "deployment/shop-dashboard", "--replicas=1", "--namespace", namespace)
