"""Releases of the Helm chart on a real API server, adopted in place: nothing deleted, nothing stale, from any point."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from convexctl.adopt.live import preview
from convexctl.adopt.release import from_helm
from convexctl.tools.helm import Helm
from convexctl.tools.kubectl import Kubectl
from tests.support.adoption import Adopter, content, snapshot, uids, versions
from tests.support.api_client import Object
from tests.support.command_line import Done, assert_none_of
from tests.support.control_plane import ControlPlane, missing_programs
from tests.support.helm_chart import CHART, EXAMPLE_VALUES, PORT_FORWARD_VALUES, SECRETS, install

pytestmark = pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))

RELEASE = "shop"
RECORD = f"Secret/sh.helm.release.v1.{RELEASE}.v"
MANAGED_BY = "app.kubernetes.io/managed-by"
NOTHING = f"{RELEASE}: adopted already, there is nothing to do\n"
CLAIM = {"claim": f"{RELEASE}-backend-pvc"}
VALUES = {"example": EXAMPLE_VALUES, "port-forward": PORT_FORWARD_VALUES}
WAYS = {"client-side": False, "server-side": True}
VALUES_OF_SECRETS = [value for data in SECRETS.values() for value in data.values()]


EVERY_STEP = [
    *(("", "apply set-last-applied", moment) for moment in ("before", "halfway", "after")),
    *(("", "apply --namespace", moment) for moment in ("halfway", "after")),
    ("", "annotate", "after"),
    ("", "patch", "after"),
    *[("delete", "delete", "after")] * 2,
]
"""The verb to be killed at (empty: whichever changes something first), the command that it is, and the moment.

