"""A real edge for tests: Traefik as Ingress controller of a control plane, with servers where the pods would be.

All of it runs in a network of its own (a Linux namespace), so that it meets nothing else on the machine and the pods
have a real address. Who may make user namespaces needs no further rights.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import NOT_FOUND
from pathlib import Path
from typing import Any

from tests.support.control_plane import POD_ADDRESS, ControlPlane, control_plane, missing_programs
from tests.support.processes import Processes, folder_that_goes, wait_until

POD_PORTS = (3210, 3211, 6791)
"""What the images of Convex listen on: API, HTTP actions, dashboard."""

_EDGE_PORT = 8443
_TOOLS = ("unshare", "nsenter", "ip")
_ISOLATED = ("unshare", "--user", "--map-root-user", "--net")
_NETWORK = Path(__file__).with_name("edge_network.py")


def missing_for_an_edge() -> str:
    """Why no edge can be started here, as one sentence; empty if one can."""
    if reason := missing_programs("traefik"):
        return reason
    if absent := [tool for tool in _TOOLS if not shutil.which(tool)]:
        return f"not installed: {', '.join(absent)} (Debian: util-linux, iproute2)"
    tried = subprocess.run([*_ISOLATED, "true"], capture_output=True, text=True, check=False)
    return f"no network of its own is permitted here: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True)
class Answer:
    """What the edge answered, and which pod's port it had the answer from."""

    status: int
    """HTTP status; 0 where there was no HTTP answer."""
    body: str
    """The body, or why there was no answer."""
    port: int = 0
    """The port that the request reached; 0 where it reached no pod."""
    path: str = ""
    """The path that arrived there."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers that arrived there, by lower-case name."""


class Edge:
    """An Ingress controller that runs, and the control plane that it follows."""

    def __init__(self, cluster: ControlPlane, network: subprocess.Popen[str]) -> None:
        self.cluster = cluster
        self._network = network

    def get(self, host: str, path: str = "/", **headers: str) -> Answer:
        """Ask `https://<host><path>` of the edge. Headers are named with underscores: `x_forwarded_for`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = {"edge_port": _EDGE_PORT, "host": host, "path": path, "headers": named}
        assert self._network.stdin
        assert self._network.stdout
        print(json.dumps(request), file=self._network.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._network.stdout.readline())
        reached = json.loads(answer["body"]) if answer["status"] == 200 else {}
        return Answer(**answer, **reached)

    def serve(self, namespace: str) -> None:
        """Make the pods of a namespace ready, and wait until every path of its Ingresses reaches one."""
        self.cluster.make_ready(namespace)
        for ingress in self.cluster.objects(namespace, "ingresses"):
            if name := ingress["spec"].get("ingressClassName"):
                self._follow(name)
            for rule in ingress["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    if not path["backend"]["service"]["name"].endswith("-closed"):
                        self._wait_for(rule["host"], path["path"])

    def leave(self, namespace: str) -> None:
        """Take a namespace's Ingresses away, and wait until their hosts reach nothing: the next one may have them."""
        ingresses = self.cluster.objects(namespace, "ingresses")
        hosts = {rule["host"] for ingress in ingresses for rule in ingress["spec"]["rules"]}
        self.cluster.kubectl("delete", "ingresses", "--all", "--namespace", namespace)
        wait_until(lambda: all(self.get(host).status == NOT_FOUND for host in hosts), f"nothing behind {hosts}")

    def _wait_for(self, host: str, path: str) -> None:
        wait_until(lambda: self.get(host, path).port != 0, f"a pod behind {host}{path}")

    def _follow(self, ingress_class: str) -> None:
        content = {"metadata": {"name": ingress_class}, "spec": {"controller": "traefik.io/ingress-controller"}}
        self.cluster.api.delete("ingressclasses", "", ingress_class)
        self.cluster.create("networking.k8s.io/v1", "IngressClass", content)


@contextmanager
def edge() -> Iterator[Edge]:
    """Start a control plane with an edge, and stop both again. Nothing stays, also when this process is killed."""
    with _network() as network, folder_that_goes("edge") as folder:
        inside = ["nsenter", f"--target={network.pid}", "--user", "--net", "--preserve-credentials"]
        with control_plane(inside) as cluster:
            processes = Processes(folder)
            try:
                processes.start("traefik", [*inside, "traefik", *_FLAGS], cluster.environment)
                running = Edge(cluster, network)
                processes.wait_until(lambda: running.get("nowhere").status == NOT_FOUND, "Traefik")
                yield running
            finally:
                processes.stop()


_FLAGS = (
    "--providers.kubernetesingress",
    "--providers.providersthrottleduration=0",
    f"--entrypoints.websecure.address=127.0.0.1:{_EDGE_PORT}",
    "--entrypoints.websecure.http.tls=true",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)


@contextmanager
def _network() -> Iterator[subprocess.Popen[str]]:
    setup = f'ip link set lo up && ip addr add {POD_ADDRESS}/32 dev lo && exec "$@"'
    servers = [sys.executable, "-I", str(_NETWORK), POD_ADDRESS, *map(str, POD_PORTS)]
    with subprocess.Popen(
        [*_ISOLATED, "sh", "-c", setup, "sh", *servers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as network:
        try:
            assert network.stdout
            assert network.stdout.readline() == "ready\n", "the servers in the network did not start"
            yield network
        finally:
            network.kill()
