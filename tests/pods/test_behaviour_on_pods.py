"""The behaviour model against reality: what the pods of every overlay got is what the model says."""

from __future__ import annotations

import base64
import functools
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from convexctl.behaviour import Backend, Component, Dashboard, predict
from convexctl.behaviour.variables import UNSEEN, Variable
from convexctl.synth.environment import Environment
from tests.support.api_client import Object
from tests.support.deployment import pod_specs
from tests.support.node import ADDRESS, DATABASE, Node
from tests.support.overlay_cases import CASES, Case
from tests.support.pods import (
    PASSWORD,
    apply,
    environment_in,
    is_ready,
    light,
    pods,
    reasons,
    secrets_for,
    start_line,
)

KUBELETS_OWN = re.compile(
    r"KUBERNETES_.*|HOSTNAME|PATH|HOME|PWD|OLDPWD|SHLVL|_|DATA_DIR|TMPDIR|STORAGE_DIR|SQLITE_DB|PORT"
)
"""Variables that the kubelet, the shell, the images and the entry point set by themselves."""
ROLES = ("backend", "dashboard")
PATIENCE_S = 240
CANNOT_RUN = {
    ("images", "backend"): "no registry of that name is reachable: ErrImagePull|ImagePullBackOff",
    ("images", "dashboard"): "its image is not on the node, and Never forbids to pull it: ErrImageNeverPull",
    ("placement", "dashboard"): "no node has another architecture: node.s. didn't match Pod's node affinity/selector",
}
"""Pods that no node of ours can run, with the reason, and what Kubernetes says about it."""
WORKLOADS = {"StatefulSet": "backend", "Deployment": "dashboard"}
UNSEEN_BY_PODS = (
    *("Service", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding", "Job", "CronJob"),
)
"""Kinds that change nothing of a pod: of these, a Service does so where the pod asks for links to Services."""
WITHOUT_DASHBOARD = frozenset({"dashboard-disabled"})
RUNNING = [case for case in CASES if not case.overlay().values.backend.paused]
"""A backend that is paused has no pod to ask."""
AT_ONCE = 25
"""How many overlays have pods at one moment: a kubelet takes 110 pods, and other tests have some."""
PODS = [
    pytest.param(case, role, id=f"{case}-{role}")
    for role in ROLES
    for case in RUNNING
    if role == "backend" or str(case) not in WITHOUT_DASHBOARD
]
SERVED = ("", "apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io")
"""Groups of kinds that every cluster has. Those of operators have tests of their own; without them the pods run too."""
DATABASE_URLS = {"postgres-v5": "POSTGRES_URL", "mysql": "MYSQL_URL"}
SERVER_OUTSIDE = ("mysql.example.com", 3307)
"""The database that an overlay names itself; the others are named by a Secret that the tests make."""
BUSYBOX = "busybox:1.37"
HAND_MADE = ("ConfigMap", "app-settings", {"MINE": "1", "SECOND": "two words"})


@dataclass
class Run:
    """An overlay on the node."""

    namespace: str
    environment: Environment
    secrets: dict[str, dict[str, str]]
    twins: dict[str, str] = field(default_factory=dict)
    """By role, the overlay that has the same pod to the letter. That pod stands for both."""
    pods: dict[str, Object] = field(default_factory=dict)
    starts: dict[str, Object | None] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def components(self) -> dict[str, Component]:
        """What the model says about backend and dashboard."""
        model = predict([*light(self.environment.manifests), _config_map()])
        return dict(zip(ROLES, [*model.backends, *model.dashboards], strict=False))


@pytest.fixture(scope="module")
def runs(stand_in: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Every overlay in a namespace of its own, many at once, with what their pods said."""
    node = stand_in
    prepare_node(node)
    all_of_them: dict[str, Run] = {}
    waiting: dict[str, Run] = {}
    first_with: dict[str, str] = {}
    with server_at(node, *SERVER_OUTSIDE):
        for case in RUNNING:
            run, objects = prepare(case, tmp_path_factory.mktemp("overlay"))
            all_of_them[str(case)] = run
            if own := without_twins(str(case), run, objects, first_with):
                collect(node, waiting, AT_ONCE)
                waiting[str(case)] = run
                node.namespace(run.namespace)
                apply(node, run.namespace, own)
        collect(node, waiting, 1)
    yield all_of_them
    for run in waiting.values():
        node.clear(run.namespace)


def collect(node: Node, waiting: dict[str, Run], fewer_than: int) -> None:
    """Wait until so few wait, and let those go that came up, once they have said what they got."""
    deadline = time.monotonic() + PATIENCE_S
    while len(waiting) >= fewer_than and time.monotonic() < deadline:
        found = by_namespace(node)
        up = {name: run for name, run in waiting.items() if come_up(found, name, run)}
        if not up:
            time.sleep(1)
            continue
        processes = containers_processes()
        for name, run in up.items():
            ask(node, name, run, processes)
            node.clear(run.namespace)
            del waiting[name]


@contextmanager
def server_at(node: Node, host: str, port: int) -> Iterator[None]:
    """Let a server that takes connections, and says nothing, have that name and port for the pods."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        node.tool("name", ADDRESS, host)
        with node.exposed(port, server.getsockname()[1]):
            yield


def by_namespace(node: Node) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for pod in pods(node):
        found.setdefault(pod["metadata"]["namespace"], []).append(pod)
    return found


def without_twins(name: str, run: Run, objects: list[Object], first_with: dict[str, str]) -> list[Object]:
    """The workloads whose pods no earlier overlay has to the letter, with what these pods need.

    To the letter is what a kubelet sees: the pod, its claim, and the ConfigMaps and Secrets that it names.
    """
    maps = {one["metadata"]["name"]: one.get("data") for one in objects if one["kind"] == "ConfigMap"}
    keys = {secret: sorted(data) for secret, data in run.secrets.items()}
    workloads = []
    for thing in objects:
        if (role := WORKLOADS.get(thing["kind"])) in run.components:
            seen = json.dumps(seen_by_kubelet(thing), sort_keys=True)
            near = [(key, its) for key, its in sorted({**maps, **keys}.items()) if f'"{key}"' in seen]
            first = first_with.setdefault(f"{seen}{json.dumps(near)}", name)
            if first == name:
                workloads.append(thing)
            else:
                run.twins[str(role)] = first
    linked = any(pod.get("enableServiceLinks", True) for pod in pod_specs(workloads))
    beside = [thing for thing in objects if thing["kind"] not in (*WORKLOADS, *UNSEEN_BY_PODS)]
    services = [thing for thing in objects if thing["kind"] == "Service" and linked]
    return [*beside, *services, *workloads] if workloads else []


def seen_by_kubelet(workload: Object) -> list[object]:
    """What becomes of a workload on a node. A pod sees its labels and annotations where it refers to them."""
    spec = workload["spec"]
    pod, claims = spec["template"]["spec"], spec.get("volumeClaimTemplates")
    refers = re.search("fieldRef|downwardAPI", json.dumps(pod))
    return [pod, [claims, workload["metadata"]["name"]] if claims else [], spec["template"] if refers else {}]


def come_up(found: dict[str, list[Object]], name: str, run: Run) -> bool:
    """Whether each pod of an overlay is ready, or as far as it will come."""
    done = []
    for role in run.components.keys() - run.twins.keys():
        label = f"{run.environment.overlay.values.release_name}-{role}"
        mine = [pod for pod in found.get(run.namespace, []) if pod["metadata"]["labels"].get("app") == label]
        if mine:
            run.pods[role] = max(mine, key=is_ready)
        expected = CANNOT_RUN.get((name, role), "").rpartition(": ")[2]
        pod = run.pods.get(role, {})
        done.append(bool(re.search(expected, reasons(pod))) if expected else is_ready(pod))
    return all(done)


def ask(node: Node, name: str, run: Run, processes: dict[str, Path]) -> None:
    """Read what every pod got: its first line, and what the kernel says about its process, found by its container."""
    for role, pod in run.pods.items():
        if (name, role) not in CANNOT_RUN and is_ready(pod):
            first = pod["spec"]["containers"][0]["name"]
            run.starts[role] = start_line(node, run.namespace, pod["metadata"]["name"], first)
            if process := processes.get(container_id(pod, first)):
                run.inside[role] = "".join((process / file).read_text() for file in ("status", "mounts"))


def containers_processes() -> dict[str, Path]:
    """The first process of each container, by the container's id."""
    found: dict[str, Path] = {}
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):
            if container := re.search(r"[0-9a-f]{64}", (process / "cgroup").read_text()):
                found.setdefault(container[0], process)
    return found


def container_id(pod: Object, name: str) -> str:
    (status,) = [each for each in pod["status"]["containerStatuses"] if each["name"] == name]
    return str(status["containerID"].rpartition("/")[2])


def prepare_node(node: Node) -> None:
    """What overlays expect of a cluster: a label, a priority class, storage classes, a volume made by hand."""
    (default,) = node.objects("", "storageclasses")
    for name in {claim["spec"].get("storageClassName") for case in RUNNING for claim in templates(case)} - {None, ""}:
        its = {key: default[key] for key in ("provisioner", "reclaimPolicy", "volumeBindingMode")}
        node.create(default["apiVersion"], default["kind"], {"metadata": {"name": name}, **its})
    node.tool("image", f"docker.io/library/{BUSYBOX}")
    for each in node.objects("", "nodes"):
        path = node.api.path("nodes", "", each["metadata"]["name"])
        assert node.api.ask("PATCH", path, {"metadata": {"labels": {"example.com/disk": "fast"}}}).status == 200
    node.create("scheduling.k8s.io/v1", "PriorityClass", {"metadata": {"name": "important"}, "value": 1000})
    node.create(
        "v1",
        "PersistentVolume",
        {
            "metadata": {"name": "by-hand"},
            "spec": {
                "capacity": {"storage": "50Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": f"{node.home}/lib/volumes/by-hand", "type": "DirectoryOrCreate"},
                "persistentVolumeReclaimPolicy": "Delete",
            },
        },
    )


def templates(case: Case) -> Iterator[Object]:
    for manifest in case.environment().manifests:
        yield from manifest.get("spec", {}).get("volumeClaimTemplates") or []


def prepare(case: Case, folder: Path) -> tuple[Run, list[Object]]:
    """An overlay in a namespace of its own, and the objects that are to be applied."""
    namespace = f"overlay-{case}"
    environment = environment_in(case, namespace, folder)
    secrets = [*secrets_for(case, folder, "--include-made"), *operators_secrets(environment)]
    for secret in secrets:
        secret["metadata"].pop("namespace", None)
    values = {
        secret["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()
        }
        for secret in secrets
    }
    served = [
        manifest
        for manifest in environment.manifests
        if manifest["kind"] != "Namespace" and manifest["apiVersion"].rpartition("/")[0] in SERVED
    ]
    objects = [*secrets, _config_map(), *prerequisites(environment), *without_busybox(light(served))]
    return Run(namespace, environment, values), objects


def operators_secrets(environment: Environment) -> Iterator[Object]:
    """What the operator CloudNativePG makes for a Cluster, with the API server in the place of its database."""
    name = environment.overlay.values.postgres.cloud_native_pg.cluster
    if name:
        host, _, port = DATABASE.partition(":")
        login = {"host": host, "port": port, "username": "app", "password": PASSWORD, "dbname": "shop_prod"}
        for suffix, data in {"app": login, "ca": {"ca.crt": "a certificate"}}.items():
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
            metadata = {"name": f"{name}-{suffix}"}
            yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def without_busybox(manifests: list[Object]) -> list[Object]:
    """The manifests, where containers of busybox's image wait instead of doing its work."""
    for pod in pod_specs(manifests):
        for container in pod.get("containers", []):
            if container["image"] == BUSYBOX:
                container["command"] = ["sleep", "infinity"]
                container.pop("livenessProbe")
    return manifests


def prerequisites(environment: Environment) -> Iterator[Object]:
    """What only the user can bring: accounts, claims, and Secrets that `secrets` does not make."""
    manifests = environment.manifests
    accounts = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ServiceAccount"}
    for manifest in manifests:
        pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
        if (account := pod.get("serviceAccountName")) and account not in accounts:
            yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}
        for volume in pod.get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
                yield {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": claim["claimName"]},
                    "spec": spec,
                }


