"""A running Helm release with data on its volume is taken over, put back and taken over again: nothing is lost."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.adoption import Adopter, snapshot, uids
from tests.support.control_plane import missing_programs
from tests.support.helm_chart import CHART, PORT_FORWARD_VALUES, make_secrets
from tests.support.node import Node
from tests.support.pods import is_ready, lines, pods, start_line, wait_for_pods, wait_until
from tests.support.writers import watched

pytestmark = pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))

RELEASE = "shop"
POD = f"{RELEASE}-backend-0"
CLAIM = f"{RELEASE}-backend-pvc"
APPS = (f"{RELEASE}-backend", f"{RELEASE}-dashboard")
MOUNT = f"""\
          volumeMounts: [{{name: data, mountPath: /convex/data}}]
      terminationGracePeriodSeconds: 3
      volumes: [{{name: data, persistentVolumeClaim: {{claimName: {CLAIM}}}}}]
"""
"""What a team adds to the chart, which makes the claim and does not mount it. Its pods take no SIGTERM."""
MORE = "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: notes}}]\n"
"""An object that the release does not have."""
MISTAKE = "nodeSelector: {disk: none-has-this}"
MISTAKE_OF = '"disk": "none-has-this"'
LATER_STEPS = [
    ("label", "label"),
    ("annotate", "annotate"),
    ("patch", "patch"),
    ("delete", "delete secret,configmap"),
]
"""The steps after the new pods are there: the verb to be killed at, and the command that it is."""


def install(node: Node, namespace: str, folder: Path) -> None:
    """Install the chart with its volume mounted, as Helm 4 does."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    template = chart / "templates" / "backend.yaml"
    template.write_text(template.read_text() + MOUNT)
    make_secrets(node, namespace)
    node.helm("install", RELEASE, chart, "--values", PORT_FORWARD_VALUES, "--namespace", namespace)
    wait_for_pods(node, namespace, *APPS)


