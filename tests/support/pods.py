"""Environments on a cluster whose pods run, and what their pods say about themselves."""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from convexctl.secrets.needed import VARIABLES
from convexctl.synth import environment as synth
from convexctl.synth.environment import Environment, synthesise_all
from tests.support.api_client import Object
from tests.support.certificates import Authority
from tests.support.command_line import program
from tests.support.deployment import containers, pod_specs
from tests.support.node import DATABASE, Node
from tests.support.overlay_cases import Case, environment_of

PATIENCE_S = 180
PASSWORD = "s3cr3t-of-the-database"
VALUES = {
    "POSTGRES_URL": f"postgresql://convex:{PASSWORD}@{DATABASE}",
    "MYSQL_URL": f"mysql://convex:{PASSWORD}@{DATABASE}",
    "CONVEX_DB_HOST": DATABASE.partition(":")[0],
    "CONVEX_DB_PORT": DATABASE.partition(":")[2],
    "INSTANCE_NAME": "on-pods",
    "AWS_ACCESS_KEY_ID": "AKIDONPODS",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-buckets",
    "AWS_REGION": "eu-central-1",
    "S3_ENDPOINT_URL": "https://s3.internal.example:9000",
}
"""What the `secrets` command is given."""
_CA_FILES = ("PG_CA_FILE", "MYSQL_CA_FILE", "NODE_EXTRA_CA_CERTS")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition of pods, which takes seconds on an idle machine, and fail the test where it stays away."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not there after {PATIENCE_S} seconds"
        time.sleep(0.3)


def secrets_for(case: Case, folder: Path, *options: object) -> list[Object]:
    """The Secrets that the `secrets` command makes for an overlay, which it need not synthesise again."""
    ca = folder / "ca.pem"
    ca.write_bytes(Authority().pem)
    pull = folder / "config.json"
    pull.write_text('{"auths": {"registry.example.com": {"auth": "eDp5"}}}')
    values = folder / "values.env"
    made = ("INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY")
    others = {name: f"on-pods-{name.lower()}" for name in VARIABLES if name not in made}
    lines = {**others, **VALUES, **dict.fromkeys(_CA_FILES, str(ca)), "DOCKER_CONFIG_FILE": str(pull)}
    values.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    where = ("--overlays", case.folder, "--from-env-file", values, "--offline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synth, "synthesise", lambda _: case.environment())
        done = program("secrets", case.stem, *where, *options)
    assert done.code == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def environment_in(case: Case, namespace: str, folder: Path) -> Environment:
    """An overlay's environment, in a namespace where the overlay names one."""
    if not case.overlay().values.namespace:
        return case.environment()
    further = folder / "namespace.yaml"
    further.write_text(f"namespace: {namespace}\n")
    (environment,) = synthesise_all(case.folder, [case.stem], [further])
    return environment


def light(manifests: Sequence[Object]) -> list[Object]:
    """The manifests with requests so low that many pods fit on a node, and stops and starts that do not wait long.

    A start has the time that it has, and is looked at each second.
    """
    lowered = copy.deepcopy(list(manifests))
    for pod in pod_specs(lowered):
        pod["terminationGracePeriodSeconds"] = min(pod.get("terminationGracePeriodSeconds", 30), 10)
        for container in containers(pod):
            container.setdefault("resources", {})["requests"] = {"cpu": "1m", "memory": "1Mi"}
            if probe := container.get("startupProbe"):
                probe["failureThreshold"] = probe.get("failureThreshold", 3) * probe.pop("periodSeconds", 10)
                probe["periodSeconds"] = 1
    return lowered


def apply(node: Node, namespace: str, manifests: Sequence[Object]) -> None:
    """Apply manifests in a namespace; an empty one: each in the namespace that it names."""
    for manifest in manifests:
        node.api.apply(manifest, namespace, "tests")


def log(node: Node, namespace: str, pod: str, container: str = "", *, previous: bool = False) -> list[Object]:
    """The lines of a pod's log that are JSON; `previous`: of its container before the last restart."""
    which = f"container={container}&previous={str(previous).lower()}"
    text = node.read(f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{which}")
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"') and "kind" not in line[:8]]


def lines(node: Node, namespace: str, pod: str, *, previous: bool = False) -> list[Object]:
    """As `log`, once there is a line: after a restart the kubelet has no log to show for a moment."""
    found: list[Object] = []

    def there() -> bool:
        found[:] = log(node, namespace, pod, previous=previous)
        return bool(found)

    wait_until(there, f"the log of {pod}")
    return found


@contextmanager
def following(node: Node, namespace: str, pod: str) -> Iterator[subprocess.Popen[str]]:
    """The log of a pod, read while the pod goes."""
    command = [str(node.assets / "kubectl"), "logs", "--follow", "--namespace", namespace, pod]
    process = subprocess.Popen(command, env=node.environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def start_line(node: Node, namespace: str, pod: str, container: str = "") -> Object | None:
    """What a pod of the stand-in says that it got: `args`, `env`, `uid`, `gid`; None before it has started."""
    found = log(node, namespace, pod, container)
    return found[0] if found and "standin" in found[0] else None


def pods(node: Node, namespace: str = "", **labels: str) -> list[Object]:
    """The pods of a namespace, or of all, that have these labels."""
    found = json.loads(node.read(f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"))["items"]
    return [pod for pod in found if labels.items() <= pod["metadata"].get("labels", {}).items()]


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and stays."""
    conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def reasons(pod: Object) -> str:
    """Why a pod does not run, in Kubernetes' words: of its conditions and of its containers."""
    return "\n".join(_reasons(pod))


def _reasons(pod: Object) -> Iterator[str]:
    status = pod.get("status", {})
    for condition in status.get("conditions", []):
        if condition["status"] == "False":
            yield f"{condition.get('reason', '')}: {condition.get('message', '')}"
    for container in status.get("containerStatuses", []):
        for state in (container.get("state", {}), container.get("lastState", {})):
            for item in state.values():
                if "reason" in item:
                    yield f"{item['reason']}: {item.get('message', '')}"


def events(node: Node, namespace: str) -> list[str]:
    """The events of a namespace: `Reason: message`."""
    return [f"{event.get('reason')}: {event.get('message')}" for event in node.objects(namespace, "events")]


def get_by_proxy(node: Node, namespace: str, pod: str, path: str, port: int = 3210) -> str:
    """Ask a pod over HTTP, through the API server."""
    return node.read(f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}")


def start(node: Node, namespace: str, overlay: str, *ready: str) -> Environment:
    """Apply an overlay with this content, and wait until the pods with these values of the label `app` are ready."""
    environment = environment_of(overlay)
    apply(node, namespace, light(environment.manifests))
    wait_for_pods(node, namespace, *ready)
    return environment


def wait_for_pods(node: Node, namespace: str, *apps: str) -> None:
    """Wait until each of these has a pod that is ready, and none that goes."""

    def there() -> bool:
        found = pods(node, namespace)
        return all(
            (mine := [pod for pod in found if pod["metadata"]["labels"].get("app") == app]) and all(map(is_ready, mine))
            for app in apps
        )

    wait_until(there, f"{', '.join(apps)} in {namespace}")
