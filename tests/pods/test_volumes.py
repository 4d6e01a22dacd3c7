"""Volumes on real pods: what outlives what, and every recipe of the guard, run word by word with data in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command_line import Done, program
from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import apply, light, lines, log, pods, reasons, start, wait_for_pods, wait_until

OVERLAY = """\
releaseName: shop
namespace: {namespace}
s3: {{enabled: false}}
backend:
  persistence: {{enabled: true, size: 1Gi, storageClassName: ""}}
  terminationGracePeriodSeconds: 10
  probes: {{startup: {{periodSeconds: 1}}}}
  resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}
dashboard: {{enabled: false}}
"""
POD = "shop-backend-0"


def starts(node: Node, namespace: str, pod: str = POD) -> int:
    """How often a backend started on the volume: the stand-in's data."""
    found = log(node, namespace, pod)
    return int(found[0]["starts"]) if found else 0


def secret_of(node: Node, namespace: str, pod: str = POD) -> str:
    """The instance secret that the backend runs with."""
    words = lines(node, namespace, pod)[0]["args"]
    return str(words[words.index("--instance-secret") + 1])


def test_data_and_instance_secret_outlive_everything_but_the_claim(stand_in: Node, namespace: str) -> None:
    node, where = stand_in, ("--namespace", namespace)
    overlay = OVERLAY.format(namespace=namespace)
    start(node, namespace, overlay, "shop-backend")
    secret = secret_of(node, namespace)
    manifests = light(environment_of(overlay).manifests)

    def next_start(count: int) -> None:
        wait_until(lambda: starts(node, namespace) == count, f"start {count}")
        assert secret_of(node, namespace) == secret

    node.kubectl("delete", "pod", POD, *where)
    next_start(2)
    node.kubectl("delete", "pod", POD, "--grace-period=0", "--force", *where)
    next_start(3)
    node.kubectl("delete", "statefulset", "shop-backend", *where)
    apply(node, namespace, manifests)
    next_start(4)


@dataclass
class Setting:
    """An overlay that is applied, in a project folder of its own."""

    node: Node
    namespace: str
    folder: Path

    def write(self, text: str) -> None:
        (self.folder / "overlays").mkdir(exist_ok=True)
        (self.folder / "overlays" / "test.yaml").write_text(text)

    def synth(self, *options: str) -> Done:
        where = ("--overlays", self.folder / "overlays", "-o", self.folder / "dist")
        return program("synth", *where, *options)

    def apply(self, *, check: bool = True) -> str:
        return self.node.kubectl("apply", "--filename", self.folder / "dist" / "test", check=check).stderr

    def run(self, commands: list[str]) -> None:
        """Run commands of a message in the project's folder, in one shell, as they stand there."""
        script = "\n".join(["set -eu", f"cd {self.folder}", *commands])
        self.node.run("bash", "-c", script)


def commands(done: Done) -> list[str]:
    """The commands of a message."""
    found = [line.strip() for line in done.stderr.splitlines() if re.match(r"    (kubectl|python|npx|#) ?", line)]
    assert found, done.stderr
    return found


def started(node: Node, namespace: str, folder: Path) -> Setting:
    """The overlay, applied, with data of one start."""
    setting = Setting(node, namespace, folder)
    setting.write(OVERLAY.format(namespace=namespace))
    assert setting.synth().code == 0
    setting.apply()
    wait_for_pods(node, namespace, "shop-backend")
    return setting


@pytest.fixture
def setting(stand_in: Node, namespace: str, tmp_path: Path) -> Setting:
    """An environment that has started once."""
    return started(stand_in, namespace, tmp_path)


IN_PLACE = {
    "grow": ("size: 1Gi", "size: 2Gi"),
    "access mode": ("size: 1Gi", "size: 1Gi, accessMode: ReadWriteOncePod"),
    "name the claim": ("size: 1Gi", "existingClaim: data-shop-backend-0, size: 1Gi"),
}


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_a_recipe_in_place_keeps_the_data(setting: Setting, change: tuple[str, str]) -> None:
    node, namespace = setting.node, setting.namespace
    secret = secret_of(node, namespace)
    setting.write(OVERLAY.format(namespace=namespace).replace(*change))
    message = setting.synth()
    assert message.code == 3
    assert setting.synth("--allow-irreversible").code == 0
    assert "Forbidden" in setting.apply(check=False)
    setting.run(commands(message))
    wait_for_pods(node, namespace, "shop-backend")
    assert setting.apply() == ""
    node.kubectl("delete", "pod", POD, "--namespace", namespace)
    wait_for_pods(node, namespace, "shop-backend")
    assert starts(node, namespace) >= 2
    assert secret_of(node, namespace) == secret