def _config_map() -> Object:
    kind, name, data = HAND_MADE
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}


def started(runs: dict[str, Run], case: Case, role: str) -> tuple[Run, Component, Object]:
    component = runs[str(case)].components[role]
    run = runs[runs[str(case)].twins.get(role, str(case))]
    if reason := CANNOT_RUN.get((str(case), role)):
        said = reason.rpartition(": ")[2]
        assert re.search(said, reasons(run.pods[role])), f"Kubernetes says otherwise: {reasons(run.pods[role])}"
        pytest.skip(f"{case}: the {role} cannot run on the node: {reason.rpartition(': ')[0]}")
    start = run.starts.get(role)
    assert start, f"{case}: the {role} did not start: {reasons(run.pods[role]) if role in run.pods else 'no pod'}"
    return run, component, start


def value_of(run: Run, variable: Variable) -> str:
    """What the model says a variable holds, with the Secret's value in the place of a reference to it."""
    if variable.parts:
        value = variable.outline
        for part in variable.parts:
            value = value.replace(UNSEEN, resolved(run, part), 1)
        return value
    if variable.text is not None and not variable.reference.startswith("Secret/"):
        return variable.text
    return resolved(run, variable.reference)


def resolved(run: Run, reference: object) -> str:
    match = re.fullmatch(r"Secret/([^\[]+)\[(.+)\]", str(reference))
    return run.secrets[match[1]][match[2]] if match else str(reference)