@pytest.fixture(scope="module")
def release(stand_in: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The namespace of a release that runs."""
    namespace = stand_in.namespace()
    install(stand_in, namespace, tmp_path_factory.mktemp("release"))
    yield namespace
    stand_in.forget(namespace)


def instance_secret(node: Node, namespace: str) -> str:
    words = lines(node, namespace, POD)[0]["args"]
    return str(words[words.index("--instance-secret") + 1])


def started(node: Node, namespace: str, starts: int, secret: str) -> None:
    """Wait until the backend is ready after this many starts on its volume; its secret is the one on the volume."""

    def there() -> bool:
        line = start_line(node, namespace, POD)
        return line is not None and line["starts"] == starts

    wait_until(there, f"start {starts} on the volume")
    wait_for_pods(node, namespace, *APPS)
    assert instance_secret(node, namespace) == secret


def test_a_running_release_is_taken_over_put_back_and_taken_over_again(
    stand_in: Node, release: str, tmp_path: Path
) -> None:
    node, namespace = stand_in, release
    before = snapshot(node, namespace)
    secret = instance_secret(node, namespace)
    adopter = Adopter(node, namespace, RELEASE, tmp_path)

    def adopt(kill: str = "", verb: str = "") -> str:
        done = adopter("--apply", "--yes", kill=kill, verb=verb, kubelet=False)
        assert done.code == (-9 if kill else 0), done
        return done.stdout

    def stopped(step: str, verb: str = "") -> None:
        assert f"kubectl {step}" in adopt(kill="after", verb=verb).splitlines()[-1]

    with watched(node, namespace, CLAIM) as writers:
        stopped("apply set-last-applied")
        right = f"{adopter.overlay.read_text()}\n{MORE}"
        adopter.overlay.write_text(right.replace("\nbackend:\n", f"\nbackend:\n  {MISTAKE}\n"))
        stopped("apply --namespace")
        wait_until(lambda: MISTAKE_OF in json.dumps(pods(node, namespace, app=APPS[0])), "a pod that never starts")
        adopter.overlay.write_text(right)
        stopped(f"delete pod/{POD}", "delete")
        # The next pod starts. Who is not sure goes back right now.
        back = adopter("--rollback", kubelet=False)
        assert back.code == 0, back
        go_back(node, back.stdout)
        wait_for_pods(node, namespace, *APPS)
        line = start_line(node, namespace, POD)
        assert line
        assert line["env"]["AWS_ENDPOINT_URL_S3"] == "true", "the release's own setting is back"
        assert "ConfigMap/notes" not in snapshot(node, namespace)

        for verb, step in LATER_STEPS:
            stopped(step, verb)
        started(node, namespace, line["starts"] + 1, secret)
        assert adopt() == f"{RELEASE}: adopted already, there is nothing to do\n"
        line = start_line(node, namespace, POD)
        assert line
        assert "AWS_ENDPOINT_URL_S3" not in line["env"]

    assert writers.most == 1, "two backends had the volume at one moment"
    assert len(writers.containers) >= 3, "of the release, of the release put back, of the environment"
    assert {name: uid for name, uid in uids(before).items() if "helm.release" not in name}.items() <= uids(
        snapshot(node, namespace)
    ).items()
    helm_can_do_nothing(node, namespace)
    a_later_apply_removes(node, namespace, adopter.folder)


def test_two_backends_on_one_volume_would_be_seen(stand_in: Node, release: str) -> None:
    """On the volume of before, at the end: the look that found one backend there finds a second one."""
    node, namespace = stand_in, release
    container = {
        "name": "second",
        "image": pods(node, namespace, app=APPS[0])[0]["spec"]["containers"][0]["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "60"],
        "volumeMounts": [{"name": "data", "mountPath": "/convex/data"}],
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}
    with watched(node, namespace, CLAIM) as writers:
        wait_until(lambda: writers.most == 1, "the first")
        spec = {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0}
        node.create("v1", "Pod", {"metadata": {"name": "second"}, "spec": spec}, namespace)
        wait_until(lambda: writers.most == 2, "the second")


def go_back(node: Node, script: str) -> None:
    """Run the commands of the way back, which are interrupted after each change and begun again."""
    commands = [line for line in script.splitlines() if not line.startswith("#")]
    changes = [number for number, command in enumerate(commands, 1) if re.search(r"kubectl (apply|delete)", command)]
    assert len(changes) >= 3, commands
    for number in (*changes, len(commands)):
        node.run("bash", "-euo", "pipefail", "-c", "\n".join(commands[:number]))


def helm_can_do_nothing(node: Node, namespace: str) -> None:
    before = uids(snapshot(node, namespace))
    done = node.helm("uninstall", RELEASE, "--namespace", namespace, check=False)
    assert done.returncode != 0
    assert "not found" in done.stderr
    assert uids(snapshot(node, namespace)) == before
    assert is_ready(*pods(node, namespace, app=APPS[0]))


def a_later_apply_removes(node: Node, namespace: str, folder: Path) -> None:
    """What the release had set too goes with the manifest that no longer has it, from the pod as from the object."""
    manifests = list(yaml.safe_load_all((folder / "convex.k8s.yaml").read_text()))
    backend = next(item for item in manifests if item["kind"] == "StatefulSet")
    (container,) = backend["spec"]["template"]["spec"]["containers"]
    container["env"] = [entry for entry in container["env"] if entry["name"] != "AWS_REGION"]
    apply = ("apply", "--server-side", "--namespace", namespace, "--filename=-")
    line = start_line(node, namespace, POD)
    assert line
    assert "AWS_REGION" in line["env"]
    node.kubectl(*apply, input=yaml.safe_dump_all(manifests))

    def gone() -> bool:
        found = start_line(node, namespace, POD)
        return found is not None and "AWS_REGION" not in found["env"] and found["starts"] == line["starts"] + 1

    wait_until(gone, "the pod without the variable, with its data")
