"""A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager, as envtest runs them.

There is no kubelet and no scheduler: pods stay Pending until a test calls `ControlPlane.make_ready`.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import CREATED, OK
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.api_client import Api, Object
from tests.support.certificates import Authority
from tests.support.processes import PATIENCE_S, Processes, folder_that_goes, free_ports, wait_until
from tests.support.secrets_in_clusters import see_cluster

ASSETS = "KUBEBUILDER_ASSETS"
"""The environment variable that names the folder with the programs, as `setup-envtest` prints it."""
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "baseline" for mode in ("enforce", "warn", "audit")}
"""Labels of a namespace that refuses pods beyond the Pod Security Standard `baseline`, and warns of such workloads."""
POD_ADDRESS = "198.51.100.10"
"""The address of every pod that `ControlPlane.make_ready` runs. It is one of those kept for documentation."""

_LOOPBACK = "127.0.0.1"
_SOCKET = "api.sock"
_NODE = "node-1"
_LEFT_OUT = (
    *("node-lifecycle-controller", "taint-eviction-controller", "pod-garbage-collector-controller"),
    *("endpoints-controller", "endpointslice-mirroring-controller"),
)
"""The controllers that do not run: the first three would take the pods off a node that never reports, and the others
write every Service's endpoints a second time, in the old form that nothing reads."""
RARELY_COLLECTED = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
"""For programs in Go: they take memory instead of a third of their CPU time. One that ends soon needs no limit."""

PREFERENCES = {
    "apiVersion": "kubectl.config.k8s.io/v1beta1",
    "kind": "Preference",
    "defaults": [{"command": "apply", "options": [{"name": "openapi-patch", "default": "false"}]}],
}
"""For kubectl, as its file `kuberc` holds them: it knows Kubernetes' own kinds itself, and need not read half a second
long how the server describes them."""

Command = subprocess.CompletedProcess[str]


def missing_programs(*further: str) -> str:
    """Why a test that needs a control plane, and further programs, cannot run here; empty if it can.

    The control plane's own programs are in the folder that `KUBEBUILDER_ASSETS` names, others there or on `PATH`.
    """
    folder = os.environ.get(ASSETS)
    if not folder:
        return f"{ASSETS} is not set: it names the folder of {', '.join(PROGRAMS)} (setup-envtest use -p path 1.36)"
    absent = [name for name in PROGRAMS if not (Path(folder) / name).is_file()]
    absent += [name for name in further if not shutil.which(name, path=_search_path(folder))]
    return f"not installed: {', '.join(absent)} ({ASSETS} is {folder})" if absent else ""


def _search_path(assets: str) -> str:
    return f"{assets}{os.pathsep}{os.environ['PATH']}"