def flags(start: Object) -> dict[str, str]:
    """The flags of the backend with the word behind each."""
    words = start["args"]
    return {
        word: words[index + 1] if index + 1 < len(words) and not words[index + 1].startswith("--") else ""
        for index, word in enumerate(words)
        if word.startswith("--")
    }


@pytest.mark.parametrize(("case", "role"), PODS)
def test_the_variables_are_those_of_the_model(runs: dict[str, Run], case: Case, role: str) -> None:
    run, component, start = started(runs, case, role)
    said = {
        name: value_of(run, variable)
        for name, variable in component.environment.variables.items()
        if not (variable.from_secret and variable.unless and resolvable(run, variable) is None)
    }
    got = {name: value for name, value in start["env"].items() if name in said or not KUBELETS_OWN.fullmatch(name)}
    assert got == said


def resolvable(run: Run, variable: Variable) -> str | None:
    """The value of an optional key of a Secret, where it is there."""
    try:
        return resolved(run, variable.reference)
    except KeyError:
        return None


@pytest.mark.parametrize("case", RUNNING, ids=str)
def test_the_flags_of_the_backend_are_the_decisions_of_the_model(runs: dict[str, Run], case: Case) -> None:
    run, model, start = started(runs, case, "backend")
    assert isinstance(model, Backend)
    got = flags(start)
    databases = {"postgres": "postgres-v5", "mysql": "mysql", "sqlite": "sqlite"}
    assert got["--db"] == databases[str(model.engine.value)]
    assert got["--instance-name"] == resolved(run, model.instance_name.value)
    assert got["--convex-origin"] == model.cloud_origin.value
    assert got["--convex-site"] == model.site_origin.value
    assert ("--s3-storage" in got) == (model.files.value == "s3")
    assert ("--local-storage" in got) == (model.files.value == "disk")
    assert ("--disable-beacon" in got) == (model.telemetry.value is False)
    assert ("--redact-logs-to-client" in got) == (model.log_redaction.value is True)
    if model.database_tls and model.database_url:
        assert ("--do-not-require-ssl" in got) == (model.database_tls.value != "required")
        assert value_of(run, model.environment.variables[DATABASE_URLS[got["--db"]]]) in start["args"]
    if model.instance_secret.value == "generated":
        assert re.fullmatch("[0-9a-f]{64}", got["--instance-secret"])
    else:
        assert got["--instance-secret"] == resolved(run, model.instance_secret.value)


