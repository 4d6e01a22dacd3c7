"""Both samples, from nothing, by the commands of their own pages, until the dashboard answers."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import program, run
from tests.support.deployment import write_files
from tests.support.node import Node
from tests.support.overlay_cases import ROOT, case
from tests.support.pods import VALUES, wait_for_pods, wait_until
from tests.support.processes import free_ports


def commands(page: str, chapter: str) -> list[str]:
    """The lines of a chapter's shell blocks."""
    text = page.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()


def shell(node: Node, namespace: str, folder: Path, lines: list[str]) -> None:
    """Run commands of a page in the project's folder, with the namespace as kubectl's current one."""
    kubeconfig = folder / "kubeconfig"
    if not kubeconfig.exists():
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(node.kubeconfig.read_text())
        node.kubectl("config", "set-context", "--current", f"--namespace={namespace}", f"--kubeconfig={kubeconfig}")
    environment = {**node.environment, "KUBECONFIG": str(kubeconfig)}
    script = "\n".join(["set -eu", f"cd {folder}", *lines])
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


@contextmanager
def forwarded(node: Node, namespace: str, command: str) -> Iterator[list[int]]:
    """A port-forward of a page, on free ports of this machine in the place of its own."""
    words = command.split()
    pairs = [word for word in words if re.fullmatch(r"\d+:\d+", word)]
    ports = free_ports(len(pairs))
    changed = [f"{port}:{pair.partition(':')[2]}" for port, pair in zip(ports, pairs, strict=True)]
    whole = [word for word in words if word not in pairs] + changed + ["--namespace", namespace]
    process = subprocess.Popen(
        [str(node.assets / "kubectl"), *whole[1:]], env=node.environment, stdout=subprocess.DEVNULL
    )
    try:
        yield ports
    finally:
        process.kill()
        process.wait()


def get(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def test_local_by_its_own_page(stand_in: Node, namespace: str, tmp_path: Path) -> None:
    node, environment = stand_in, case("local").environment()
    page = environment.files["README.md"]
    write_files(environment, tmp_path / "dist" / "local")
    assert "No Secret is needed to start." in page
    shell(node, namespace, tmp_path, commands(page, "Apply"))
    api, dashboard = (line for line in commands(page, "Reach it") if "port-forward" in line)
    with forwarded(node, namespace, api) as (port, actions), forwarded(node, namespace, dashboard) as (page_port,):
        wait_until(lambda: get(port, "/version")[0] == 200, "the API")
        wait_until(lambda: get(page_port, "/")[0] == 200, "the dashboard")
        assert get(port, "/instance_name") == (200, "convex-self-hosted")
        assert get(actions, "/hello") == (200, "http action /hello\n")
    *remove, delete_data = commands(page, "Remove")
    shell(node, namespace, tmp_path, remove)
    assert len(node.objects(namespace, "persistentvolumeclaims")) == 1
    shell(node, namespace, tmp_path, [delete_data])
    wait_until(lambda: node.objects(namespace, "persistentvolumeclaims", "pods") == [], "nothing left")


def test_production_by_https_with_a_certificate_of_cert_manager(
    operators: Callable[..., Node],
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node, environment = operators("traefik", "cert-manager"), case("production").environment()
    write_files(environment, tmp_path / "dist" / "production")
    make_issuer(node)
    (tmp_path / "values.env").write_text("".join(f"{name}={value}\n" for name, value in VALUES.items()))
    kubectl = {name: node.environment[name] for name in ("KUBECONFIG", "PATH")}
    made = program(
        "secrets", "production", "--overlays", ROOT / "tests" / "data" / "samples", "--namespace", namespace,
        "--from-env-file", tmp_path / "values.env", "--apply", "--yes", environment=kubectl,
    )  # fmt: skip
    assert made.code == 0, made.stderr
    shell(node, namespace, tmp_path, commands(environment.files["README.md"], "Apply"))
    release = environment.overlay.values.release_name
    wait_for_pods(node, namespace, f"{release}-backend", f"{release}-dashboard")
    port = int(node.operators("reach", 443).stdout)
    ca = authority(node)
    # Traefik takes a host up once its Service has an endpoint: each at its own time.
    wait_until(lambda: over_tls(port, ca, "dashboard.example.com", "/")[0] == 200, "the dashboard by https")
    wait_until(lambda: over_tls(port, ca, "api.example.com", "/instance_name")[0] == 200, "the API by https")
    assert over_tls(port, ca, "api.example.com", "/instance_name") == (200, VALUES["INSTANCE_NAME"])
    assert over_tls(port, ca, "api.example.com", "/http/hello") == (200, "http action /hello\n")

    (tmp_path / "ca.pem").write_text(root_certificate(node))
    for name, value in kubectl.items():
        monkeypatch.setenv(name, value)
    public_hosts_are_at(port, monkeypatch)
    where = ("--overlays", str(ROOT / "tests" / "data" / "samples"), "--namespace", namespace)
    done = run(capsys, "verify", "production", *where, "--ca", str(tmp_path / "ca.pem"), "--allow-empty")
    passed = set(re.findall("^ok +(.+?)  ", done.stdout, re.MULTILINE))
    # The stand-in has no page of a dashboard, no admin keys, no websockets, and takes no large body.
    of_hosts = {
        f"{check} {host}.example.com" for check in ("dns", "certificate", "metrics") for host in ("api", "dashboard")
    }
    assert passed == {*of_hosts, "api", "instance", "http actions", "upload urls", "clock"}, done.stdout


def make_issuer(node: Node) -> None:
    """The issuer that the sample names, which signs with an authority of its own."""
    kind, version = "ClusterIssuer", "cert-manager.io/v1"
    node.create(version, kind, {"metadata": {"name": "root"}, "spec": {"selfSigned": {}}})
    certificate = {
        "metadata": {"name": "root", "namespace": "cert-manager"},
        "spec": {
            "isCA": True,
            "commonName": "root of the tests",
            "secretName": "root",
            "issuerRef": {"name": "root", "kind": kind},
        },
    }
    node.create(version, "Certificate", certificate)
    node.create(version, kind, {"metadata": {"name": "letsencrypt-prod"}, "spec": {"ca": {"secretName": "root"}}})


def root_certificate(node: Node) -> str:
    data = json.loads(node.kubectl("get", "secret", "root", "--namespace=cert-manager", "--output=json").stdout)["data"]
    return base64.b64decode(data["ca.crt"]).decode()


def authority(node: Node) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=root_certificate(node))


def public_hosts_are_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what DNS and the load balancer do elsewhere: lead the sample's hosts to a port of this machine."""
    found, connected = socket.getaddrinfo, socket.create_connection

    def address(host: str, *rest: Any, **more: Any) -> Any:
        return found("127.0.0.1" if host.endswith(".example.com") else host, *rest, **more)

    def connect(place: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
        return connected(("127.0.0.1", port) if place[0].endswith(".example.com") else place, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", address)
    monkeypatch.setattr(socket, "create_connection", connect)


def over_tls(port: int, ca: ssl.SSLContext, host: str, path: str) -> tuple[int, str]:
    """Ask a host of the edge; 0 where TLS or the edge refuses."""
    connection = HTTPSConnection(host, context=ca, timeout=10)
    try:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sock = ca.wrap_socket(plain, server_hostname=host)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()