Before a step the cluster is as after the one before it.
"""
STEPS_WITH_A_CLAIM = [
    ("", "apply set-last-applied", "halfway"),
    ("", "apply set-last-applied", "after"),
    ("", "apply --namespace", "halfway"),
    ("label", "label", "after"),
    *[("delete", "delete", "after")] * 2,
]
INTERRUPTIONS = {("example", "server-side"): EVERY_STEP, ("port-forward", "client-side"): STEPS_WITH_A_CLAIM}
"""What is adopted in many runs, each of which is killed but the last. The others are adopted in one run."""


@dataclass
class Adopted:
    """A release before and after it was adopted, and what the program said."""

    adopter: Adopter
    before: dict[str, Object]
    stopped: Done | None
    said: list[Done]
    after: dict[str, Object]


@pytest.fixture(scope="module", params=[(kind, way) for kind in VALUES for way in WAYS], ids="-".join)
def adopted(request: pytest.FixtureRequest, cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Adopted:
    kind, way = request.param
    namespace = cluster.namespace()
    install(cluster, namespace, RELEASE, VALUES[kind], server_side=WAYS[way])
    interruptions = INTERRUPTIONS.get((kind, way), [])
    if interruptions:
        cluster.helm("upgrade", RELEASE, CHART, "--reuse-values", "--namespace", namespace)
    before = snapshot(cluster, namespace)
    adopter = Adopter(cluster, namespace, RELEASE, tmp_path_factory.mktemp("project"))
    stopped = None
    if kind == "port-forward":
        stopped = adopter("--apply", "--yes")
        assert versions(snapshot(cluster, namespace)) == versions(before)
        adopter.acknowledge(**CLAIM)
    said = []
    for verb, command, moment in interruptions:
        done = adopter("--apply", "--yes", kill=moment, verb=verb)
        assert done.code == -9, done
        assert f"kubectl {command}" in done.stdout.splitlines()[-1]
        said.append(done)
    done = adopter("--apply", "--yes")
    assert done.code == 0, done
    assert (done.stdout == NOTHING) == bool(interruptions)
    return Adopted(adopter, before, stopped, [*said, done], snapshot(cluster, namespace))


def test_nothing_is_deleted_but_helms_record(adopted: Adopted) -> None:
    gone = {name for name in adopted.before if name.startswith(RECORD)}
    assert f"{RECORD}1" in gone
    assert uids(adopted.after) == {name: uid for name, uid in uids(adopted.before).items() if name not in gone}


def test_no_field_stays_that_the_environment_has_not(adopted: Adopted) -> None:
    cluster, namespace = adopted.adopter.cluster, adopted.adopter.namespace
    made = (
        "replace",
        "--dry-run=server",
        "--output=yaml",
        "--namespace",
        namespace,
        "--filename",
        adopted.adopter.folder,
    )
    wanted = {
        f"{one['kind']}/{one['metadata']['name']}": one for one in yaml.safe_load_all(cluster.kubectl(*made).stdout)
    }
    assert len(wanted) >= 6
    for name, thing in wanted.items():
        assert content(adopted.after[name]) == content(thing)


def test_nothing_of_helm_is_left(adopted: Adopted) -> None:
    assert "helm" not in json.dumps({name: content(thing) for name, thing in adopted.after.items()}).lower()
    assert adopted.adopter.cluster.helm("list", "--namespace", adopted.adopter.namespace, "--short").stdout == ""


def test_a_second_run_does_nothing(adopted: Adopted) -> None:
    for arguments in ((), ("--apply", "--yes")):
        done = adopted.adopter(*arguments, kubelet=False)
        assert (done.code, done.stdout) == (0, NOTHING)
    assert versions(snapshot(adopted.adopter.cluster, adopted.adopter.namespace)) == versions(adopted.after)


def test_kubectl_sees_no_difference(adopted: Adopted) -> None:
    where = ("--namespace", adopted.adopter.namespace, "--filename", adopted.adopter.folder)
    assert adopted.adopter.cluster.kubectl("diff", *where).stdout == ""


def test_no_value_of_a_secret_is_shown_or_written(adopted: Adopted) -> None:
    for done in filter(None, (adopted.stopped, *adopted.said)):
        assert_none_of(VALUES_OF_SECRETS, done.stdout + done.stderr)
    for file in adopted.adopter.project.rglob("*"):
        if file.is_file():
            assert_none_of(VALUES_OF_SECRETS, file.read_text())


def test_there_is_no_way_back_without_helms_record(adopted: Adopted) -> None:
    done = adopted.adopter("--rollback", kubelet=False)
    assert done.code == 1
    assert "no way back" in done.stderr


def test_a_volume_is_mounted_only_after_its_owner_said_that_the_old_data_may_go(adopted: Adopted) -> None:
    if adopted.stopped is None:
        assert f"PersistentVolumeClaim/{RELEASE}-backend-pvc" not in adopted.after
        return
    assert adopted.stopped.code == 3
    assert "the documents (SQLite)" in adopted.stopped.stderr
    pod = adopted.after[f"StatefulSet/{RELEASE}-backend"]["spec"]["template"]["spec"]
    claims = [volume.get("persistentVolumeClaim") for volume in pod["volumes"] if volume["name"] == "data"]
    assert claims == [{"claimName": f"{RELEASE}-backend-pvc"}]


def test_a_server_side_apply_can_remove_what_helm_had_set(adopted: Adopted) -> None:
    """As Flux applies always. The last test of the release, because it changes it."""
    cluster, namespace = adopted.adopter.cluster, adopted.adopter.namespace
    apply = ("apply", "--server-side", "--field-manager=kubectl", "--namespace", namespace, "--filename=-")
    manifests = list(yaml.safe_load_all((adopted.adopter.folder / "convex.k8s.yaml").read_text()))
    deployment = next(one for one in manifests if one["kind"] == "Deployment")
    helms = adopted.before[f"Deployment/{RELEASE}-dashboard"]["metadata"]["labels"]
    assert deployment["metadata"]["labels"]["app"] == helms["app"]
    cluster.kubectl(*apply, input=yaml.safe_dump_all(manifests))
    del deployment["metadata"]["labels"]["app"]
    cluster.kubectl(*apply, input=yaml.safe_dump_all(manifests))
    after = cluster.object(namespace, "deployment", f"{RELEASE}-dashboard")
    assert "app" not in after["metadata"]["labels"]
    assert all("helm" not in text.lower() for text in managers(cluster, namespace))


def managers(cluster: ControlPlane, namespace: str) -> list[str]:
    """Who owns fields of the environment's objects."""
    kinds = "statefulset,deployment,service,configmap,ingress"
    columns = "--output=jsonpath={.items[*].metadata.managedFields[*].manager}"
    return cluster.kubectl("get", kinds, "--namespace", namespace, "--show-managed-fields", columns).stdout.split()


@pytest.fixture
def adopter(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Adopter:
    """The chart's example, installed as Helm 4 does."""
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=True)
    return Adopter(cluster, namespace, RELEASE, tmp_path)