class ControlPlane:
    """A control plane that runs: one administrator, RBAC, Pod Security admission, and nothing in it."""

    def __init__(self, folder: Path, prefix: Sequence[str], assets: Path | None = None) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.assets = assets or Path(os.environ[ASSETS])
        self.socket = folder / _SOCKET
        """Where `kubectl proxy` listens."""
        self.api = Api(self.socket)
        """The API server, asked as administrator without kubectl."""
        self.environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "PATH": _search_path(str(self.assets)),
            "LC_ALL": "C.UTF-8",
            "GOGC": RARELY_COLLECTED["GOGC"],
        }
        """Environment variables for programs that are to use this cluster."""
        self._prefix = list(prefix)
        self._numbers = itertools.count(1)
        (folder / ".kube").mkdir()
        (folder / ".kube" / "kuberc").write_text(json.dumps(PREFERENCES))

    def kubectl(self, *arguments: object, input: str = "", check: bool = True) -> Command:
        """Run kubectl as administrator. With `check`, an exit code other than 0 fails the test in kubectl's words."""
        return self.run("kubectl", *arguments, input=input, check=check)

    def helm(self, *arguments: object, input: str = "", check: bool = True) -> Command:
        """Run Helm as administrator."""
        return self.run("helm", *arguments, input=input, check=check)

    def kustomize(self, *arguments: object, input: str = "", check: bool = True) -> Command:
        """Run kustomize."""
        return self.run("kustomize", *arguments, input=input, check=check)

    def run(self, program: str, *arguments: object, input: str = "", check: bool = True) -> Command:
        """Run a program that finds this cluster as its own."""
        command = [program, *map(str, arguments)]
        done = subprocess.run(
            [*self._prefix, *command], input=input, capture_output=True, text=True, env=self.environment, check=False
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.returncode}: {done.stdout}\n{done.stderr}"
        return done

    def objects(self, namespace: str, *kinds: str, selector: str = "") -> list[Object]:
        """The objects of these kinds in a namespace, as the API server has them."""
        return [thing for kind in kinds for thing in self.api.list(kind, namespace, selector)]

    def object(self, namespace: str, kind: str, name: str) -> Object:
        """One object as the API server has it."""
        return self.api.get(kind, namespace, name)

    def namespace(self, name: str = "", **labels: str) -> str:
        """Make a namespace that enforces Pod Security `baseline`, with further labels, and return its name.

        Without a name it is one that was never there. A named one that is there is deleted first, with all in it.
        """
        if name:
            self.delete_namespace(name)
        name = name or f"test-{next(self._numbers)}"
        metadata = {"name": name, "labels": {**POD_SECURITY, **labels}}
        status, answer = self._request("POST", "/api/v1/namespaces", {"metadata": metadata})
        assert status == CREATED, answer
        self.wait_for_namespace(name)
        return name

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace where it is there, and wait until it is gone."""
        for pod in self._items(f"/api/v1/namespaces/{name}/pods"):
            self._delete_pod(pod)
        self.api.delete("namespaces", "", name)

    def wait_for_namespace(self, name: str) -> None:
        """Wait until pods can be made in a namespace: its default ServiceAccount is there."""
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(lambda: self._request("GET", account)[0] == OK, f"the default ServiceAccount of {name}")

    def create(self, version: str, kind: str, content: Mapping[str, Any], namespace: str = "default") -> None:
        """Create an object, in this namespace if it names none."""
        self.api.create({"apiVersion": version, "kind": kind, **content}, namespace)

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token of a ServiceAccount, which is made where it is not there."""
        where = ("--namespace", namespace)
        if not self.kubectl("get", "serviceaccount", name, *where, "--ignore-not-found").stdout:
            self.kubectl("create", "serviceaccount", name, *where)
        return self.kubectl("create", "token", name, *where).stdout.strip()

    def as_service_account(self, namespace: str, name: str) -> ControlPlane:
        """The same cluster with the rights of a ServiceAccount, which is made where it is not there, in its namespace.

        It has none until a Role says otherwise.
        """
        content = json.loads(self.kubeconfig.read_text())
        content["users"][0]["user"]["token"] = self.service_account_token(namespace, name)
        content["contexts"][0]["context"]["namespace"] = namespace
        account = copy.copy(self)
        account.kubeconfig = self.kubeconfig.with_name(f"kubeconfig-{namespace}-{name}")
        _write_private(account.kubeconfig, json.dumps(content))
        account.socket = folder_of_nothing = self.kubeconfig.with_name("no-socket")
        account.api = Api(folder_of_nothing)
        account.environment = {**self.environment, "KUBECONFIG": str(account.kubeconfig)}
        return account

    def install_crds(self, *files: Path) -> None:
        """Install CustomResourceDefinitions, of files or folders, and wait until their kinds are served."""
        where = [f"--filename={file}" for file in files]
        self.kubectl("apply", "--server-side", *where)
        self.kubectl("wait", "--for=condition=Established", f"--timeout={PATIENCE_S}s", *where)

    def make_ready(self, namespace: str) -> None:
        """Be scheduler and kubelet until every StatefulSet, Deployment and Job of a namespace is where it should be.

        Pods that are to go are gone at once; new ones get a node and are ready, those of Jobs have succeeded.
        """
        wait_until(lambda: self.be_kubelet(namespace), f"the workloads of {namespace}", pause_s=0.2)

    def be_kubelet(self, namespace: str) -> bool:
        """Be scheduler and kubelet for a moment. Says whether all of the namespace is where it should be."""
        for pod in self._items(f"/api/v1/namespaces/{namespace}/pods"):
            if "deletionTimestamp" in pod["metadata"]:
                self._delete_pod(pod)
            elif pod["status"].get("phase") == "Pending":
                self._run_pod(pod)
        replicated = [
            *self._items(f"/apis/apps/v1/namespaces/{namespace}/statefulsets"),
            *self._items(f"/apis/apps/v1/namespaces/{namespace}/deployments"),
        ]
        jobs = self._items(f"/apis/batch/v1/namespaces/{namespace}/jobs")
        return all(map(_rolled_out, replicated)) and all(map(_done, jobs))

    def _delete_pod(self, pod: Object) -> None:
        self._request("DELETE", _path(pod), {"gracePeriodSeconds": 0})

    def _run_pod(self, pod: Object) -> None:
        """Give a pod a node and the status of one that runs. For one that is gone meanwhile, another comes."""
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": _NODE}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}}
            self._request("POST", f"{_path(pod)}/binding", {**binding, "target": target})
        self._request("PATCH", f"{_path(pod)}/status", {"status": _status(pod)})

    def read(self, path: str) -> str:
        """The API server's answer to a GET: the log of a pod, say."""
        return self.api.ask("GET", path).body.decode(errors="replace")

    def _items(self, path: str) -> list[Object]:
        status, answer = self._request("GET", path)
        assert status == OK, answer
        items: list[Object] = answer["items"]
        return items

    def _request(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        """Ask the API server for JSON."""
        answer = self.api.ask(method, path, body)
        return answer.status, answer.json()


@contextmanager
def control_plane(prefix: Sequence[str] = ()) -> Iterator[ControlPlane]:
    """Start a control plane, and stop it again. Nothing of it stays, also when this process is killed.

    `prefix` stands before every command, of servers and clients alike: the way into a network namespace, say.
    """
    with folder_that_goes("control-plane") as folder:
        cluster = ControlPlane(folder, prefix)
        processes = Processes(folder)
        try:
            _start(cluster, processes, folder, prefix)
            yield cluster
            see_cluster(cluster.api)
        finally:
            processes.stop()


def _start(cluster: ControlPlane, processes: Processes, folder: Path, prefix: Sequence[str]) -> None:
    def start(program: str, *flags: str) -> None:
        environment = {**RARELY_COLLECTED, **cluster.environment}
        processes.start(program, [*prefix, str(cluster.assets / program), *flags], environment)

    client, peer, api = free_ports(3)
    authority = Authority("control plane")
    ca, keys, tokens = folder / "ca.crt", folder / "service-accounts.key", folder / "tokens.csv"
    ca.write_bytes(authority.pem)
    certificate = authority.issue(_LOOPBACK, "localhost", "kubernetes.default.svc")
    certificate_path, key_path = certificate.write(folder, "apiserver")
    token = secrets.token_hex(16)
    _write_private(tokens, f"{token},admin,admin,system:masters\n")
    _write_private(keys, _rsa_key())
    _write_private(cluster.kubeconfig, _kubeconfig(f"https://{_LOOPBACK}:{api}", ca, token))
    start(
        "etcd",
        "--unsafe-no-fsync",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://{_LOOPBACK}:{client}",
        f"--advertise-client-urls=http://{_LOOPBACK}:{client}",
        f"--listen-peer-urls=http://{_LOOPBACK}:{peer}",
        f"--initial-advertise-peer-urls=http://{_LOOPBACK}:{peer}",
        f"--initial-cluster=default=http://{_LOOPBACK}:{peer}",
    )
    start(
        "kube-apiserver",
        f"--etcd-servers=http://{_LOOPBACK}:{client}",
        f"--bind-address={_LOOPBACK}",
        f"--secure-port={api}",
        "--advertise-address=192.0.2.1",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={folder}",
        f"--tls-cert-file={certificate_path}",
        f"--tls-private-key-file={key_path}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--enable-priority-and-fairness=false",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys}",
        f"--service-account-signing-key-file={keys}",
    )
    start("kubectl", "proxy", f"--unix-socket={cluster.socket}")
    processes.wait_until(cluster.api.is_ready, "the API server")
    start(
        "kube-controller-manager",
        "--leader-elect=false",
        "--secure-port=0",
        f"--kubeconfig={cluster.kubeconfig}",
        f"--root-ca-file={ca}",
        f"--service-account-private-key-file={keys}",
        f"--controllers=*,-{',-'.join(_LEFT_OUT)}",
        # Nothing is so large here that its controllers should go slowly, or look at every claim again and again.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
        "--pvclaimbinder-sync-period=10m",
    )
    made = [f"/api/v1/namespaces/default/{name}" for name in ("configmaps/kube-root-ca.crt", "serviceaccounts/default")]
    processes.wait_until(lambda: all(cluster.api.ask("GET", path).status == OK for path in made), "the controllers")
    cluster.create("v1", "Node", {"metadata": {"name": _NODE}})


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _rolled_out(workload: Object) -> bool:
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    status = workload["status"]
    observed = status.get("observedGeneration") == workload["metadata"]["generation"]
    return observed and all(status.get(count, 0) == workload["spec"]["replicas"] for count in counts)


