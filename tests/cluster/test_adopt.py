"""Releases of the Helm chart on a real API server, adopted in place: nothing deleted, nothing stale, from any point."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import OK
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
POD = f"{RELEASE}-backend-0"
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
HALFWAY_WITH_A_CLAIM = [
    ("", "apply set-last-applied", "halfway"),
    ("", "apply set-last-applied", "after"),
    ("", "apply --namespace", "halfway"),
]
"""After each of the further steps the tests on pods interrupt a release with a claim."""
INTERRUPTIONS = {("example", "server-side"): EVERY_STEP, ("port-forward", "client-side"): HALFWAY_WITH_A_CLAIM}
"""What is adopted in many runs, each of which is killed but the last. The others are adopted in one run."""
BY_FILES = ("example", "client-side")
"""What is adopted by the files of a release, and beside a pod that never became ready."""


@dataclass
class Adopted:
    """A release before and after it was adopted, and what the program said."""

    adopter: Adopter
    before: dict[str, Object]
    stopped: Done | None
    said: list[Done]
    after: dict[str, Object]
    manifest: Path | None
    """The file with what Helm rendered, where the release was adopted by files."""


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
    manifest, files = None, []
    if (kind, way) == BY_FILES:
        manifest = adopter.project / "manifest.yaml"
        manifest.write_text(cluster.helm("get", "manifest", RELEASE, "--namespace", namespace).stdout)
        files = ["--values", str(EXAMPLE_VALUES), "--manifest", str(manifest)]
        never_ready(cluster, namespace)
    said = []
    for verb, command, moment in interruptions:
        done = adopter("--apply", "--yes", kill=moment, verb=verb)
        assert done.code == -9, done
        assert f"kubectl {command}" in done.stdout.splitlines()[-1]
        said.append(done)
    done = adopter(*files, "--apply", "--yes")
    assert done.code == 0, done
    assert (done.stdout == NOTHING) == (interruptions is EVERY_STEP)
    return Adopted(adopter, before, stopped, [*said, done], snapshot(cluster, namespace), manifest)


def never_ready(cluster: ControlPlane, namespace: str) -> None:
    """Let the backend's pod be not ready."""
    pod = cluster.object(namespace, "pod", POD)
    conditions = [
        {**item, "status": "False"} if item["type"] == "Ready" else item for item in pod["status"]["conditions"]
    ]
    path = f"/api/v1/namespaces/{namespace}/pods/{POD}/status"
    answer = cluster.api.ask("PATCH", path, {"status": {"conditions": conditions}})
    assert answer.status == OK, answer


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


def test_files_do_as_well_as_helm(adopted: Adopted) -> None:
    namespace = f"--namespace={adopted.adopter.namespace}"
    source = f"cat {adopted.manifest}" if adopted.manifest else f"helm get manifest {RELEASE} {namespace}"
    assert any(f"{source} | kubectl apply set-last-applied" in done.stdout for done in adopted.said)


def test_an_old_pod_that_never_becomes_ready_is_not_waited_for(adopted: Adopted) -> None:
    deleted = f"kubectl delete pod/{POD}" in adopted.said[-1].stdout
    assert deleted == bool(adopted.manifest)


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