def test_it_prints_commands_that_do_it_by_hand_and_changes_nothing(adopter: Adopter) -> None:
    if reason := missing_programs("jq"):
        pytest.skip(reason)
    before = snapshot(adopter.cluster, adopter.namespace)
    done = adopter(kubelet=False)
    assert done.code == 0
    assert versions(snapshot(adopter.cluster, adopter.namespace)) == versions(before)
    by_hand = adopter.shell(done.stdout.partition("Commands (--apply runs them)\n")[2])
    assert by_hand.code == 0, by_hand
    assert adopter(kubelet=False).stdout == NOTHING
    # What Helm set and the environment keeps is kubectl's, not nobody's.
    where = ("--namespace", adopter.namespace, "--show-managed-fields", "--output=json")
    deployment = json.loads(adopter.cluster.kubectl("get", "deployment", f"{RELEASE}-dashboard", *where).stdout)
    owners = {entry["manager"] for entry in deployment["metadata"]["managedFields"] if "f:image" in json.dumps(entry)}
    assert owners == {"kubectl-client-side-apply"}


def test_it_says_beforehand_what_will_be_in_the_cluster(adopter: Adopter, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, namespace = adopter.cluster, adopter.namespace
    where = ("--namespace", namespace)
    # What somebody else has set stays: a label, and the mark of a restart, as the chart's own guide asks for one.
    cluster.kubectl("label", "service", f"{RELEASE}-backend-svc", "team=mine", *where)
    cluster.kubectl("rollout", "restart", f"statefulset/{RELEASE}-backend", *where)
    cluster.make_ready(namespace)
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    release = from_helm(Helm("", namespace), RELEASE)
    assert release
    assert adopter(kubelet=False).code == 0
    ours = list(yaml.safe_load_all((adopter.folder / "convex.k8s.yaml").read_text()))
    expected = preview(Kubectl("", namespace), ours, release.manifests)
    assert adopter("--apply", "--yes").code == 0
    after = snapshot(cluster, namespace)
    for thing in expected.after:
        name = f"{thing['kind']}/{thing['metadata']['name']}"
        promised, there = content(thing), content(after[name])
        for key in ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace"):
            promised["metadata"]["annotations"].pop(key, None)
        assert there == promised
    template = after[f"StatefulSet/{RELEASE}-backend"]["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert after[f"Service/{RELEASE}-backend-svc"]["metadata"]["labels"]["team"] == "mine"


def test_an_old_pod_that_never_becomes_ready_is_not_waited_for(adopter: Adopter) -> None:
    cluster, namespace = adopter.cluster, adopter.namespace
    pod = f"{RELEASE}-backend-0"
    status = {"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": None}]}}
    patch = ("--subresource=status", "--type=strategic", f"--patch={json.dumps(status)}")
    cluster.kubectl("patch", "pod", pod, "--namespace", namespace, *patch)
    done = adopter("--apply", "--yes")
    assert done.code == 0, done
    assert f"kubectl delete pod/{pod}" in done.stdout


def test_a_rollout_that_fails_leaves_helms_record_and_the_way_back_restores_the_release(adopter: Adopter) -> None:
    cluster, namespace = adopter.cluster, adopter.namespace
    before = snapshot(cluster, namespace)
    done = adopter("--apply", "--yes", "--timeout", "1s", kubelet=False)
    assert done.code == 1
    assert "Helm's record is still there" in done.stderr
    assert f"{RECORD}1" in snapshot(cluster, namespace)

    back = adopter("--rollback", kubelet=False)
    assert back.code == 0
    assert "# Mind" not in back.stdout
    assert adopter.shell(back.stdout).code == 0
    after = snapshot(cluster, namespace)
    assert uids(after) == uids(before)
    for name, thing in before.items():
        expected = content(thing)
        if expected["metadata"]["labels"].get(MANAGED_BY) == "Helm":
            del expected["metadata"]["labels"][MANAGED_BY]
        assert content(after[name]) == expected

    cluster.helm("upgrade", RELEASE, CHART, "--reuse-values", "--namespace", namespace)
    upgraded = snapshot(cluster, namespace)
    for name, thing in before.items():
        if not name.startswith(RECORD):
            assert content(upgraded[name]) == content(thing)


