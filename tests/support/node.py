"""A cluster whose pods really run: a node started for the tests, or any cluster that a context of kubectl names.

`CONVEX_K8S_NODE` names a program with the words `up`, `down`, `image`, `in`, `expose` and `name`, which starts a node
with stand-ins for both Convex images. `CONVEX_K8S_OPERATORS` names one that starts real operators beside it.
`CONVEX_K8S_TEST_CONTEXT` names a context of kubectl instead, such as `kind-kind`: its pods run the real images.

All workers of pytest-xdist share one node. Each holds a shared lock on it; the one that ends last takes the node down,
also when it is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tests.support.control_plane import ASSETS, RARELY_COLLECTED, ControlPlane
from tests.support.processes import Processes, folder_that_goes, wait_until
from tests.support.secrets_in_clusters import see_cluster, see_namespace

PROGRAM = "CONVEX_K8S_NODE"
OPERATORS = "CONVEX_K8S_OPERATORS"
CONTEXT = "CONVEX_K8S_TEST_CONTEXT"
CACHE = "CONVEX_K8S_USERS_CACHE"
"""Names the cache of whoever runs the tests, where both programs unpack theirs once (`tests/conftest.py`)."""
ADDRESS = "172.30.0.2"
"""The node's own address, as pods reach it."""
DATABASE = "kubernetes.default.svc:443"
"""A server that answers by TCP in every cluster: the stand-in asks no more of a database."""

IMAGE_PROGRAMS = "cmp node rclone"
"""What the Jobs of backups need in the backend's image beside what it has; a program that is not here is left out."""

_TAKE_DOWN = """
read -r ended
exec 9<>"$1.users"
if [ "$ended" ]; then flock -n -x 9 || exit 0; else flock -w 30 -x 9 || exit 0; fi
"$2" down
rm -rf "$1" "$1.users" "$1.start" "$1.operators"
"""
"""A worker that is killed writes nothing, and its lock may last a moment longer than its end of the pipe."""


def missing_for_a_node() -> str:
    """Why no pods can run here; empty if they can."""
    if context := os.environ.get(CONTEXT):
        return "" if shutil.which("kubectl", path=_path()) else f"{CONTEXT} is {context}, but kubectl is not installed"
    if not (program := os.environ.get(PROGRAM)):
        return f"neither {PROGRAM} (a program that starts a node) nor {CONTEXT} (a context of kubectl) is set"
    if not os.access(program, os.X_OK):
        return f"{PROGRAM} is {program}, which is not a program"
    return "" if os.geteuid() == 0 else f"{PROGRAM} needs root to start a node"