def test_it_prints_what_will_be_and_commands_that_do_it_by_hand(
    adopter: Adopter, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := missing_programs("jq"):
        pytest.skip(reason)
    cluster, namespace = adopter.cluster, adopter.namespace
    where = ("--namespace", namespace)
    # What somebody else has set stays: a label, and the mark of a restart, as the chart's own guide asks for one.
    cluster.kubectl("label", "service", f"{RELEASE}-backend-svc", "team=mine", *where)
    cluster.kubectl("rollout", "restart", f"statefulset/{RELEASE}-backend", *where)
    cluster.make_ready(namespace)
    before = snapshot(cluster, namespace)
    done = adopter(kubelet=False)
    assert done.code == 0
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    release = from_helm(Helm("", namespace), RELEASE)
    assert release
    ours = list(yaml.safe_load_all((adopter.folder / "convex.k8s.yaml").read_text()))
    expected = preview(Kubectl("", namespace), ours, release.manifests)
    assert versions(snapshot(cluster, namespace)) == versions(before)

    by_hand = adopter.shell(done.stdout.partition("Commands (--apply runs them)\n")[2])
    assert by_hand.code == 0, by_hand
    assert adopter(kubelet=False).stdout == NOTHING
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
    # What Helm set and the environment keeps is kubectl's, not nobody's.
    path = cluster.api.path("deployments", namespace, f"{RELEASE}-dashboard")
    entries = cluster.api.ask("GET", path).json()["metadata"]["managedFields"]
    assert {entry["manager"] for entry in entries if "f:image" in json.dumps(entry)} == {"kubectl-client-side-apply"}


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


def test_a_mistake_in_the_overlay_and_a_plain_apply_are_mended_by_another_run(adopter: Adopter) -> None:
    """What the first attempt set, and the second does not, goes too; and its pod, which never came up, is replaced.

    Before, somebody applied the environment without handing the fields over: what the API server took of it is mended.
    """

    def config() -> Object:
        data: Object = adopter.cluster.object(adopter.namespace, "configmap", f"{RELEASE}-config")["data"]
        return data

    assert adopter(kubelet=False).code == 0
    where = ("--namespace", adopter.namespace, "--filename", adopter.folder)
    adopter.cluster.kubectl("apply", *where, check=False)
    assert "DO_NOT_REQUIRE_SSL" in config()
    right = adopter.overlay.read_text()
    adopter.overlay.write_text(right.replace("  env:\n", "  env:\n    TZ: Nowhere\n"))
    assert adopter("--apply", "--yes", "--timeout", "1s", kubelet=False).code == 1
    assert config()["TZ"] == "Nowhere"
    adopter.overlay.write_text(right)
    assert adopter("--apply", "--yes").code == 0
    assert not {"TZ", "DO_NOT_REQUIRE_SSL"} & config().keys()


@pytest.fixture(scope="module")
def untouched(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Adopter:
    """The chart's example, for tests in which it stays as it is."""
    namespace = cluster.namespace()
    install(cluster, namespace, RELEASE, EXAMPLE_VALUES, server_side=True)
    return Adopter(cluster, namespace, RELEASE, tmp_path_factory.mktemp("untouched"))


def test_a_key_that_the_new_pods_need_and_nobody_made_stops_it(untouched: Adopter) -> None:
    cluster, namespace = untouched.cluster, untouched.namespace
    secret = cluster.object(namespace, "secret", "convex-postgres-secret")
    put_back = {"data": {"INSTANCE_NAME": secret["data"]["INSTANCE_NAME"]}}
    patch_secret(cluster, namespace, {"data": {"INSTANCE_NAME": None}})
    before = versions(snapshot(cluster, namespace))
    done = untouched("--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "convex-postgres-secret[INSTANCE_NAME]" in done.stderr
    assert versions(snapshot(cluster, namespace)) == before
    patch_secret(cluster, namespace, put_back)


def patch_secret(cluster: ControlPlane, namespace: str, patch: Object) -> None:
    answer = cluster.api.ask("PATCH", cluster.api.path("secrets", namespace, "convex-postgres-secret"), patch)
    assert answer.status == OK, answer


def test_a_release_that_helm_does_not_know_is_told_with_those_that_it_knows(untouched: Adopter) -> None:
    done = Adopter(untouched.cluster, untouched.namespace, "shopp", untouched.project)(kubelet=False)
    assert done.code == 1
    assert f"Helm has no release shopp in namespace {untouched.namespace}" in done.stderr
    assert f"(there: {RELEASE})" in done.stderr


def test_flux_would_install_the_chart_again(untouched: Adopter, tmp_path: Path) -> None:
    get = ("get", "manifest", RELEASE, "--namespace", untouched.namespace)
    rendered = list(yaml.safe_load_all(untouched.cluster.helm(*get).stdout))
    for thing in filter(None, rendered):
        thing["metadata"].setdefault("labels", {})["helm.toolkit.fluxcd.io/name"] = "convex"
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(rendered))
    adopter = Adopter(untouched.cluster, untouched.namespace, RELEASE, tmp_path)
    done = adopter("--values", str(EXAMPLE_VALUES), "--manifest", str(manifest), "--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "HelmRelease convex" in done.stderr


def test_what_the_api_server_would_refuse_stops_it_before_anything_is_changed(untouched: Adopter) -> None:
    """A StatefulSet that is there can get no claim template. It is acknowledged, and still cannot be done in place."""
    cluster, namespace = untouched.cluster, untouched.namespace
    assert untouched(kubelet=False).code == 0
    overlay = untouched.overlay.read_text()
    untouched.overlay.write_text(overlay.replace("  env:\n", "  persistence:\n    enabled: true\n  env:\n"))
    untouched.acknowledge(claim=f"data-{RELEASE}-backend-0")
    before = versions(snapshot(cluster, namespace))
    done = untouched("--apply", "--yes", kubelet=False)
    assert done.code == 1
    assert "updates to statefulset spec" in done.stderr
    assert versions(snapshot(cluster, namespace)) == before