def test_a_mistake_in_the_overlay_is_mended_by_another_run(adopter: Adopter) -> None:
    """What the first attempt set, and the second does not, goes too; and its pod, which never came up, is replaced."""
    assert adopter(kubelet=False).code == 0
    right = adopter.overlay.read_text()
    adopter.overlay.write_text(right.replace("  env:\n", "  env:\n    TZ: Nowhere\n"))
    assert adopter("--apply", "--yes", "--timeout", "1s", kubelet=False).code == 1
    config = adopter.cluster.object(adopter.namespace, "configmap", f"{RELEASE}-config")
    assert config["data"]["TZ"] == "Nowhere"
    adopter.overlay.write_text(right)
    assert adopter("--apply", "--yes").code == 0
    config = adopter.cluster.object(adopter.namespace, "configmap", f"{RELEASE}-config")
    assert "TZ" not in config["data"]
    assert "DO_NOT_REQUIRE_SSL" not in config["data"]


def test_fields_that_a_plain_apply_left_behind_go(adopter: Adopter) -> None:
    """Somebody applied the environment without handing the fields over: what the API server took of it is mended."""
    assert adopter(kubelet=False).code == 0
    where = ("--namespace", adopter.namespace, "--filename", adopter.folder)
    adopter.cluster.kubectl("apply", *where, check=False)
    config = adopter.cluster.object(adopter.namespace, "configmap", f"{RELEASE}-config")
    assert "DO_NOT_REQUIRE_SSL" in config["data"]
    assert adopter("--apply", "--yes").code == 0
    config = adopter.cluster.object(adopter.namespace, "configmap", f"{RELEASE}-config")
    assert "DO_NOT_REQUIRE_SSL" not in config["data"]


def test_a_key_that_the_new_pods_need_and_nobody_made_stops_it(adopter: Adopter) -> None:
    remove = json.dumps([{"op": "remove", "path": "/data/INSTANCE_NAME"}])
    secret = ("secret", "convex-postgres-secret", "--namespace", adopter.namespace)
    adopter.cluster.kubectl("patch", *secret, "--type=json", f"--patch={remove}")
    before = versions(snapshot(adopter.cluster, adopter.namespace))
    done = adopter("--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "convex-postgres-secret[INSTANCE_NAME]" in done.stderr
    assert versions(snapshot(adopter.cluster, adopter.namespace)) == before


def test_what_the_api_server_would_refuse_stops_it_before_anything_is_changed(adopter: Adopter) -> None:
    """A StatefulSet that is there can get no claim template. It is acknowledged, and still cannot be done in place."""
    assert adopter(kubelet=False).code == 0
    overlay = adopter.overlay.read_text()
    adopter.overlay.write_text(overlay.replace("  env:\n", "  persistence:\n    enabled: true\n  env:\n"))
    adopter.acknowledge(claim=f"data-{RELEASE}-backend-0")
    before = versions(snapshot(adopter.cluster, adopter.namespace))
    done = adopter("--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "updates to statefulset spec" in done.stderr
    assert versions(snapshot(adopter.cluster, adopter.namespace)) == before


def test_a_release_that_helm_does_not_know_is_told_with_those_that_it_knows(adopter: Adopter) -> None:
    done = Adopter(adopter.cluster, adopter.namespace, "shopp", adopter.project)(kubelet=False)
    assert done.code == 1
    assert f"Helm has no release shopp in namespace {adopter.namespace}" in done.stderr
    assert f"(there: {RELEASE})" in done.stderr


def test_files_do_as_well_as_helm(adopter: Adopter) -> None:
    manifest = adopter.project / "manifest.yaml"
    get = ("get", "manifest", RELEASE, "--namespace", adopter.namespace)
    manifest.write_text(adopter.cluster.helm(*get).stdout)
    files = ("--values", str(EXAMPLE_VALUES), "--manifest", str(manifest))
    done = adopter(*files, "--apply", "--yes")
    assert done.code == 0, done
    assert f"cat {manifest} | kubectl apply set-last-applied" in done.stdout
    assert adopter(kubelet=False).stdout == NOTHING


def test_flux_would_install_the_chart_again(cluster: ControlPlane, namespace: str, tmp_path: Path) -> None:
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=True)
    rendered = list(yaml.safe_load_all(cluster.helm("get", "manifest", RELEASE, "--namespace", namespace).stdout))
    for thing in filter(None, rendered):
        thing["metadata"].setdefault("labels", {})["helm.toolkit.fluxcd.io/name"] = "convex"
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(rendered))
    adopter = Adopter(cluster, namespace, RELEASE, tmp_path)
    done = adopter("--values", str(EXAMPLE_VALUES), "--manifest", str(manifest), "--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "HelmRelease convex" in done.stderr
