"""The program's `adopt` against a real cluster, as a process of its own that can be killed at any call of kubectl."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tests.support.api_client import Object
from tests.support.command_line import Done, program
from tests.support.control_plane import ControlPlane
from tests.support.processes import wait_until
from tests.support.secret_watch import saw_output

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("configmaps", "services", "statefulsets", "deployments", "ingresses", "persistentvolumeclaims")
_BETWEEN_LOOKS_S = 0.2
_PATIENCE_S = 300
"""How long the pods of a real node may take."""
_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_CONTROLLERS_OWN = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")

_WRAPPER = """#!/bin/sh
for word; do case $word in -*) ;; *) break ;; esac; done
case $word in {changing}) exec {python} -IS {killer} "$@" ;; *) exec {kubectl} "$@" ;; esac
"""
"""Instead of kubectl: hands what changes nothing on to it at once, without the time that Python takes to start."""
_CHANGING = ("apply", "annotate", "label", "patch", "delete")
_KILLER = """
import os, signal, subprocess, sys
arguments = sys.argv[1:]
verbs = [a for a in arguments if not a.startswith("-")]
def run(arguments, stdin=None):
    return subprocess.run([{kubectl!r}, *arguments], input=stdin, check=False).returncode
def die():
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(1)
def half(text):
    documents = [d for d in text.split(b"---\\n") if b"kind" in d]
    return b"---\\n".join(documents[:len(documents) // 2])
if {moment!r} == "before":
    die()
if {moment!r} == "halfway" and verbs[0] == "apply":
    folder = [a.partition("=")[2] for a in arguments if a.startswith("--filename=") and a != "--filename=-"]
    text = open(folder[0] + "convex.k8s.yaml", "rb").read() if folder else sys.stdin.buffer.read()
    run([a for a in arguments if not a.startswith("--filename=")] + ["--filename=-"], half(text))
    die()
run(arguments)
die()
"""


class Adopter:
    """`main.py adopt` in a project folder of its own, for one release in one namespace."""

    def __init__(self, cluster: ControlPlane, namespace: str, release: str, project: Path) -> None:
        self.cluster, self.namespace, self.release, self.project = cluster, namespace, release, project
        self.overlay = project / "overlays" / f"{release}.yaml"
        self.folder = project / "dist" / release

    def __call__(self, *arguments: str, kill: str = "", verb: str = "", kubelet: bool = True) -> Done:
        """Run it to its end, and meanwhile let the pods become ready: in this process, where nothing is to kill it.

        `kill` ends it `before`, `halfway` or `after` its first call of kubectl that changes something, or that has this
        verb.
        """
        where = ("--overlays", str(self.project / "overlays"), "-o", str(self.project / "dist"))
        words = ["adopt", self.release, "-n", self.namespace, *where, *arguments]
        if kill:
            command = [sys.executable, str(ROOT / "main.py"), *words]
            return self._run(command, self._killing(kill, verb), kubelet=kubelet)
        with self._kubelet() if kubelet else nullcontext():
            return program(*words, environment=self.cluster.environment)

    def shell(self, script: str) -> Done:
        """Run commands in a shell, and meanwhile let the pods become ready."""
        return self._run(["bash", "-euo", "pipefail", "-c", script], self.cluster.environment, kubelet=True)

    def acknowledge(self, **changes: str) -> None:
        """Put acknowledgements into the overlay."""
        self.overlay.write_text(f"{self.overlay.read_text()}acknowledge: {json.dumps(changes)}\n")

    @contextmanager
    def _kubelet(self) -> Iterator[None]:
        ended = threading.Event()

        def run() -> None:
            while not ended.wait(_BETWEEN_LOOKS_S):
                self.cluster.be_kubelet(self.namespace)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _killing(self, kill: str, verb: str) -> Mapping[str, str]:
        programs = self.project / f"kill-{kill}-{verb}"
        programs.mkdir(exist_ok=True)
        kubectl, killer = programs / "kubectl", programs / "killer.py"
        real = str(self.cluster.assets / "kubectl")
        # The program calls kubectl with options in front of the verb, which kubectl itself takes anywhere.
        killer.write_text(_KILLER.format(kubectl=real, moment=kill))
        changing = verb or "|".join(_CHANGING)
        kubectl.write_text(_WRAPPER.format(changing=changing, python=sys.executable, killer=killer, kubectl=real))
        kubectl.chmod(0o755)
        path = f"{programs}{os.pathsep}{self.cluster.environment['PATH']}"
        return {**self.cluster.environment, "PATH": path}

    def _run(self, command: Sequence[str], environment: Mapping[str, str], *, kubelet: bool) -> Done:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=environment)
            try:
                if kubelet:
                    what = f"the end of {command}"
                    wait_until(lambda: self._ended_beside_a_kubelet(process), what, _BETWEEN_LOOKS_S)
                process.wait(timeout=_PATIENCE_S)
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            errors.seek(0)
            done = Done(process.returncode, out.read(), errors.read())
            saw_output(command, done.stdout, done.stderr)
            return done

    def _ended_beside_a_kubelet(self, process: subprocess.Popen[bytes]) -> bool:
        self.cluster.be_kubelet(self.namespace)
        return process.poll() is not None


def snapshot(cluster: ControlPlane, namespace: str) -> dict[str, Object]:
    """The objects of a namespace by `Kind/name`; of Secrets the metadata alone."""
    objects = [*cluster.objects(namespace, *KINDS), *cluster.objects(namespace, "secrets")]
    return {
        f"{thing['kind']}/{thing['metadata']['name']}": {
            key: item for key, item in thing.items() if (thing["kind"], key) != ("Secret", "data")
        }
        for thing in objects
        if thing["metadata"]["name"] != "kube-root-ca.crt"
    }


def versions(objects: Mapping[str, Object]) -> dict[str, str]:
    """The resource versions of objects: whatever changes an object changes its version."""
    return {name: thing["metadata"]["resourceVersion"] for name, thing in objects.items()}


def uids(objects: Mapping[str, Object]) -> dict[str, str]:
    """The UIDs of objects: one that is deleted and recreated has another."""
    return {name: thing["metadata"]["uid"] for name, thing in objects.items()}


def content(thing: Object) -> Object:
    """An object without what the API server and the controllers write into it."""
    thing = copy.deepcopy(thing)
    metadata = {key: item for key, item in thing["metadata"].items() if key not in _SERVERS_OWN}
    annotations = {key: item for key, item in metadata.get("annotations", {}).items() if key not in _CONTROLLERS_OWN}
    result: dict[str, Any] = {key: item for key, item in thing.items() if key != "status"}
    return {**result, "metadata": {**metadata, "annotations": annotations, "labels": metadata.get("labels", {})}}