class Node(ControlPlane):
    """A cluster whose pods run, seen by one worker. All that `ControlPlane` does works but `make_ready`."""

    def __init__(self, folder: Path, kubeconfig: Path, home: Path | None) -> None:
        super().__init__(folder, [], assets=Path(_kubectl()).parent)
        self.kubeconfig = kubeconfig
        self.home = home
        """The state of the node that was started for the tests."""
        self.environment |= {"KUBECONFIG": str(kubeconfig)}
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "pods")

    @property
    def stands_in(self) -> bool:
        """Whether the pods run the stand-in images, which print what they got."""
        return self.home is not None

    @property
    def logs(self) -> Path | None:
        """Where the kubelet keeps the logs of the pods."""
        return self.home / "log" / "pods" if self.home else None

    def namespace(self, name: str = "", **labels: str) -> str:
        """Make a namespace as `ControlPlane` does; one without a name is this worker's own."""
        return super().namespace(name or f"{self._worker}-{next(self._numbers)}", **labels)

    def forget(self, namespace: str) -> None:
        """Delete a namespace with all its pods at once, and wait for nothing.

        The namespace goes first: then no controller may make a pod anew.
        """
        see_namespace(self.api, namespace, self.logs)
        path = f"/api/v1/namespaces/{namespace}"
        self._request("DELETE", path)
        self._request("DELETE", f"{path}/pods", {"gracePeriodSeconds": 0})

    def clear(self, namespace: str) -> None:
        """Delete the workloads of a namespace with all their pods at once, and wait for nothing.

        What else is in it stays until the node goes: to empty a namespace costs four times as much.
        """
        see_namespace(self.api, namespace, self.logs)
        for kind in ("statefulsets", "deployments"):
            self._request("DELETE", f"/apis/apps/v1/namespaces/{namespace}/{kind}")
        self._request("DELETE", f"/api/v1/namespaces/{namespace}/pods", {"gracePeriodSeconds": 0})

    def tool(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call the program that started the node: `image REF`, `in COMMAND`, `name ADDRESS HOST`."""
        return _call(os.environ[PROGRAM], self._home(), *words, check=check)

    def operators(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call the program that starts operators: `up NAME...`, `reach PORT`, `git NAME FOLDER`. One call at a time."""
        with _locked(Path(f"{self._home()}.operators"), fcntl.LOCK_EX):
            return _call(os.environ[OPERATORS], self._home(), *words, check=check, **RARELY_COLLECTED)

    @contextmanager
    def exposed(self, port: int, to: int) -> Iterator[str]:
        """Let pods reach a port of this machine's loopback, and give the address that leads there."""
        environment = {**os.environ, "NODE_DIR": str(self._home())}
        command = [os.environ[PROGRAM], "expose", str(port), f"127.0.0.1:{to}"]
        relay = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        try:
            listens = f": </dev/tcp/127.0.0.1/{port}"
            wait_until(
                lambda: relay.poll() is None and self.tool("in", "bash", "-c", listens, check=False).returncode == 0,
                f"port {port} on the node",
            )
            yield f"{ADDRESS}:{port}"
        finally:
            relay.kill()
            relay.wait()

    def _home(self) -> Path:
        assert self.home, f"this needs a node of {PROGRAM}, and the tests use {CONTEXT}"
        return self.home


@contextmanager
def running_node(images: list[str], name: str = "pods", programs: str = IMAGE_PROGRAMS) -> Iterator[Node]:
    """A node that has these images, shared with the other workers of this run; or the cluster of `CONTEXT`.

    Another `name` is another node. `programs` are in the backend's image beside what it has.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(folder_that_goes("node-worker"))
        processes = Processes(folder)
        stack.callback(processes.stop)
        if context := os.environ.get(CONTEXT):
            node = Node(folder, _kubeconfig_of(context, folder), None)
        else:
            home = stack.enter_context(_shared_node(images, name, programs))
            node = Node(folder, home / "kubeconfig", home)
        proxy = [str(node.assets / "kubectl"), "proxy", f"--unix-socket={node.socket}"]
        processes.start("proxy", proxy, node.environment)
        processes.wait_until(node.api.is_ready, "the API server behind its proxy")
        yield node
        if node.stands_in:
            see_cluster(node.api, node.logs)


@contextmanager
def _shared_node(images: list[str], name: str, programs: str) -> Iterator[Path]:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    home = Path(tempfile.gettempdir()) / f"convex-{name}-{run}"
    # Holds the pipe: when this process ends, however it does, the shell at its other end looks whether it was the last.
    sweeper = subprocess.Popen(
        ["bash", "-c", _TAKE_DOWN, "bash", home, os.environ[PROGRAM]],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "NODE_DIR": str(home)},
    )
    assert sweeper.stdin
    try:
        with _locked(Path(f"{home}.users"), fcntl.LOCK_SH):
            with _locked(Path(f"{home}.start"), fcntl.LOCK_EX):
                if not (home / "ready").exists():
                    ports = {"NODE_PORT": "0", "NODE_IMAGES": " ".join(images)}
                    _start(home, NODE_IMAGE_PROGRAMS=programs, **ports)
            yield home
    finally:
        sweeper.communicate(b"ended\n")


def _start(home: Path, **variables: str) -> None:
    _call(os.environ[PROGRAM], home, "up", check=True, **RARELY_COLLECTED, **variables)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[IO[str]]:
    with path.open("a+") as file:
        fcntl.flock(file, how)
        yield file


def _call(
    program: str, home: Path, *words: object, check: bool = True, **more: str
) -> subprocess.CompletedProcess[str]:
    command = [program, *map(str, words)]
    environment = {**os.environ, "XDG_CACHE_HOME": os.environ[CACHE], "NODE_DIR": str(home), **more}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def _path() -> str:
    return os.pathsep.join(filter(None, (os.environ.get(ASSETS), os.environ["PATH"])))


def _kubectl() -> str:
    found = shutil.which("kubectl", path=_path())
    assert found, "kubectl is not installed"
    return found


def _kubeconfig_of(context: str, folder: Path) -> Path:
    """A kubeconfig with that context alone."""
    command = [_kubectl(), "config", "view", "--minify", "--flatten", "--output=json", f"--context={context}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    file = folder / "context.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(json.loads(done.stdout)))
    return file