def _done(job: Object) -> bool:
    ends = {condition["type"] for condition in job["status"].get("conditions", []) if condition["status"] == "True"}
    return bool(job["spec"].get("suspend") or ends & {"Complete", "Failed"})


def _status(pod: Object) -> Object:
    """The status of a pod that runs and is ready, or of a Job's that is done."""
    owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
    done = "Job" in owners
    conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
    now = pod["metadata"]["creationTimestamp"]
    state = (
        {"terminated": {"exitCode": 0, "startedAt": now, "finishedAt": now}}
        if done
        else {"running": {"startedAt": now}}
    )

    def containers(kind: str) -> list[Object]:
        return [
            {
                "name": c["name"],
                "image": c["image"],
                "imageID": c["image"],
                "ready": not done,
                "restartCount": 0,
                "state": state,
            }
            for c in pod["spec"].get(kind, [])
        ]

    return {
        "phase": "Succeeded" if done else "Running",
        "podIP": POD_ADDRESS,
        "podIPs": [{"ip": POD_ADDRESS}],
        "startTime": now,
        "conditions": [
            {"type": type, "status": "False" if done and type.endswith("Ready") else "True", "lastTransitionTime": now}
            for type in conditions
        ],
        "containerStatuses": containers("containers"),
    }


def _kubeconfig(server: str, ca: Path, token: str) -> str:
    name = "test"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    # All is on this machine: packing and unpacking the answers is a fifth of the server's work.
                    "cluster": {"server": server, "certificate-authority": str(ca), "disable-compression": True},
                }
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return pem.decode()