@pytest.mark.parametrize("case", RUNNING, ids=str)
def test_the_volume_of_the_backend_is_that_of_the_model(runs: dict[str, Run], case: Case) -> None:
    run, model, _ = started(runs, case, "backend")
    assert isinstance(model, Backend)
    mounts = {line.split()[1]: line.split()[0] for line in run.inside["backend"].splitlines() if line.count(" ") == 5}
    assert {"/convex/data", "/convex/data/tmp"} <= mounts.keys()
    if model.database_ca:
        assert Path(str(model.database_ca.value)).parent.as_posix() in mounts
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in run.pods["backend"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert list(claims.values()) == ([model.claim.value] if model.claim else [])
    assert (model.data_volume.value == "emptyDir") == (not claims)


@pytest.mark.parametrize(("case", "role"), PODS)
def test_the_user_is_that_of_the_model_without_any_privilege(runs: dict[str, Run], case: Case, role: str) -> None:
    run, model, start = started(runs, case, role)
    if isinstance(model, Dashboard):
        assert start["env"]["PORT"] == str(model.port.value)
    assert start["uid"] == {"nextjs": 1001}.get(str(model.user.value), model.user.value)
    assert start["pid"] == 1
    status = dict(line.split(":\t", 1) for line in run.inside[role].splitlines() if ":\t" in line)
    added = 1 << 1 if (str(case), role) == ("pods", "backend") else 0
    assert int(status["CapPrm"], 16) == added, "DAC_OVERRIDE is the only one that an overlay asks for"
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("name", sorted(WITHOUT_DASHBOARD))
def test_a_dashboard_that_is_off_has_no_pod(runs: dict[str, Run], name: str) -> None:
    assert runs[name].components.keys() == runs[name].pods.keys() == {"backend"}