def test_a_claim_that_is_added_starts_empty_as_the_message_says(setting: Setting) -> None:
    node, namespace = setting.node, setting.namespace
    off = OVERLAY.format(namespace=namespace).replace("enabled: true, size", "enabled: false, size")
    setting.write(off)
    message = setting.synth()
    assert message.code == 3
    assert "nothing mounts the claim data-shop-backend-0 any more" in message.stderr
    assert setting.synth("--allow-irreversible").code == 0
    setting.run(commands(message))
    wait_until(lambda: starts(node, namespace) == 1, "the start on an emptyDir")
    wait_for_pods(node, namespace, "shop-backend")
    setting.write(OVERLAY.format(namespace=namespace))
    message = setting.synth()
    assert message.code == 3
    assert setting.synth("--allow-irreversible").code == 0
    setting.run([line for line in commands(message) if line.startswith("kubectl")])
    wait_until(lambda: starts(node, namespace) == 2, "the start on the claim, which is still there")


def test_a_volume_of_another_class_is_copied_by_the_recipe_and_named(setting: Setting) -> None:
    """The guard says: make a claim, copy with the backend stopped, name it in existingClaim."""
    node, namespace = setting.node, setting.namespace
    secret = secret_of(node, namespace)
    setting.write(OVERLAY.format(namespace=namespace).replace("size: 1Gi", "existingClaim: new, size: 1Gi"))
    message = setting.synth()
    assert message.code == 3
    assert "stop the backend, copy the content of the volume" in message.stderr
    stop, *again = commands(message)
    assert "scale" in stop
    setting.run([stop])
    wait_until(lambda: pods(node, namespace, app="shop-backend") == [], "the stop")
    apply(node, namespace, [new_claim("new"), copier("data-shop-backend-0", "new", image_of(setting))])

    def copied() -> bool:
        (job,) = node.objects(namespace, "jobs")
        return bool(job["status"].get("succeeded"))

    wait_until(copied, f"the copy ({[reasons(pod) for pod in pods(node, namespace)]})")
    assert setting.synth("--allow-irreversible").code == 0
    setting.run(again)
    wait_for_pods(node, namespace, "shop-backend")
    assert starts(node, namespace) == 2
    assert secret_of(node, namespace) == secret


def new_claim(name: str) -> dict[str, object]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def image_of(setting: Setting) -> str:
    (manifest,) = setting.node.objects(setting.namespace, "statefulsets")
    return str(manifest["spec"]["template"]["spec"]["containers"][0]["image"])


def copier(old: str, new: str, image: str) -> dict[str, object]:
    """A Job that copies one claim to another."""
    mounts = [{"name": "old", "mountPath": "/old"}, {"name": "new", "mountPath": "/new"}]
    container = {
        "name": "copy",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["cp", "-a", "/old/.", "/new/"],
        "volumeMounts": mounts,
    }
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in (("old", old), ("new", new))
    ]
    pod = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "copy"}, "spec": {"template": {"spec": pod}}}


def test_a_rename_stops_the_old_one_first_and_its_claim_stays(setting: Setting) -> None:
    node, namespace = setting.node, setting.namespace
    setting.write(OVERLAY.format(namespace=namespace).replace("releaseName: shop", "releaseName: store"))
    message = setting.synth()
    assert message.code == 3
    stop = next(line for line in commands(message) if " delete " in line)
    setting.run([stop])
    wait_until(lambda: pods(node, namespace, app="shop-backend") == [], "the stop")
    assert setting.synth("--allow-irreversible").code == 0
    setting.apply()
    wait_for_pods(node, namespace, "store-backend")
    claims = {claim["metadata"]["name"] for claim in node.objects(namespace, "persistentvolumeclaims")}
    assert claims == {"data-shop-backend-0", "data-store-backend-0"}
    assert starts(node, namespace, "store-backend-0") == 1, "empty, as the message says"
