"""What lies at /convex/data, and what it survives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.convex_manifests import backend, claim, claim_template, config_map, mounted, only_backend

TEMPLATES = {"volumeClaimTemplates": [claim_template("data")]}


def volume(**kind: object) -> dict[str, Any]:
    return {"volumes": [{"name": "data", **kind}]}


def on_claim(name: str) -> dict[str, Any]:
    return volume(persistentVolumeClaim={"claimName": name})


@pytest.mark.parametrize(
    ("manifests", "value", "outlives", "source"),
    [
        pytest.param([backend()], "none", "nothing", "volumeMounts", id="nothing mounted"),
        pytest.param(
            [backend(container=mounted(), pod=volume(emptyDir={}))],
            "emptyDir",
            "container",
            "volumes[data]",
            id="emptyDir",
        ),
        pytest.param(
            [backend(container=mounted(), pod=volume(ephemeral={}))], "ephemeral", "container", "volumes[data]"
        ),
        pytest.param(
            [backend(container=mounted(), pod=volume(hostPath={"path": "/srv"}))],
            "hostPath",
            "node",
            "volumes[data]",
            id="hostPath",
        ),
        pytest.param(
            [backend(container=mounted(), pod=volume(nfs={"server": "x"}))],
            "nfs",
            "delete",
            "volumes[data]",
            id="nfs",
        ),
        pytest.param(
            [backend(container=mounted(), spec=TEMPLATES)],
            "claim data-convex-0",
            "delete",
            "volumeClaimTemplates[0]",
            id="template",
        ),
        pytest.param(
            [backend(container=mounted(), pod=on_claim("mine")), claim("mine")],
            "claim mine",
            "pod",
            "volumeMounts[data]",
            id="claim that stands in the manifests",
        ),
        pytest.param(
            [backend(container=mounted(), pod=on_claim("theirs"))],
            "claim theirs",
            "delete",
            "volumeMounts[data]",
            id="existing claim",
        ),
        pytest.param(
            [backend(container=mounted("/convex"), spec=TEMPLATES)],
            "claim data-convex-0",
            "delete",
            "volumeClaimTemplates[0]",
            id="mounted above",
        ),
        pytest.param(
            [backend(container=mounted("/convex/data/"), spec=TEMPLATES)],
            "claim data-convex-0",
            "delete",
            "volumeClaimTemplates[0]",
            id="trailing slash",
        ),
        pytest.param(
            [backend(container=mounted("/data"), spec=TEMPLATES)],
            "none",
            "nothing",
            "volumeMounts",
            id="claim mounted elsewhere",
        ),
        pytest.param(
            [backend(container=mounted("/convex/database"), spec=TEMPLATES)],
            "none",
            "nothing",
            "volumeMounts",
            id="a path that only begins the same",
        ),
        pytest.param(
            [backend(container=mounted())], "unknown", "nothing", "volumeMounts[data]", id="a mount without a volume"
        ),
        pytest.param(
            [backend({"DATA_DIR": "/srv/convex"}, container=mounted("/srv"), spec=TEMPLATES)],
            "claim data-convex-0",
            "delete",
            "volumeClaimTemplates[0]",
            id="DATA_DIR moves it",
        ),
    ],
)
def test_volume(manifests: list[dict[str, Any]], value: str, outlives: str, source: str) -> None:
    model = only_backend(*manifests)
    assert model.data_volume.value == value
    assert model.data_outlives.value == outlives
    assert model.files_outlive.value == outlives
    assert model.database_outlives.value == outlives
    assert str(model.data_volume.source).endswith(source)


def test_the_innermost_mount_counts() -> None:
    mounts = {
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/convex/data/tmp"},
            {"name": "scratch", "mountPath": "/convex/data/storage"},
            {"name": "data", "mountPath": "/convex/data"},
        ]
    }
    pod = {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "scratch", "emptyDir": {}}]}
    model = only_backend(backend(container=mounts, spec=TEMPLATES, pod=pod))
    assert model.data_outlives.value == "delete"
    assert model.database_outlives.value == "delete"
    assert model.files_outlive.value == "container"


@pytest.mark.parametrize("policy", ["whenDeleted", "whenScaled"])
def test_a_retention_policy_may_delete_the_claims_of_a_template(policy: str) -> None:
    spec = {**TEMPLATES, "persistentVolumeClaimRetentionPolicy": {policy: "Delete"}}
    decision = only_backend(backend(container=mounted(), spec=spec)).data_outlives
    assert decision.value == "pod"
    assert decision.source.field == f"spec.persistentVolumeClaimRetentionPolicy.{policy}"


@pytest.mark.parametrize("spec", [TEMPLATES, {}], ids=["template", "existing claim"])
def test_a_namespace_among_the_manifests_takes_the_claim_along(spec: dict[str, Any]) -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "shop"}}
    pod = {} if spec else on_claim("mine")
    model = only_backend(backend(container=mounted(), spec=spec, pod=pod, namespace="shop"), namespace)
    for decision in (model.data_outlives, model.files_outlive, model.database_outlives):
        assert decision.value == "pod"
        assert str(decision.source) == "Namespace/shop"
    assert "Namespace shop" in model.files_outlive.text


def test_a_claim_read_from_a_cluster_is_no_part_of_the_manifests() -> None:
    live = claim("mine")
    live["metadata"]["uid"] = "0f1e"
    model = only_backend(backend(container=mounted(), pod=on_claim("mine")), live)
    assert model.data_outlives.value == "delete"
    assert model.claim_size is not None
    assert model.claim_size.value == "5Gi"


def test_the_claim_in_detail() -> None:
    template = claim_template("data", size="20Gi", storageClassName="fast", accessModes=["ReadWriteOncePod"])
    model = only_backend(backend(container=mounted(), spec={"volumeClaimTemplates": [template]}))
    assert [
        decision and decision.value
        for decision in (model.claim, model.claim_size, model.claim_class, model.access_modes)
    ] == ["data-convex-0", "20Gi", "fast", ("ReadWriteOncePod",)]


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        ({}, None, "the cluster's default"),
        ({"storageClassName": ""}, "", "none"),
        ({"storageClassName": "x"}, "x", "x"),
    ],
)
def test_storage_class(spec: dict[str, Any], value: object, text: str) -> None:
    template = {"volumeClaimTemplates": [claim_template("data", **spec)]}
    decision = only_backend(backend(container=mounted(), spec=template)).claim_class
    assert decision is not None
    assert (decision.value, decision.text) == (value, text)


class TestClaimsThatHoldNothing:
    @pytest.mark.parametrize(
        ("manifests", "names"),
        [
            pytest.param([backend(), claim("made")], ("made",), id="made and mounted nowhere"),
            pytest.param(
                [backend(container=mounted("/data"), spec=TEMPLATES)], ("data-convex-0",), id="mounted elsewhere"
            ),
            pytest.param([backend(spec=TEMPLATES)], ("data-convex-0",), id="a template that is not mounted"),
            pytest.param(
                [backend(container=mounted(), pod=volume(emptyDir={})), claim("made")], ("made",), id="emptyDir instead"
            ),
        ],
    )
    def test_are_named(self, manifests: list[dict[str, Any]], names: tuple[str, ...]) -> None:
        decision = only_backend(*manifests).claims_astray
        assert decision is not None
        assert decision.value == names

    @pytest.mark.parametrize(
        "manifests",
        [
            pytest.param([backend()], id="no claim"),
            pytest.param([backend(container=mounted(), spec=TEMPLATES)], id="mounted"),
            pytest.param(
                [
                    backend(),
                    backend(
                        kind="Deployment",
                        name="other",
                        container={"image": "postgres", "ports": []},
                        pod={"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "made"}}]},
                    ),
                    claim("made"),
                ],
                id="of somebody else",
            ),
        ],
    )
    def test_are_not_seen_where_there_are_none(self, manifests: list[dict[str, Any]]) -> None:
        assert only_backend(*manifests).claims_astray is None


@pytest.mark.parametrize(
    ("container", "pod"),
    [
        (mounted(readOnly=True), volume(emptyDir={})),
        (mounted(), volume(configMap={"name": "c"})),
    ],
)
def test_a_volume_that_cannot_be_written_stops_the_backend(container: dict[str, Any], pod: dict[str, Any]) -> None:
    (obstacle,) = only_backend(backend(container=container, pod=pod), config_map("c", {})).obstacles
    assert obstacle.text == "/convex/data is read-only"


class TestInstanceSecret:
    @pytest.mark.parametrize(
        ("manifests", "stable", "text"),
        [
            pytest.param([backend()], False, "no: each restart makes a new one", id="no volume"),
            pytest.param(
                [backend(container=mounted(), pod=volume(emptyDir={}))],
                False,
                "no: each new pod makes a new one",
                id="emptyDir",
            ),
            pytest.param(
                [backend(container=mounted(), pod=volume(hostPath={"path": "/x"}))],
                False,
                "no: each change of the node makes a new one",
                id="hostPath",
            ),
            pytest.param(
                [backend(container=mounted(), spec=TEMPLATES)],
                True,
                "yes, as long as claim data-convex-0 from a template exists",
                id="claim",
            ),
            pytest.param([backend({"INSTANCE_SECRET": "0" * 64})], True, "yes", id="variable"),
            pytest.param(
                [backend({"CREDENTIALS_DIR": "/keys"}, container=mounted("/keys"), spec=TEMPLATES)],
                True,
                "yes, as long as claim data-convex-0 from a template exists",
                id="a folder of its own",
            ),
        ],
    )
    def test_stays(self, manifests: list[dict[str, Any]], stable: bool, text: str) -> None:
        decision = only_backend(*manifests).secret_stable
        assert (decision.value, decision.text) == (stable, text)


@pytest.mark.parametrize(
    ("kind", "reach", "field"),
    [
        ({"nfs": {"server": "s", "path": "/"}}, "network", "volumes[data]"),
        ({"csi": {"driver": "efs.csi.aws.com"}}, "network", "volumes[data]"),
        ({"csi": {"driver": "local.csi.openebs.io"}}, "node", "volumes[data]"),
    ],
)
def test_how_far_a_volume_of_the_pod_reaches(kind: dict[str, Any], reach: str, field: str) -> None:
    decision = only_backend(backend(container=mounted(), pod=volume(**kind))).volume_reach
    assert decision is not None
    assert (decision.value, decision.source.field.endswith(field)) == (reach, True)


@pytest.mark.parametrize(
    ("spec", "more", "reach"),
    [
        ({"storageClassName": "local-path"}, [], "node"),
        ({"storageClassName": "nfs-client"}, [], "network"),
        ({"storageClassName": "fast"}, [], None),
        ({}, [], None),
        ({"storageClassName": "fast"}, [("StorageClass", "fast", {"provisioner": "rancher.io/local-path"})], "node"),
        ({"volumeName": "v"}, [("PersistentVolume", "v", {"spec": {"local": {"path": "/d"}}})], "node"),
        ({"volumeName": "v"}, [("PersistentVolume", "v", {"spec": {"nfs": {"server": "s"}}})], "network"),
        ({"volumeName": "v"}, [("PersistentVolume", "v", {"spec": {"csi": {"driver": "efs.csi.aws.com"}}})], "network"),
    ],
)
def test_how_far_a_claim_reaches(
    spec: dict[str, Any], more: list[tuple[str, str, dict[str, Any]]], reach: str | None
) -> None:
    others = [{"kind": kind, "metadata": {"name": name}, **rest} for kind, name, rest in more]
    its_claim = claim("mine", **spec)
    decision = only_backend(backend(container=mounted(), pod=on_claim("mine")), its_claim, *others).volume_reach
    assert (decision and decision.value) == reach
    assert decision is None or decision.source.kind == "PersistentVolumeClaim"
