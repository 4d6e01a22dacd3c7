"""The guard on a real API server: what it stops is refused, what it advises works, and `--live` reads a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command_line import Done, run
from tests.support.control_plane import ControlPlane
from tests.support.deployment import make_claim
from tests.support.processes import wait_until

OVERLAY = """\
releaseName: shop
namespace: {namespace}
instance: {{name: shop, existingSecret: shop-instance}}
s3: {{enabled: false}}
backend: {{persistence: {{enabled: true, size: 5Gi, storageClassName: {namespace}, accessMode: ReadWriteOnce}}}}
"""
"""The StorageClass is named as the namespace, so that each test has its own."""
CLAIM = "data-shop-backend-0"


@dataclass
class Environment:
    """An environment in the cluster, and the overlay that it is made from."""

    cluster: ControlPlane
    namespace: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def overlay(self, *changes: tuple[str, str]) -> str:
        """Write the overlay and return its text."""
        text = OVERLAY.format(namespace=self.namespace)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (self.folder / "overlays").mkdir(exist_ok=True)
        (self.folder / "overlays" / "test.yaml").write_text(text)
        return text

    def synth(self, *arguments: str) -> Done:
        """Run synth."""
        folders = ("--overlays", str(self.folder / "overlays"), "-o", str(self.folder / "dist"))
        return run(self.capsys, "synth", *folders, *arguments)

    def apply(self) -> str:
        """Apply what was synthesised, and return what is refused."""
        return self.cluster.kubectl("apply", "--filename", self.folder / "dist" / "test", check=False).stderr

    def shell(self, command: str) -> None:
        """Run a command of a message in the project's folder."""
        self.cluster.run("sh", "-ec", 'cd "$1"; eval "$2"', "sh", self.folder, command)

    def claims(self) -> dict[str, str]:
        """The UID of each claim by its name."""
        claims = self.cluster.objects(self.namespace, "persistentvolumeclaims")
        return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in claims}

    def make_volume(self) -> None:
        """Make a volume that can grow, for the claim of the overlay's class."""
        self.cluster.create(
            "storage.k8s.io/v1",
            "StorageClass",
            {
                "metadata": {"name": self.namespace},
                "provisioner": "kubernetes.io/no-provisioner",
                "allowVolumeExpansion": True,
            },
        )
        self.cluster.create(
            "v1",
            "PersistentVolume",
            {
                "metadata": {"name": self.namespace},
                "spec": {
                    "capacity": {"storage": "20Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": self.namespace,
                    "hostPath": {"path": "/nowhere"},
                },
            },
        )

    def claim_is_bound(self) -> bool:
        """Whether the claim has its volume."""
        claim = self.cluster.object(self.namespace, "persistentvolumeclaim", CLAIM)
        return bool(claim["status"]["phase"] == "Bound")


@pytest.fixture
def environment(
    cluster: ControlPlane,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Environment:
    """Nothing yet; kubectl of this process finds the cluster."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    return Environment(cluster, namespace, tmp_path, capsys, monkeypatch)


def started(environment: Environment, *changes: tuple[str, str]) -> None:
    environment.make_volume()
    environment.overlay(*changes)
    assert environment.synth().code == 0
    assert environment.apply() == ""
    environment.cluster.make_ready(environment.namespace)
    if CLAIM in environment.claims():
        wait_until(environment.claim_is_bound, f"the volume of {CLAIM}")


def commands(done: Done) -> list[str]:
    """The commands of a message that are for the cluster."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("    kubectl ")]
    assert lines
    return lines


OFF = ("persistence: {enabled: true,", "persistence: {enabled: false,")
RECIPES = [
    pytest.param([], ("5Gi", "10Gi"), "updates to statefulset spec", id="a claim that grows"),
    pytest.param([], ("ReadWriteOnce", "ReadWriteOncePod"), "updates to statefulset spec", id="another access mode"),
    pytest.param([], ("size: 5Gi, storageClassName: ", "storageClassName: a"), "updates to statefulset", id="a class"),
    pytest.param([], OFF, "updates to statefulset spec", id="persistence off"),
    pytest.param([OFF], (OFF[1], OFF[0]), "updates to statefulset spec", id="persistence on"),
    pytest.param([], ("size: 5Gi", "existingClaim: other"), "updates to statefulset spec", id="an existing claim"),
    pytest.param([], ("size: 5Gi", f"existingClaim: {CLAIM}"), "updates to statefulset spec", id="the same claim"),
]


@pytest.mark.parametrize(("before", "change", "refused"), RECIPES)
def test_the_commands_of_the_message_do_what_kubernetes_refuses(
    environment: Environment, before: list[tuple[str, str]], change: tuple[str, str], refused: str
) -> None:
    cluster, namespace = environment.cluster, environment.namespace
    started(environment, *before)
    make_claim(cluster, namespace, "other")
    claims = environment.claims()
    environment.overlay(*before, change)
    message = environment.synth()
    assert message.code == 3
    assert environment.synth("--allow-irreversible").code == 0
    assert refused in environment.apply()

    for command in commands(message):
        environment.shell(command)
    cluster.make_ready(namespace)
    assert cluster.kubectl("diff", "--filename", environment.folder / "dist" / "test").stdout == ""
    assert claims.items() <= environment.claims().items()


def test_a_grown_claim_keeps_its_pod(environment: Environment) -> None:
    started(environment)
    (pod,) = environment.cluster.objects(environment.namespace, "pods", selector="app=shop-backend")
    environment.overlay(("5Gi", "10Gi"))
    message = environment.synth()
    assert environment.synth("--allow-irreversible").code == 0
    for command in commands(message):
        environment.shell(command)
    environment.cluster.make_ready(environment.namespace)
    claim = environment.cluster.object(environment.namespace, "persistentvolumeclaim", CLAIM)
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
    (same,) = environment.cluster.objects(environment.namespace, "pods", selector="app=shop-backend")
    assert same["metadata"]["uid"] == pod["metadata"]["uid"]
    (owner,) = same["metadata"]["ownerReferences"]
    owning = environment.cluster.object(environment.namespace, "statefulset", "shop-backend")
    assert owner["uid"] == owning["metadata"]["uid"]


def test_no_claim_shrinks(environment: Environment) -> None:
    started(environment)
    patch = '{"spec": {"resources": {"requests": {"storage": "1Gi"}}}}'
    where = ("--namespace", environment.namespace)
    done = environment.cluster.kubectl("patch", "pvc", CLAIM, *where, f"--patch={patch}", check=False)
    assert "field can not be less than" in done.stderr


JOB = [(", existingSecret: shop-instance", ""), ("s3:", "secrets: {provider: bootstrap}\ns3:")]
EDITS = [
    pytest.param([], "serviceName: shop-backend-headless", "serviceName: other", id="the Service of a StatefulSet"),
    pytest.param([], "app: shop-dashboard", "app: other", id="the selector of a Deployment"),
    pytest.param(JOB, "restartPolicy: OnFailure", "restartPolicy: Never", id="the template of a Job"),
]


@pytest.mark.parametrize(("changes", "ours", "theirs"), EDITS)
def test_an_immutable_field(environment: Environment, changes: list[tuple[str, str]], ours: str, theirs: str) -> None:
    """No overlay leads there: first somebody else's manifests are applied."""
    environment.overlay(*changes)
    assert environment.synth().code == 0
    file = environment.folder / "dist" / "test" / "convex.k8s.yaml"
    assert ours in file.read_text()
    file.write_text(file.read_text().replace(ours, theirs))
    assert environment.apply() == ""
    message = environment.synth()
    assert message.code == 3
    assert environment.synth("--allow-irreversible").code == 0
    refused = environment.apply()
    assert "updates to statefulset spec" in refused or "field is immutable" in refused
    for command in commands(message):
        environment.shell(command)
    environment.cluster.make_ready(environment.namespace)


LIVE = [
    pytest.param([], id="SQLite on a claim"),
    pytest.param([OFF, ("s3: {enabled: false}", "postgres: {enabled: true}")], id="Postgres and S3"),
    pytest.param(JOB, id="a Job"),
]


@pytest.mark.parametrize("changes", LIVE)
def test_the_cluster_has_what_was_applied(environment: Environment, changes: list[tuple[str, str]]) -> None:
    """What the API server adds is no change."""
    started(environment, *changes)
    done = environment.synth("--live")
    assert (done.code, done.stdout) == (0, "")


def test_a_cluster_without_the_objects_has_nothing_to_compare_with(environment: Environment) -> None:
    environment.overlay()
    assert environment.synth("--live").code == 0


def test_a_change_is_told_against_the_cluster_and_not_against_the_folder(environment: Environment) -> None:
    started(environment)
    environment.overlay(("5Gi", "10Gi"), ("name: shop,", "name: store,"))
    assert environment.synth("--allow-irreversible").code == 0
    assert environment.synth().code == 0
    done = environment.synth("--live")
    assert done.code == 3
    assert "test: instance-name: shop -> store\n" in done.stderr
    assert "test: claim-size: 5Gi -> 10Gi\n" in done.stderr
    environment.overlay()
    assert environment.synth().code == 3
    assert environment.synth("--live").code == 0


def test_an_object_that_is_not_there_is_not_compared(environment: Environment) -> None:
    """The instance name is in the ConfigMap, the claim in the StatefulSet."""
    started(environment)
    environment.cluster.kubectl("delete", "configmap", "shop-config", "--namespace", environment.namespace)
    environment.overlay(("name: shop,", "name: store,"))
    assert environment.synth("--live").code == 0
    environment.overlay(("5Gi", "10Gi"))
    assert environment.synth("--live").code == 3


def test_no_secret_is_read(environment: Environment) -> None:
    """An account that may not read Secrets is enough."""
    started(environment)
    cluster, namespace = environment.cluster, environment.namespace
    token = cluster.service_account_token(namespace, "reader")
    where = ("--namespace", namespace)
    cluster.kubectl("create", "role", "reader", "--verb=get", "--resource=statefulsets.apps,deployments.apps", *where)
    cluster.kubectl("create", "role", "config", "--verb=get", "--resource=configmaps", *where)
    for role in ("reader", "config"):
        account = f"--serviceaccount={namespace}:reader"
        cluster.kubectl("create", "rolebinding", role, f"--role={role}", account, *where)
    kubeconfig = environment.folder / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig.read_text())
    kubeconfig.chmod(0o600)
    cluster.kubectl("config", "set-credentials", "reader", f"--token={token}", f"--kubeconfig={kubeconfig}")
    cluster.kubectl("config", "set-context", "--current", "--user=reader", f"--kubeconfig={kubeconfig}")
    environment.monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    environment.overlay(("name: shop,", "name: store,"))
    done = environment.synth("--live")
    assert (done.code, "instance-name: shop -> store" in done.stderr) == (3, True)


def test_a_cluster_that_does_not_answer_stops_the_run(environment: Environment) -> None:
    environment.overlay()
    environment.monkeypatch.setenv("KUBECONFIG", "/dev/null")
    done = environment.synth("--live")
    assert done.code == 1
    compared, note, reason = done.stderr.splitlines()
    assert compared.startswith("test: compared with ")
    assert note.startswith("note: cannot see which overlay the cluster's objects were made from")
    assert "connection refused" in reason
    assert not (environment.folder / "dist").exists()


def test_the_type_of_a_claim_template_may_be_added(environment: Environment) -> None:
    """What earlier versions wrote lacks it; the API server takes the new manifest, and sees no change in it."""
    environment.overlay()
    assert environment.synth().code == 0
    file = environment.folder / "dist" / "test" / "convex.k8s.yaml"
    typed = "- apiVersion: v1\n      kind: PersistentVolumeClaim\n      metadata:"
    file.write_text(changed := file.read_text().replace(typed, "- metadata:"))
    assert typed not in changed
    assert environment.apply() == ""
    before = environment.cluster.object(environment.namespace, "statefulset", "shop-backend")
    assert environment.synth("--allow-irreversible").code == 0
    assert typed in file.read_text()
    assert environment.apply() == ""
    after = environment.cluster.object(environment.namespace, "statefulset", "shop-backend")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_the_difference_to_the_cluster_shows_no_secret(environment: Environment) -> None:
    """Somebody put one into the live object, from where it is in kubectl's own note too."""
    environment.overlay()
    assert environment.synth().code == 0
    file = environment.folder / "dist" / "test" / "convex.k8s.yaml"
    ours = file.read_text()
    literal = "        - env:\n            - name: DB_PASSWORD\n              value: hunter2\n"
    file.write_text(ours.replace("        - env:\n", literal, 1).replace("  RUST_LOG: info", "  RUST_LOG: debug"))
    assert "hunter2" in file.read_text()
    assert environment.apply() == ""
    file.write_text(ours)
    folders = ("--overlays", str(environment.folder / "overlays"), "-o", str(environment.folder / "dist"))
    done = run(environment.capsys, "diff", "--live", *folders)
    assert done.code == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert '~ data.RUST_LOG: "debug" -> "info"' in done.stdout
    hidden = '"name": "DB_PASSWORD", "value": "(not shown: it looks like a secret)"'
    assert f"- spec.template.spec.containers[convex-backend].env[DB_PASSWORD]: {{{hidden}}}" in done.stdout
    assert environment.apply() == ""
    done = run(environment.capsys, "diff", "--live", *folders)
    assert (done.code, done.stdout) == (0, "test: unchanged\n")
